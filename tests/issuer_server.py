"""An OpenID Connect issuer for tests, on 127.0.0.1: any keys and tokens, and browsers that sign in."""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from issuer_login import CLIENT_ID, Answer, Login

CLIENT = "bedside-tests"


@dataclass(kw_only=True)
class LocalIssuer:
    """A running issuer.

    Attributes:
        url: Its address.
        asked: Paths that were asked for.
        silent: Answers nothing but errors.
        says: Issuer that its discovery document names; empty is the right one.
    """

    url: str = ""
    asked: list[str] = field(default_factory=list)
    silent: bool = False
    says: str = ""
    login: Login = field(default_factory=Login)
    _keys: dict[str, Any] = field(default_factory=dict)

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no more."""
        from joserfc.jwk import ECKey, RSAKey

        kid = f"key-{len(self.asked)}-{time.monotonic_ns()}"
        made = ECKey.generate_key("P-256") if self._keys else RSAKey.generate_key(2048)
        self._keys = {kid: made}

    def token(self, groups: list[str] | None = None, *, kid: str = "", **claims: object) -> str:
        """Return a signed token; claims given replace ours, and None leaves one out."""
        from joserfc import jwt

        (name, key), now = next(iter(self._keys.items())), int(time.time())
        ours: dict[str, object] = {
            "iss": self.url,
            "sub": "person-1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 600,
            "groups": groups,
        }
        all_claims = {n: v for n, v in (ours | claims).items() if v is not None}
        header = {"alg": "ES256" if key.key_type == "EC" else "RS256", "kid": kid or name}
        return jwt.encode(header, all_claims, key)

    def answer(self, path: str) -> Mapping[str, object] | None:
        self.asked.append(path)
        if self.silent:
            return None
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.says or self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "end_session_endpoint": f"{self.url}/logout",
            }
        secret = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}  # pragma: allowlist secret
        public = [key.as_dict(private=False, kid=kid, use="sig") for kid, key in self._keys.items()]
        return {"keys": [secret, *public]} if path == "/keys" else None

    def tokens(self, body: bytes, authorization: str) -> tuple[int, dict[str, Any]]:
        """Redeem a code for an ID token and an access token."""
        status, error, code = self.login.redeem(body, authorization)
        if code is None:
            return status, error
        claims = {n: v for n, v in code.user.claims.items() if n not in self.login.in_userinfo}
        ours = {"sub": code.user.sub, "aud": CLIENT_ID, "nonce": code.asked.get("nonce")}
        groups = claims.pop("groups", None)
        token = self.token(groups, **{**ours, **claims, **self.login.token_claims})
        access = secrets.token_urlsafe(16)
        self.login.access[access] = code.user
        return 200, {"id_token": token, "access_token": access, "token_type": "Bearer"}

    def told(self, authorization: str) -> Mapping[str, object] | None:
        """Return what userinfo says of whose access token it is."""
        user = self.login.access.get(authorization.removeprefix("Bearer "))
        return {"sub": user.sub, **user.claims} if user else None


@contextmanager
def run_issuer() -> Iterator[LocalIssuer]:
    """Run an issuer on a free port of this machine until the block ends."""
    issuer = LocalIssuer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/authorize?") and not issuer.silent:
                self._send(issuer.login.page(self.path))
                return
            if self.path == "/userinfo":
                found = issuer.told(self.headers.get("authorization", ""))
            else:
                found = issuer.answer(self.path)
            self._send(Answer(status=404 if found is None else 200, body=json.dumps(found).encode()))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if issuer.silent:
                self._send(Answer(status=500))
            elif self.path == "/authorize":
                self._send(issuer.login.signed_in(body))
            else:
                status, said = issuer.tokens(body, self.headers.get("authorization", ""))
                self._send(Answer(status=status, body=json.dumps(said).encode()))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    issuer.rotate()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
