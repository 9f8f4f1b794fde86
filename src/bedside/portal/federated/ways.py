"""What the page to sign in shows of the provider."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from bedside.portal.here import Here


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The provider as a button.

    Attributes:
        text: What the configuration calls it; empty is by its host.
        host: Its host.
    """

    text: str
    host: str


def way_of(here: Here) -> Way | None:
    """Return the provider's button, or None where browsers sign in only here."""
    who = here.deployment.settings.identity
    if not who.client_id:
        return None
    return Way(text=who.button, host=urlsplit(who.issuer).hostname or who.issuer)
