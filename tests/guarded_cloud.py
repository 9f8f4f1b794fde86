"""AWS emulated with its guards on: ministack, which checks signatures and policies and refuses as AWS does.

A process of its own on 127.0.0.1, for the few tests about who may do what; the others use `clouds`.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx

from clouds import REGION

START_TIMEOUT_S = 60.0
#: Whoever signs with these may do everything.
ROOT = ("test", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedCloud:
    """A running emulator.

    Attributes:
        url: Where it answers.
        certificate: What it shows over TLS, and who asks must trust; None is without TLS.
        plain_url: Where it answers without TLS too, so that a policy's refusal can be seen.
    """

    url: str
    certificate: Path | None = None
    plain_url: str = ""

    def environment(self, keys: tuple[str, str] = ROOT) -> dict[str, str]:
        """Variables with which boto3 in any process is somebody there."""
        return {
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate else {}),
        }

    def client(
        self, service: str, keys: tuple[str, str] | tuple[str, str, str] = ROOT, *, plain: bool = False
    ) -> Any:
        """Return a boto3 client of somebody: of whoever may do everything unless told who.

        Args:
            service: As boto3 calls it.
            keys: Key, secret and, of a role that was assumed, the session's token.
            plain: Ask over a line that can be read.
        """
        import boto3

        key, secret, token = (*keys, None)[:3]
        return boto3.client(
            service,
            endpoint_url=self.plain_url if plain else self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            verify=str(self.certificate) if self.certificate else None,
        )

    def user(self, name: str) -> tuple[str, str]:
        """Make a user who may do nothing yet; return the keys."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def permit(self, name: str, statements: Mapping[str, Sequence[str]]) -> None:
        """Let a user do this and nothing else: actions by ARN."""
        allowed = [{"Effect": "Allow", "Action": list(a), "Resource": arn} for arn, a in statements.items()]
        document = {"Version": "2012-10-17", "Statement": allowed}
        self.client("iam").put_user_policy(
            UserName=name, PolicyName="all", PolicyDocument=json.dumps(document)
        )


@contextmanager
def run_ministack(folder: Path, *, tls: bool = False) -> Iterator[GuardedCloud]:
    """Run the emulator on a free port of this machine until the block ends.

    Args:
        folder: Takes its log.
        tls: Answer over TLS, which policies can tell from plain HTTP.
    """
    with socket.socket() as probe, socket.socket() as another:
        probe.bind(("127.0.0.1", 0))
        another.bind(("127.0.0.1", 0))
        port, plain_port = probe.getsockname()[1], another.getsockname()[1]
    command = [sys.executable, "-m", "hypercorn", "ministack_gaps:app", "--bind", f"127.0.0.1:{port}"]
    certificate = _certificate(folder) if tls else None
    if certificate:
        command += ["--certfile", str(certificate), "--keyfile", str(certificate.with_suffix(".key"))]
        command += ["--insecure-bind", f"127.0.0.1:{plain_port}"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={
                **kept,
                "PYTHONPATH": str(Path(__file__).parent),
                "AUTH": "true",
                "GATEWAY_PORT": str(port),
                "LOG_LEVEL": "WARNING",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it starts a process of its own, which must end with it
        )
    try:
        cloud = GuardedCloud(
            url=f"http{'s' if tls else ''}://127.0.0.1:{port}",
            certificate=certificate,
            plain_url=f"http://127.0.0.1:{plain_port if tls else port}",
        )
        _wait(process, cloud, folder / "ministack.log")
        yield cloud
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # what it holds is thrown away
        process.wait(20)


def _certificate(folder: Path) -> Path:
    """Write a certificate for this machine, signed by itself, and its key beside it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an emulator")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    certificate = folder / "emulator.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    certificate.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate


def _wait(process: "subprocess.Popen[bytes]", cloud: GuardedCloud, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    trusted = ssl.create_default_context(cafile=cloud.certificate) if cloud.certificate else True
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{cloud.url}/_ministack/health", trust_env=False, verify=trusted).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"ministack did not start:\n{log.read_text()[-2000:]}")
