"""An issuer of tokens: how its tokens say for whom they are and which groups a person is in.

OpenID Connect Core 1.0, sections 2 and 3.1.3.7. Cognito differs in two ways: its access tokens name the
client in ``client_id`` and have no ``aud``, and each token says its kind in ``token_use`` ("Verifying
JSON web tokens", Amazon Cognito Developer Guide).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bedside.errors import ConfigError, NotSignedIn

_COGNITO = re.compile(
    r"https://cognito-idp\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<pool>[\w-]+)"
)
_COGNITO_GROUPS = "cognito:groups"
_HOME = frozenset({"127.0.0.1", "::1", "localhost"})
_AGAIN = "sign in again, and pass the new token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer, and whose tokens of it are for us.

    Attributes:
        url: As in ``iss``, without a slash at the end.
        clients: Client ids (audiences) whose tokens are taken.
        groups_claim: Where a token lists groups.
        keys_url: Where its keys are (JWKS); empty asks ``.well-known/openid-configuration``.
        cognito: It is a Cognito pool.
        leeway_s: By how much clocks may differ.
    """

    url: str
    clients: frozenset[str]
    groups_claim: str
    keys_url: str = ""
    cognito: bool = False
    leeway_s: int = 60

    def check_audience(self, claims: Mapping[str, object]) -> None:
        """Refuse a token that was made for others.

        Raises:
            NotSignedIn: It was.
        """
        named = claims.get("aud")
        if self.cognito:
            kind = claims.get("token_use")
            if kind not in {"id", "access"}:
                raise NotSignedIn("token: neither an id nor an access token of Cognito", hint=_AGAIN)
            named = claims.get("client_id" if kind == "access" else "aud")
        audiences = {named} if isinstance(named, str) else set(named) if isinstance(named, list) else set()
        if not audiences & self.clients:
            raise NotSignedIn(
                f"token: made for another audience, and for none of our {len(self.clients)} clients",
                hint="bedside config show",
            )

    def groups(self, claims: Mapping[str, object]) -> list[str]:
        """Return the groups that a token lists."""
        listed = claims.get(self.groups_claim)
        return [group for group in listed if isinstance(group, str)] if isinstance(listed, list) else []


def issuer_of(url: str, *, clients: tuple[str, ...], keys_url: str = "", groups_claim: str = "") -> Issuer:
    """Return the issuer of some settings.

    Raises:
        ConfigError: An address could be listened to, or no client is named, so that tokens which the
            issuer made for any other application would be taken here.
    """
    url = url.rstrip("/")
    for key, value in (("identity.issuer", url), ("identity.keys_url", keys_url)):
        if value and not is_safe(value):
            raise ConfigError(f"{key}: {value!r} is not an https:// address", hint="bedside config show")
    if not clients:
        raise ConfigError(
            "identity.clients: names no client, and tokens made for any other would do",
            hint="bedside config show",
        )
    cognito = _COGNITO.fullmatch(url) is not None
    return Issuer(
        url=url,
        clients=frozenset(clients),
        groups_claim=groups_claim or (_COGNITO_GROUPS if cognito else "groups"),
        keys_url=keys_url or (f"{url}/.well-known/jwks.json" if cognito else ""),
        cognito=cognito,
    )


def pool_of(url: str) -> tuple[str, str] | None:
    """Return the region and the id of a Cognito pool by its issuer, or None for any other issuer."""
    found = _COGNITO.fullmatch(url.rstrip("/"))
    return (found["region"], found["pool"]) if found else None


def is_safe(url: str) -> bool:
    """Whether nobody can listen to what is said at an address: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HOME)
