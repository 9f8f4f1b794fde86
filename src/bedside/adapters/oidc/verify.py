"""Verifies tokens: signature first, then for whom, from whom and until when; then whose groups.

Refuses every algorithm but public-key signatures: "none" and shared secrets are how tokens are forged
(RFC 8725). Nothing of a token stands in a message, since whoever reads a log could use it.
"""

from collections.abc import Mapping

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import GuestProtocol

from bedside.adapters.oidc.issuer import Issuer
from bedside.adapters.oidc.keys import IssuerKeys, Key
from bedside.domain.person import Person, posts_of
from bedside.errors import NotSignedIn
from bedside.ports import Clock

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")
#: Longer than any token with a hundred groups in it.
_LONGEST = 32_768
_AGAIN = "sign in again, and pass the new token"


class OidcIdentity:
    """People by the tokens of one issuer.

    Args:
        issuer: Who.
        clock: The time.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys = IssuerKeys(issuer, clock)

    def verify(self, token: str) -> Person:
        """Return whose token it is. See `bedside.ports.identity.Identity.verify`."""
        claims = self.claims(token)
        return Person(subject=str(claims["sub"]), posts=posts_of(self._issuer.groups(claims)))

    def claims(self, token: str) -> Mapping[str, object]:
        """Return what a token says, once its signature, issuer, audience and times were checked.

        Raises:
            NotSignedIn: See `verify`.
            Unavailable: See `verify`.
        """
        if len(token) > _LONGEST:
            raise NotSignedIn(f"token: {len(token)} characters, at most {_LONGEST}", hint=_AGAIN)
        claims = self._signed(token.strip())
        try:
            jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                leeway=self._issuer.leeway_s,
                exp={"essential": True},
                sub={"essential": True},
                iss={"essential": True},
            ).validate(claims)
        except ExpiredTokenError as exc:
            raise NotSignedIn("token: expired", hint=_AGAIN) from exc
        except JoseError as exc:
            raise NotSignedIn(f"token: a claim is missing or wrong ({exc.error})", hint=_AGAIN) from exc
        if str(claims["iss"]).rstrip("/") != self._issuer.url:
            raise NotSignedIn("token: of another issuer", hint="bedside config show")
        self._issuer.check_audience(claims)
        return claims

    def check(self) -> str:
        """Return in words whose tokens are taken, once the issuer answered.

        Raises:
            Unavailable: It does not.
        """
        keys, clients = self._keys.count(), len(self._issuer.clients)
        return f"{self._issuer.url} has {keys} keys; tokens of {clients} clients are taken"

    def _signed(self, token: str) -> dict[str, object]:
        """Return the claims of a token whose signature is the issuer's."""
        try:
            claims = jwt.decode(token, self._key, algorithms=list(_ALGORITHMS)).claims
        except (JoseError, ValueError, TypeError, KeyError) as exc:
            raise NotSignedIn(
                f"token: it is none, or was altered ({type(exc).__name__})", hint=_AGAIN
            ) from None
        return dict(claims)

    def _key(self, token: GuestProtocol) -> Key:
        return self._keys.find(str(token.headers().get("kid", "")))
