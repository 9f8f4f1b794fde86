"""The part of the tests' issuer that browsers see: a page to sign in, codes that work once, PKCE checked.

As strict as a real one: the client, its secret and its addresses are registered, a code is redeemed once,
within a minute, at the address it was asked for, and with the verifier whose challenge was given.
"""

import base64
import hashlib
import html
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "bedside-portal", "s3cret:with/signs"  # pragma: allowlist secret
CODE_LASTS_S = 60


@dataclass(kw_only=True)
class User:
    """Somebody who can sign in at the issuer; `claims` stand in their tokens."""

    password: str
    sub: str
    claims: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Answer:
    """What the issuer answers a browser or a client."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Code:
    """A code that was given out."""

    user: User
    asked: dict[str, str]
    at: float


@dataclass(kw_only=True)
class Login:
    """Signing in at an issuer.

    Attributes:
        users: By the name that they type.
        backs: Addresses of clients to which browsers may be sent back.
        token_claims: Put into ID tokens over the right ones, to be wrong.
        in_userinfo: Claims that are told by userinfo and stand in no token.
        public: The client has no secret.
    """

    users: dict[str, User] = field(default_factory=dict)
    backs: set[str] = field(default_factory=set)
    token_claims: dict[str, Any] = field(default_factory=dict)
    in_userinfo: set[str] = field(default_factory=set)
    public: bool = False
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, User] = field(default_factory=dict)
    redeemed: int = 0

    def page(self, path: str) -> Answer:
        """Show the page to sign in."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        if asked.get("client_id") != CLIENT_ID or asked.get("redirect_uri") not in self.backs:
            return Answer(status=400, body=b"unknown client or address")
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return Answer(status=400, body=b"no code flow")
        fields = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        form = (
            f'<form method="post" action="/authorize">{fields}<input name="user"><input name="password" '
            'type="password"><button>Log in</button></form>'
        )
        body = f"<!doctype html><title>Provider</title><h1>Provider</h1>{form}"
        return Answer(body=body.encode(), headers={"content-type": "text/html"})

    def signed_in(self, body: bytes) -> Answer:
        """Send a browser back with a code, or with an error."""
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if given.get("redirect_uri") not in self.backs:
            return Answer(status=400)
        user = self.users.get(given.get("user", ""))
        back: dict[str, str] = {"state": given.get("state", "")}
        if user is None or user.password != given.get("password"):
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = Code(user=user, asked=given, at=time.time())
        return Answer(status=303, headers={"location": f"{given['redirect_uri']}?{urlencode(back)}"})

    def redeem(self, body: bytes, authorization: str) -> tuple[int, dict[str, Any], Code | None]:
        """Check a code; return status, an error or nothing, and what was asked for."""
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        pair = f"{CLIENT_ID}:{CLIENT_SECRET.replace(':', '%3A').replace('/', '%2F')}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        if not self.public and authorization != basic:
            return 401, {"error": "invalid_client"}, None
        code = self.codes.pop(given.get("code", ""), None)
        challenge = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        fits = (
            code is not None
            and given.get("grant_type") == "authorization_code"
            and given.get("redirect_uri") == code.asked["redirect_uri"]
            and code.asked.get("code_challenge_method") == "S256"
            and base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == code.asked.get("code_challenge")
            and time.time() - code.at < CODE_LASTS_S
        )
        if not fits or code is None:
            return 400, {"error": "invalid_grant"}, None
        self.redeemed += 1
        return 200, {}, code
