"""Who says who people are."""

from typing import TYPE_CHECKING

from bedside.errors import ConfigError
from bedside.ports import Clock

if TYPE_CHECKING:
    from bedside.adapters.oidc.verify import OidcIdentity
    from bedside.config import Settings


def open_identity(settings: "Settings", clock: Clock) -> "OidcIdentity | None":
    """Return what knows people by their tokens, or None where nobody signs in; nothing is asked yet.

    Raises:
        ConfigError: An address is not https, no client is named, or a package is missing.
    """
    who = settings.identity
    if not who.issuer:
        return None
    try:
        from bedside.adapters.oidc.issuer import issuer_of
        from bedside.adapters.oidc.verify import OidcIdentity
    except ImportError as exc:
        raise ConfigError(
            f"identity.issuer: tokens need the Python package {exc.name}", hint="pip install 'bedside[oidc]'"
        ) from exc
    issuer = issuer_of(who.issuer, clients=who.clients, keys_url=who.keys_url, groups_claim=who.groups_claim)
    return OidcIdentity(issuer, clock)


def identity_state(settings: "Settings") -> str:
    """Return what a check says of the issuer.

    Raises:
        ConfigError: See `open_identity`.
        Unavailable: It does not answer.
    """
    from bedside.adapters.local.clock import SystemClock

    identity = open_identity(settings, SystemClock())
    return identity.check() if identity else "nobody signs in"
