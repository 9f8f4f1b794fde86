"""AWS emulated in this process, for tests: moto's server on 127.0.0.1, with credentials that mean nothing.

What it proves is that requests are well formed and answers are read; not that AWS would permit them.
All servers of one process share one state, so whatever a test makes has a name of its own.
"""

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

REGION = "us-east-1"
#: Files that a developer's settings and keys come from, and machines' roles: none of them here.
_NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A running emulator.

    Attributes:
        url: Where it answers.
    """

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which boto3, bedside and Terraform in any process find it."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": _NOWHERE,
            "AWS_SHARED_CREDENTIALS_FILE": _NOWHERE,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of it, whatever the environment says."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # pragma: allowlist secret
            config=Config(signature_version="s3v4") if service == "s3" else None,
        )

    def bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"bedside-{uuid.uuid4().hex[:20]}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def queue(self, *, announces: str = "", prefix: str = "input/", attempts: int = 3) -> str:
        """Make a queue and its dead-letter queue (``-dead`` after its name); return its URL.

        Args:
            announces: A bucket that sends its events there; empty is none.
            prefix: Of the objects that count.
            attempts: After so many receipts a message is dead.
        """
        sqs, name = self.client("sqs"), f"bedside-{uuid.uuid4().hex[:20]}"
        arns = []
        for each, more in ((f"{name}-dead", {}), (name, {"maxReceiveCount": attempts})):
            policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arns[0], **more})} if more else {}
            url: str = sqs.create_queue(QueueName=each, Attributes=policy)["QueueUrl"]
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            arns.append(asked["Attributes"]["QueueArn"])
        if announces:
            rule = {"FilterRules": [{"Name": "prefix", "Value": prefix}]}
            wanted = {"QueueArn": arns[1], "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": rule}}
            self.client("s3").put_bucket_notification_configuration(
                Bucket=announces, NotificationConfiguration={"QueueConfigurations": [wanted]}
            )
        return url

    def messages(self, url: str) -> dict[str, int]:
        """Count a queue's messages: those that can be received, are in hands, come later."""
        counts = {"visible": "", "held": "NotVisible", "delayed": "Delayed"}
        names = {ours: f"ApproximateNumberOfMessages{theirs}" for ours, theirs in counts.items()}
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names.values()))
        return {ours: int(found["Attributes"][theirs]) for ours, theirs in names.items()}

    def let_holders_lapse(self, url: str) -> None:
        """Let a queue's messages that somebody holds come back now, as they do when their time is over."""
        for message in self._queue(url)._messages:
            message.visible_at = 0.0

    def drop_messages(self, url: str) -> None:
        """Throw a queue's messages away, held ones too; SQS would do it once a minute only."""
        self._queue(url)._messages.clear()
        self._queue(url).pending_messages.clear()

    def _queue(self, url: str) -> Any:
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.sqs.models import sqs_backends

        return sqs_backends[DEFAULT_ACCOUNT_ID][REGION].get_queue(url.rpartition("/")[2])


@contextmanager
def run_moto(*, as_buckets_allow: bool = False) -> Iterator[Cloud]:
    """Run moto's server on a free port of this machine until the block ends.

    Args:
        as_buckets_allow: Whether pages of other origins are let in as buckets' own rules say, as S3 does;
            else all of them are, everywhere. Another server that is first asked meanwhile does as this one.
    """
    from moto.moto_server import werkzeug_app
    from moto.server import ThreadedMotoServer  # here: most tests need no cloud, and it loads slowly

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    patch = pytest.MonkeyPatch()
    patch.setattr(werkzeug_app, "DISABLE_GLOBAL_CORS", as_buckets_allow)
    try:
        _, port = server.get_host_and_port()
        yield Cloud(url=f"http://127.0.0.1:{port}")
    finally:
        patch.undo()
        server.stop()


@pytest.fixture(scope="session")
def moto() -> Iterator[Cloud]:
    """One emulator for the whole session."""
    with run_moto() as running:
        yield running


@pytest.fixture
def cloud(moto: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The emulator, and this process's environment pointing at it."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return moto


def teach_moto_account_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto keep ECR's settings of an account, by the shapes of botocore's model; it knows none."""
    from moto.ecr.responses import ECRResponse

    settings: dict[str, str] = {"BLOB_MOUNTING": "DISABLED"}

    def told(name: str) -> str:
        return json.dumps({"name": name, "value": settings[name]})

    def get_account_setting(self: Any) -> str:
        return told(self._get_param("name"))

    def put_account_setting(self: Any) -> str:
        settings[self._get_param("name")] = self._get_param("value")
        return told(self._get_param("name"))

    for answer in (get_account_setting, put_account_setting):
        monkeypatch.setattr(ECRResponse, answer.__name__, answer, raising=False)
