"""The ledger is asked at the right server only: a real PostgreSQL over TLS, whose authority is ours."""

import datetime
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bedside.adapters.sql.engine import Database
from bedside.config import authorities
from bedside.errors import Unavailable
from services import run_postgres

pytestmark = pytest.mark.needs("initdb")

#: As RDS names a database; `hostaddr` leads it to this machine.
HOST = "clinic-ledger.abc123.eu-west-1.rds.amazonaws.com"


@dataclass(frozen=True)
class Served:
    """A server and the file of who signed its certificate."""

    port: int
    authority: Path

    def url(self, host: str = HOST, **query: str) -> str:
        said = {"sslmode": "verify-full", "hostaddr": "127.0.0.1", **query}
        words = "&".join(f"{key}={value}" for key, value in said.items())
        return f"postgresql://bedside@{host}:{self.port}/postgres?{words}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    authority = tmp_path_factory.mktemp("authority") / "ours.pem"
    key, root = _signed("an authority of ours", None)
    own, certificate = _signed(HOST, (key, root))
    authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    shown = certificate.public_bytes(serialization.Encoding.PEM) + own.private_bytes(*form)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with run_postgres(port=port, certificate=shown) as _:
        yield Served(port, authority)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSSLROOTCERT", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


def asked(url: str) -> None:
    """Connect as the ledger does."""
    database = Database(url)
    try:
        with database.read() as connection:
            over_tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert connection.exec_driver_sql(over_tls).scalar()
    finally:
        database.close()


def test_a_server_that_rds_did_not_sign_is_refused_in_words(served: Served) -> None:
    asked(served.url(sslmode="require"))  # it is there, and would have been believed
    with pytest.raises(Unavailable, match="no authority that is trusted has signed") as refused:
        asked(served.url())
    assert "deploy.ledger_ca" in (refused.value.hint or "")


def test_the_authorities_that_come_with_bedside_are_those_that_are_asked(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(authorities.RDS_BUNDLE.read_bytes() + served.authority.read_bytes())
    monkeypatch.setattr(authorities, "RDS_BUNDLE", both)
    asked(served.url())


def test_authorities_of_ones_own_are_named_in_the_url_or_on_the_machine(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(served.url(sslrootcert=str(served.authority)))
    with pytest.raises(Unavailable, match="is not there"):
        asked(served.url(sslrootcert="/nowhere/ca.pem"))
    monkeypatch.setenv("PGSSLROOTCERT", str(served.authority))
    asked(served.url())


def test_another_machines_certificate_is_refused(served: Served) -> None:
    with pytest.raises(Unavailable, match="the server's certificate is another machine's"):
        asked(served.url("other.abc123.eu-west-1.rds.amazonaws.com", sslrootcert=str(served.authority)))


def test_the_bundle_is_whole_and_says_whom_it_is_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities.RDS_BUNDLE)
    held = context.get_ca_certs()
    names = {dict(word for words in held_by["subject"] for word in words)["commonName"] for held_by in held}
    regions = authorities.rds_regions()
    kinds = ("ECC384", "RSA2048", "RSA4096")
    assert names == {f"Amazon RDS {region} Root CA {kind} G1" for region in regions for kind in kinds}
    assert len(held) == 3 * len(regions) and {"us-east-1", "eu-west-1", "eu-central-1"} <= regions
    assert all(ssl.cert_time_to_seconds(str(held_by["notAfter"])) > 2_800_000_000 for held_by in held)


_Key = ec.EllipticCurvePrivateKey


def _signed(name: str, by: tuple[_Key, x509.Certificate] | None) -> tuple[_Key, x509.Certificate]:
    """Make a certificate, signed by another or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(by[1].subject if by else called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return key, builder.sign(by[0] if by else key, hashes.SHA256())
