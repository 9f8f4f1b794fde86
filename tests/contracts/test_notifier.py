"""What every way to people keeps: a bulletin arrives whole, and a refusal says whether to try again."""

import base64
import hashlib
import hmac
import inspect
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bedside.adapters.aws.topic import SnsTopic
from bedside.adapters.local.notices import LogNotifier
from bedside.adapters.notices.mail import Mail, MailOptions, Security
from bedside.adapters.notices.webhook import Webhook
from bedside.domain.notice import Bulletin, Notice, NoticeKind
from bedside.errors import ConfigError, Unavailable
from bedside.ports.notifier import Notifier
from clouds import Cloud
from mailbox_server import Mailbox, run_mailbox
from webhook_server import Hook, run_webhook

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()  # pragma: allowlist secret
DIGEST = "sha256:" + "ab" * 32

ONE = Bulletin(
    kind=NoticeKind.JOB_DEAD,
    deployment="ward",
    count=1,
    first_at=AT,
    last_at=AT,
    notices=(
        Notice(
            kind=NoticeKind.JOB_DEAD,
            tenant="north",
            job="3f2a81c0aa",
            pipeline="spleen",
            stage="infer",
            release=DIGEST,
            cause="ModelFailed",
        ),
    ),
)
MANY = Bulletin(
    kind=NoticeKind.INPUT_REJECTED,
    deployment="ward",
    count=1000,
    first_at=AT,
    last_at=AT + timedelta(minutes=9),
    notices=tuple(
        Notice(kind=NoticeKind.INPUT_REJECTED, tenant="north", entry=f"{n:020x}") for n in range(10)
    ),
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A notifier, and what arrived at its other end, as text."""

    notifier: Notifier
    arrived: Callable[[], list[str]]


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with run_mailbox(tmp_path_factory.mktemp("mailbox")) as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Hook]:
    with run_webhook() as running:
        yield running


def mail_to(mailbox: Mailbox, **more: Any) -> Mail:
    options = {
        "sender": "bedside@ward.example",
        "to": ("a@ward.example", "b@ward.example"),
        "host": "127.0.0.1",
        "port": mailbox.port,
        "user": "bedside",
        "password": "right",  # pragma: allowlist secret
    }
    return Mail(MailOptions(**(options | more)), context=mailbox.trusted())


@pytest.fixture(params=["log", "webhook", "mail", "topic"])
def way(request: pytest.FixtureRequest) -> Way:
    if request.param == "log":
        lines: list[str] = []
        return Way(
            notifier=LogNotifier(lambda action, /, **fields: lines.append(f"{action} {fields}")),
            arrived=lambda: ["\n".join(lines)] if lines else [],
        )
    if request.param == "webhook":
        hook: Hook = request.getfixturevalue("hook")
        return Way(
            notifier=Webhook(hook.url, SECRET, now=lambda: AT),
            arrived=lambda: [call.body.decode() for call in hook.calls],
        )
    if request.param == "mail":
        mailbox: Mailbox = request.getfixturevalue("mailbox")
        mailbox.mails.clear()
        return Way(
            notifier=mail_to(mailbox),
            arrived=lambda: [f"{m['Subject']}\n{m.get_content()}" for m in mailbox.mails],
        )
    topic, queue = topic_with_queue(request.getfixturevalue("cloud"))
    cloud: Cloud = request.getfixturevalue("cloud")
    return Way(
        notifier=SnsTopic(topic),
        arrived=lambda: [body["Subject"] + body["Message"] for body in received(cloud, queue)],
    )


def topic_with_queue(cloud: Cloud) -> tuple[str, str]:
    """Make a topic and a queue that subscribes to it; return the topic's ARN and the queue's URL."""
    queue = cloud.queue()
    sns = cloud.client("sns")
    topic: str = sns.create_topic(Name=queue.rpartition("/")[2])["TopicArn"]
    asked = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])
    return topic, queue


def received(cloud: Cloud, queue: str) -> list[dict[str, Any]]:
    """Return what SNS put into a queue."""
    messages = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_one_notice_arrives_with_all_it_says(way: Way) -> None:
    way.notifier.send(ONE)
    (said,) = way.arrived()
    for word in (
        "ward",
        "north",
        "3f2a81c0aa",
        "spleen",
        "infer",
        "ModelFailed",
        "1 job failed every attempt",
    ):
        assert word in said


def test_a_digest_says_how_many_there_were_and_shows_some(way: Way) -> None:
    way.notifier.send(MANY)
    (said,) = way.arrived()
    assert "1000 things in the drop-box" in said
    assert all(notice.entry in said for notice in MANY.notices)


@pytest.mark.parametrize("adapter", [LogNotifier, Webhook, Mail, SnsTopic])
def test_signatures_are_the_ports(adapter: type) -> None:
    assert inspect.signature(adapter.send) == inspect.signature(Notifier.send)


# A webhook


def test_a_webhook_is_signed_by_the_standard_and_the_same_bulletin_has_the_same_id(hook: Hook) -> None:
    webhook = Webhook(hook.url, SECRET, now=lambda: AT)
    webhook.send(ONE)
    webhook.send(ONE)
    first, second = hook.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == ONE.id
    at = first.headers["webhook-timestamp"]
    assert int(at) == AT.timestamp()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = hmac.new(key, f"{ONE.id}.{at}.".encode() + first.body, hashlib.sha256).digest()
    assert first.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert json.loads(first.body)["notices"] == [notice.to_json() for notice in ONE.notices]


def test_the_signature_is_that_of_the_specifications_example() -> None:
    # Standard Webhooks, its published test vector.
    webhook = Webhook(
        "https://hook.example/x",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # pragma: allowlist secret
        now=lambda: datetime.fromtimestamp(1614265330, UTC),
    )
    headers = webhook._headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "raised"),
    [(503, Unavailable), (429, Unavailable), (404, ConfigError), (307, ConfigError)],
)
def test_an_answer_says_whether_to_try_again(hook: Hook, status: int, raised: type[Exception]) -> None:
    hook.status = status
    with pytest.raises(raised, match=f"127.0.0.1 answers {status}") as caught:
        Webhook(hook.url, SECRET, now=lambda: AT).send(ONE)
    assert hook.path not in str(caught.value)  # the path may be a password
    assert len(hook.calls) == 1


def test_a_server_that_is_not_there_or_silent_is_tried_again(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable, match="ConnectError"):
        Webhook("http://127.0.0.1:9/x", SECRET, now=lambda: AT).send(ONE)
    monkeypatch.setattr("bedside.adapters.notices.webhook.TIMEOUT_S", 0.2)
    hook.silent_s = 1.0
    began = time.monotonic()
    with pytest.raises(Unavailable, match="ReadTimeout"):
        Webhook(hook.url, SECRET, now=lambda: AT).send(ONE)
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("url", ["http://hook.example/x", "ftp://hook.example/x", "hook", "http://[::"])
def test_a_webhook_outside_this_machine_wants_tls(url: str) -> None:
    with pytest.raises(ConfigError, match=r"notify\.webhook_url"):
        Webhook(url, SECRET, now=lambda: AT)


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ=", "whsec_!!"])
def test_a_webhook_wants_a_secret_that_nobody_guesses(secret: str) -> None:
    with pytest.raises(ConfigError, match=r"notify\.webhook_secret") as caught:
        Webhook("https://hook.example/x", secret, now=lambda: AT)
    assert not secret or secret not in caught.value.message.split()


# A mail


def test_a_mail_has_the_headers_that_programs_look_at(mailbox: Mailbox) -> None:
    mailbox.mails.clear()
    mail = mail_to(mailbox)
    mail.send(ONE)
    mail.send(ONE)
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{ONE.id}@ward.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["To"] == "a@ward.example, b@ward.example"
    assert mailbox.all_encrypted


def test_a_mail_server_of_an_unknown_authority_gets_no_password(mailbox: Mailbox) -> None:
    mailbox.logins.clear()
    options = mail_to(mailbox)._options
    with pytest.raises(Unavailable, match="SSLCertVerificationError"):
        Mail(options, context=ssl.create_default_context()).send(ONE)
    assert not mailbox.logins


def test_a_mail_servers_answer_says_whether_to_try_again(mailbox: Mailbox) -> None:
    with pytest.raises(ConfigError, match=r"refuses the login \(535\)") as caught:
        mail_to(mailbox, password="wrong").send(ONE)  # pragma: allowlist secret
    assert "wrong" not in caught.value.message
    with pytest.raises(ConfigError, match=r"refuses the mail \(550\)"):
        mail_to(mailbox, to=("nobody@ward.example",)).send(ONE)
    with pytest.raises(ConfigError, match="refuses 1 of 2 addresses"):
        mail_to(mailbox, to=("a@ward.example", "nobody@ward.example")).send(ONE)
    with pytest.raises(Unavailable, match=r"does not take the mail now \(451\)"):
        mail_to(mailbox, to=("later@ward.example",)).send(ONE)
    with pytest.raises(Unavailable, match="was not reached"):
        mail_to(mailbox, port=9).send(ONE)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"host": "mail.example", "security": Security.NONE}, "this machine only, not for mail.example"),
        ({"to": ()}, "notify.email_to: is empty"),
        ({"host": ""}, "notify.smtp_host: is empty"),
        ({"user": ""}, "notify.smtp_user: is empty, but the other is set"),
        ({"password": ""}, "notify.smtp_password: is empty, but the other is set"),
        ({"to": ("ward",)}, "'ward' is no address"),
        ({"sender": "a@b\nBcc: c@d"}, "is no address"),
    ],
)
def test_what_cannot_be_a_mail_is_said_at_once(mailbox: Mailbox, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mail_to(mailbox, **more)


# A topic


def test_a_topics_readers_choose_by_kind_and_programs_get_json(cloud: Cloud) -> None:
    topic, queue = topic_with_queue(cloud)
    asked = cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    cloud.client("sns").set_subscription_attributes(
        SubscriptionArn=asked[0]["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"kind": ["job.dead"], "deployment": ["ward"]}),
    )
    notifier = SnsTopic(topic)
    notifier.send(MANY)
    notifier.send(ONE)
    (body,) = received(cloud, queue)
    assert json.loads(body["Message"]) == json.loads(json.dumps(ONE.to_json()))
    assert body["MessageAttributes"]["bulletin"]["Value"] == ONE.id


def test_a_topic_that_is_not_there_is_not_asked_again(cloud: Cloud) -> None:
    with pytest.raises(ConfigError, match="there is no such topic"):
        SnsTopic("arn:aws:sns:us-east-1:123456789012:not-made").send(ONE)
    with pytest.raises(ConfigError, match="is not arn:aws:sns"):
        SnsTopic("ward-alarms")


def test_a_subject_is_what_sns_takes() -> None:
    longest = Bulletin(
        kind=NoticeKind.WORKER_GONE, deployment="a" * 20, count=99_999, first_at=AT, last_at=AT, notices=()
    )
    assert len(longest.subject) <= 100
    assert longest.subject.isascii()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
