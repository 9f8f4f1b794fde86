"""Browsers sign in at an issuer: authorization code flow with PKCE, state and nonce.

OpenID Connect Core 1.0, section 3.1; RFC 7636 with S256; what RFC 9700 asks of clients. The provider
answers through the browser with a code only, which this machine redeems by itself: no token passes
through an address or a page.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from bedside.adapters.oidc.fetch import TIMEOUT_S, document, read
from bedside.adapters.oidc.issuer import Issuer
from bedside.adapters.oidc.provider import Provider
from bedside.adapters.oidc.verify import OidcIdentity
from bedside.domain.person import posts_of
from bedside.errors import NotSignedIn, Unavailable
from bedside.ports import Clock
from bedside.ports.signing_in import Errand, Newcomer

_AGAIN = "sign in again"
#: A token that was made longer ago is of no sign-in that just ended.
_OLDEST_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserClient:
    """How we are known to an issuer as a place where browsers sign in.

    Attributes:
        client_id: Ours there.
        secret: Ours there; empty is a public client, which PKCE alone protects.
        scopes: What is asked for.
        farewell_url: Where browsers sign out, for issuers that do not say it themselves.
    """

    client_id: str
    secret: str = field(default="", repr=False)
    scopes: Sequence[str] = ("openid", "email", "profile")
    farewell_url: str = ""


class OidcSigningIn:
    """A `bedside.ports.signing_in.SigningIn` at one issuer; threads may share it.

    Args:
        issuer: Who; its clients are those whose ID tokens are taken.
        client: Who we are there.
        clock: The time.
    """

    def __init__(self, issuer: Issuer, client: BrowserClient, clock: Clock) -> None:
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._provider = Provider(issuer, clock)
        self._identity = OidcIdentity(issuer, clock)

    def begin(self, back: str) -> Errand:
        """Return where to send a browser."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = _extended(self._needed("authorization_endpoint"), asked)
        return Errand(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, errand: Errand, code: str, back: str) -> Newcomer:
        """Redeem the code that a browser came back with."""
        answer = self._redeemed(errand, code, back)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotSignedIn("sign-in: the provider gave no ID token", hint="add openid to identity.scopes")
        claims = dict(self._identity.claims(token))
        self._check(claims, errand)
        if not claims.get("email") or self._issuer.groups_claim not in claims:
            claims = {**self._told(str(answer.get("access_token") or ""), str(claims["sub"])), **claims}
        return Newcomer(
            issuer=self._issuer.url,
            subject=str(claims["sub"]),
            # An address that anybody could have typed there is nobody's.
            email="" if claims.get("email_verified") in {False, "false"} else _text(claims, "email"),
            name=_text(claims, "name") or _text(claims, "preferred_username"),
            posts=posts_of(self._issuer.groups(claims)),
        )

    def farewell(self, back: str) -> str:
        """Return where a browser signs out of the provider too."""
        if self._client.farewell_url:
            return self._client.farewell_url
        try:
            address = self._provider.address("end_session_endpoint")
        except Unavailable:  # it is signed out here all the same
            return ""
        if not address:
            return ""
        asked = {"client_id": self._client.client_id, "post_logout_redirect_uri": back}
        return _extended(address, asked)

    def check(self) -> str:
        """Return in words how browsers sign in, once the issuer said where.

        Raises:
            Unavailable: It does not answer, or names no place for it.
        """
        for name in ("authorization_endpoint", "token_endpoint"):
            self._needed(name)
        return f"browsers sign in there as {self._client.client_id}"

    def _redeemed(self, errand: Errand, code: str, back: str) -> Mapping[str, Any]:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._client.client_id,
            "code_verifier": errand.verifier,
        }
        headers = {}
        if self._client.secret and self._takes_post_only():
            asked["client_secret"] = self._client.secret
        elif self._client.secret:
            # RFC 6749, section 2.3.1: each is encoded as in a form before they are joined.
            pair = f"{quote(self._client.client_id, safe='')}:{quote(self._client.secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        url = self._needed("token_endpoint")
        try:
            with httpx.Client(timeout=TIMEOUT_S) as client:
                answer = client.post(url, data=asked, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unavailable(
                f"identity: the issuer's {url} does not answer ({type(exc).__name__})",
                hint="bedside config show",
            ) from exc
        if answer.is_server_error:
            raise Unavailable(f"identity: the issuer's {url} answers {answer.status_code}")
        found = document(answer)
        if not answer.is_success:
            said = str(found.get("error", ""))
            if said in {"invalid_client", "unauthorized_client", "unsupported_grant_type"}:
                raise Unavailable(
                    f"identity: the issuer does not take us as a client ({said})",
                    hint="look at identity.client_id and identity.client_secret",
                )
            known = said if said in {"invalid_grant", "invalid_request"} else "an error of its own"
            raise NotSignedIn(f"sign-in: the provider does not take the code ({known})", hint=_AGAIN)
        return found

    def _check(self, claims: Mapping[str, object], errand: Errand) -> None:
        """Refuse an ID token of another client, another errand, or another time (section 3.1.3.7)."""
        if self._issuer.cognito and claims.get("token_use") != "id":
            raise NotSignedIn("sign-in: no ID token", hint=_AGAIN)
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._client.client_id:
            raise NotSignedIn("sign-in: the token was made for another client", hint=_AGAIN)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), errand.nonce.encode()):
            raise NotSignedIn("sign-in: the token belongs to another sign-in", hint=_AGAIN)
        made = claims.get("iat")
        if not isinstance(made, int | float) or self._clock.now().timestamp() - made > _OLDEST_S:
            raise NotSignedIn("sign-in: the token is too old", hint=_AGAIN)

    def _told(self, access: str, subject: str) -> Mapping[str, Any]:
        """Ask for what is not in the token; what is said of somebody else is not heard (section 5.3.2)."""
        url = self._provider.address("userinfo_endpoint")
        if not url or not access:
            return {}
        with httpx.Client(timeout=TIMEOUT_S) as client:
            found = read(client, url, {"Authorization": f"Bearer {access}"})
        return found if found.get("sub") == subject else {}

    def _takes_post_only(self) -> bool:
        methods = "token_endpoint_auth_methods_supported"
        return self._provider.takes(methods, "client_secret_post") and not self._provider.takes(
            methods, "client_secret_basic"
        )

    def _needed(self, name: str) -> str:
        address = self._provider.address(name)
        if not address:
            raise Unavailable(f"identity: {self._issuer.url} names no {name}", hint="bedside config show")
        return address


def _extended(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""
