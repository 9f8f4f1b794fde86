"""Who says who people are."""

from typing import TYPE_CHECKING

from bedside.errors import ConfigError
from bedside.ports import Clock
from bedside.wiring.secrets import secret_of

if TYPE_CHECKING:
    from bedside.adapters.oidc.browser import OidcSigningIn
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


def open_api_identity(settings: "Settings", clock: Clock) -> "OidcIdentity | None":
    """Return what knows scripts by tokens of the issuer, or None where only browsers sign in there.

    Raises:
        ConfigError: See `open_identity`.
    """
    who = settings.identity
    return None if who.client_id and not who.clients else open_identity(settings, clock)


def open_signing_in(settings: "Settings", clock: Clock) -> "OidcSigningIn | None":
    """Return where browsers sign in besides here, or None where they do not; nothing is asked yet.

    Raises:
        ConfigError: An address is not https, no issuer is named, a secret's file cannot be read, or a package
            is missing.
    """
    who = settings.identity
    if not who.client_id:
        return None
    if not who.issuer:
        raise ConfigError(
            "identity.client_id: says who we are, and identity.issuer not where", hint="bedside config show"
        )
    try:
        from bedside.adapters.oidc.browser import BrowserClient, OidcSigningIn
        from bedside.adapters.oidc.issuer import issuer_of
    except ImportError as exc:
        raise ConfigError(
            f"identity.client_id: signing in there needs the Python package {exc.name}",
            hint="pip install 'bedside[oidc]'",
        ) from exc
    issuer = issuer_of(
        who.issuer, clients=(who.client_id,), keys_url=who.keys_url, groups_claim=who.groups_claim
    )
    client = BrowserClient(
        client_id=who.client_id,
        secret=secret_of("identity", who, "client_secret"),
        scopes=who.scopes,
        farewell_url=who.sign_out_url,
    )
    return OidcSigningIn(issuer, client, clock)


def identity_state(settings: "Settings") -> str:
    """Return what a check says of the issuer.

    Raises:
        ConfigError: See `open_identity`.
        Unavailable: It does not answer.
    """
    from bedside.adapters.local.clock import SystemClock

    clock = SystemClock()
    checked = (open_api_identity(settings, clock), open_signing_in(settings, clock))
    return "; ".join(each.check() for each in checked if each) or "nobody signs in"
