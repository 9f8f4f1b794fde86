"""The whole deployment, as a person makes it: by `bedside deploy apply`, everything switched on, over TLS.

The emulator is moto, in the tests' own process, so that what a machine or a function would be is found where
it was put. Machines do not start and functions are not called by moto: `deployed_machine` and
`deployed_waker` bring to life what the deployment holds of them, and nothing else.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

import moto_gaps
from bedside.deploy.workspace import workspace_folder
from clouds import REGION, teach_moto_account_settings
from deployed_waker import Waker
from healthimaging import FakeHealthImaging, run_healthimaging
from terraform import Terraform, environment
from tls_cloud import TlsCloud, run_moto_over_tls
from wishes import DATASTORE, NAME, WISHES

#: An apply is mostly waiting for answers that the provider asks for several times.
PATIENCE_S = 280.0


@dataclass(kw_only=True)
class Deployment:
    """A deployment, and the folder that it was applied from.

    Attributes:
        folder: Holds the configuration, and the working copy below `.bedside`.
        cloud: The emulator.
        imaging: HealthImaging, with the datastore that the deployment names.
        outputs: Terraform's, once it is applied.
        waker: The function, once it is applied.
    """

    folder: Path
    cloud: TlsCloud
    imaging: FakeHealthImaging
    outputs: dict[str, Any] = field(default_factory=dict)
    waker: Waker = field(init=False, repr=False)
    _applying: "subprocess.Popen[str] | None" = None
    _said: IO[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which any process finds the emulators."""
        return {**self.cloud.environment, "AWS_ENDPOINT_URL_MEDICAL_IMAGING": self.imaging.url}

    @property
    def terraform(self) -> Terraform:
        """Terraform in the working copy that the command made."""
        return Terraform(
            folder=workspace_folder(self.folder, NAME), environment=environment(self.folder, self.environment)
        )

    def begin(self) -> None:
        """Type the command and leave it running: other tests can use the time."""
        (self.folder / "bedside.toml").write_text(_configuration(WISHES))
        # Where machines' metadata would be asked for, nobody answers. It stays when the modules are copied.
        copy = workspace_folder(self.folder, NAME)
        copy.mkdir(parents=True)
        provider = {"aws": {"s3_use_path_style": True, "skip_metadata_api_check": True, "max_retries": 5}}
        (copy / "emulator_override.tf.json").write_text(json.dumps({"provider": provider}))
        self._said = (self.folder / "apply.log").open("w+")
        self._applying = subprocess.Popen(
            _typed("deploy", "apply", "--yes", "--no-verify", "--json"),
            cwd=self.folder,
            env=self._of_a_person(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,  # Terraform and the provider are processes of their own
        )

    def end(self) -> None:
        """Wait until it is applied; fail the test with what was said if it failed."""
        if self._applying is None or self._said is None:
            return
        printed, _ = self._applying.communicate(timeout=PATIENCE_S)
        self._said.seek(0)
        if self._applying.returncode:
            pytest.fail(f"bedside deploy apply: {self._said.read()[-6000:]}")
        self.outputs = json.loads(printed)["outputs"]
        self.waker = Waker(self.outputs["waker"], self.folder / "waker")
        self._said.close()
        self._applying = None

    def typed(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type a command in the folder."""
        return subprocess.run(
            _typed(*words),
            cwd=self.folder,
            env=self._of_a_person(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def send_software(self, configuration: str) -> None:
        """Send what machines install: an archive of one's own, as `deploy.node_archive_key` permits.

        The wheels are missing, for machines run the bedside that is tested.
        """
        content, stream = configuration.encode(), io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            entry = tarfile.TarInfo("bedside.toml")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        bucket, key = self.outputs["bucket"], WISHES["node_archive_key"]
        self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=stream.getvalue())

    @property
    def keys_url(self) -> str:
        """Where the emulated pool's keys are; under the issuer's own name AWS would be asked."""
        return f"{self.cloud.url}/{self.outputs['user_pool_id']}/.well-known/jwks.json"

    def sign_in(self, person: str, *groups: str) -> str:
        """Make an account in the deployment's pool, in these groups; return its token, without a password."""
        from moto.cognitoidp.models import cognitoidp_backends
        from moto.core import DEFAULT_ACCOUNT_ID

        pool, cognito = self.outputs["user_pool_id"], self.cloud.client("cognito-idp")
        cognito.admin_create_user(UserPoolId=pool, Username=person)
        for group in groups:
            cognito.create_group(UserPoolId=pool, GroupName=group)
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=person, GroupName=group)
        kept = cognitoidp_backends[DEFAULT_ACCOUNT_ID][REGION].user_pools[pool]
        token, _ = kept.create_id_token(self.outputs["client_id"], person, "one session")
        return str(token)

    def stop(self) -> None:
        """End an apply that nobody waits for any more."""
        if self._applying is not None and self._applying.poll() is None:
            os.killpg(self._applying.pid, signal.SIGKILL)
            self._applying.wait(20)

    def _of_a_person(self) -> dict[str, str]:
        return environment(self.folder, self.environment)


@contextmanager
def run_deployment(folder: Path) -> Iterator[Deployment]:
    """Begin to apply everything, and keep the emulator until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        moto_gaps.complete(patch)
        teach_moto_account_settings(patch)
        with run_moto_over_tls(folder) as cloud, run_healthimaging(cloud.client("s3"), polls=1) as imaging:
            imaging.datastores[DATASTORE] = {"name": NAME, "status": "ACTIVE"}
            deployment = Deployment(folder=folder, cloud=cloud, imaging=imaging)
            deployment.begin()
            try:
                yield deployment
            finally:
                deployment.stop()


@pytest.fixture(scope="session")
def applying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Begin to apply everything, once for all tests; mark its users ``needs("terraform")``."""
    with run_deployment(tmp_path_factory.mktemp("deployment")) as running:
        yield running


@pytest.fixture(scope="session")
def deployment(applying: Deployment) -> Deployment:
    """Return what was applied, once it is whole."""
    applying.end()
    return applying


def _typed(*words: str) -> list[str]:
    return [sys.executable, "-m", "bedside", *words]


def _configuration(wishes: Mapping[str, Any]) -> str:
    """Return the wishes as the section of a configuration: its keys are the variables' names."""
    pools = "".join(f"\n[deploy.pools.{name}]\n{_lines(pool)}" for name, pool in wishes["pools"].items())
    return f"[deploy]\n{_lines({k: v for k, v in wishes.items() if k != 'pools'})}{pools}"


def _lines(values: Mapping[str, Any]) -> str:
    # What is written here (texts, numbers, lists of them) looks the same in TOML and in JSON.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
