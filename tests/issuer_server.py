"""An OpenID Connect issuer for tests, on 127.0.0.1: keys that change, tokens of any content."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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
            "groups": groups or [],
        }
        all_claims = {n: v for n, v in (ours | claims).items() if v is not None}
        header = {"alg": "ES256" if key.key_type == "EC" else "RS256", "kid": kid or name}
        return jwt.encode(header, all_claims, key)

    def answer(self, path: str) -> Mapping[str, object] | None:
        self.asked.append(path)
        if self.silent:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.says or self.url, "jwks_uri": f"{self.url}/keys"}
        secret = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}  # pragma: allowlist secret
        public = [key.as_dict(private=False, kid=kid, use="sig") for kid, key in self._keys.items()]
        return {"keys": [secret, *public]} if path == "/keys" else None


@contextmanager
def run_issuer() -> Iterator[LocalIssuer]:
    """Run an issuer on a free port of this machine until the block ends."""
    issuer = LocalIssuer()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = issuer.answer(self.path)
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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
