"""AWS emulated over TLS, by a moto that reads what a bucket demands of the line.

moto takes a statement's condition for met whatever it says, and so refuses everybody who comes to a bucket
that takes TLS only. Here the two conditions that are about the line are asked of the request itself.
"""

import datetime
import ipaddress
import json
import logging
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clouds import REGION, Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCloud(Cloud):
    """A running emulator that is spoken to over TLS.

    Attributes:
        certificate: File of what signed its certificate.
    """

    certificate: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which boto3, bedside and Terraform in any process find and trust it."""
        return {**Cloud.environment.fget(self), "AWS_CA_BUNDLE": str(self.certificate)}  # type: ignore[attr-defined]

    def client(self, service: str) -> Any:
        """Return a boto3 client of it, whatever the environment says."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # pragma: allowlist secret
            verify=str(self.certificate),
        )


@contextmanager
def run_moto_over_tls(folder: Path) -> Iterator[TlsCloud]:
    """Run moto's server on a free port of this machine until the block ends."""
    from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    with pytest.MonkeyPatch.context() as patch:
        _read_conditions(patch)
        server = make_server(
            "127.0.0.1",
            0,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
            ssl_context=context,
        )
        # Each connection's handshake in its own thread: in the listener's, all would wait for the slowest.
        server.socket.do_handshake_on_connect = False  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield TlsCloud(url=f"https://127.0.0.1:{server.port}", certificate=certificate)
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def _read_conditions(patch: pytest.MonkeyPatch) -> None:
    from flask import request
    from moto.s3.models import FakeBucket

    asked = FakeBucket.get_permission

    def get_permission(self: Any, action: str, resource: str) -> Any:
        held = self.policy
        if held is None:
            return asked(self, action, resource)
        document = json.loads(held)
        document["Statement"] = [
            {name: value for name, value in statement.items() if name != "Condition"}
            if statement["Effect"] == "Deny" and _about_the_line(statement)
            else statement
            for statement in document["Statement"]
            if not (_about_the_line(statement) and not _met(statement["Condition"], secure=request.is_secure))
        ]
        if not document["Statement"]:
            from moto.iam.access_control import PermissionResult

            return PermissionResult.NEUTRAL
        self.policy = json.dumps(document).encode()
        try:
            return asked(self, action, resource)
        finally:
            self.policy = held

    patch.setattr(FakeBucket, "get_permission", get_permission)


_LINE = frozenset({"aws:SecureTransport", "s3:TlsVersion"})


def _about_the_line(statement: Mapping[str, Any]) -> bool:
    keys = {key for wanted in statement.get("Condition", {}).values() for key in wanted}
    return bool(keys) and keys <= _LINE


def _met(condition: Mapping[str, Mapping[str, str]], *, secure: bool) -> bool:
    """Whether a condition about the line holds. The server speaks nothing older than TLS 1.2."""
    (operator, wanted), *more = condition.items()
    assert not more, "one operator per statement is all that is read here"
    match operator:
        case "Bool":
            return str(secure).lower() == wanted["aws:SecureTransport"]
        case "NumericLessThan":
            return secure and float(wanted["s3:TlsVersion"]) > 1.2
    raise AssertionError(f"{operator} is not read here")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that signs itself; return it and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an emulator of AWS")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "emulator.pem", folder / "emulator.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return certificate, private
