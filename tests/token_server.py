"""A token server for a docker-registry: who may do what, as signed tokens, over http on 127.0.0.1.

It speaks both ways of the specification: GET with a password, and POST with an identity token. Every
request is kept, so a test can count them.
"""

import base64
import datetime
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ISSUER = "tests"
SERVICE = "registry of tests"


class TokenServer:
    """Grants what `rights` says: user → name of a repository (or ``*``) → actions."""

    def __init__(self, folder: Path, rights: Mapping[str, Mapping[str, set[str]]]) -> None:
        self.rights = rights
        self.passwords = {"alice": "wonderland"}  # pragma: allowlist secret
        self.identity_tokens = {"refresh-me": "alice"}  # pragma: allowlist secret
        self.life_s = 300
        self.asked: list[tuple[str, list[str]]] = []
        self._key, self.certificate = _key_and_certificate(folder)
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"

    def settings(self) -> dict[str, object]:
        """Return what the registry's configuration needs."""
        token = {
            "realm": self.realm,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.certificate),
        }
        return {"auth": {"token": token}}

    @contextmanager
    def running(self) -> Iterator["TokenServer"]:
        """Serve until the block ends."""
        threading.Thread(
            target=self._server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}
        ).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def grant(self, user: str, scopes: list[str]) -> str:
        """Return a token for what a user may do of what was asked."""
        self.asked.append((user, scopes))
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            own = self.rights.get(user, {})
            allowed = own.get(name, own.get("*", set()))
            access.append({"type": kind, "name": name, "actions": sorted(allowed & set(actions.split(",")))})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "nbf": now - 60,
            "iat": now,
            "exp": now + self.life_s,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        return self._signed(claims)

    def _signed(self, claims: Mapping[str, Any]) -> str:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding

        loaded = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        der = loaded.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        body = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{body}.{_base64(signature)}"


class _Handler(BaseHTTPRequestHandler):
    server_of: TokenServer
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        user = "nobody"
        if given := self.headers.get("Authorization"):
            user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
            if self.server_of.passwords.get(user) != password:
                self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})
                return
        token = self.server_of.grant(user, query.get("scope", []))
        self._answer(200, {"token": token, "expires_in": self.server_of.life_s})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        user = self.server_of.identity_tokens.get(form["refresh_token"][0])
        if user is None or form["grant_type"] != ["refresh_token"]:
            self._answer(401, {"error": "invalid_grant"})
            return
        token = self.server_of.grant(user, form["scope"][0].split())
        self._answer(200, {"access_token": token, "expires_in": self.server_of.life_s})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that is its own authority, and return it and its key."""
    _, certificate = _key_and_certificate(folder)
    return certificate, folder / "key.pem"


def _key_and_certificate(folder: Path) -> tuple[Any, Path]:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return key, path


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
