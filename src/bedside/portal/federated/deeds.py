"""What somebody does to the ties between their account and a provider, the same by page and by script."""

from bedside.domain.account import Account
from bedside.errors import NotFound
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.ports.signing_in import SigningIn


def provider_of(here: Here) -> SigningIn:
    """Return the provider by which browsers sign in.

    Raises:
        NotFound: None is configured.
    """
    provider = here.deployment.signing_in
    if provider is None:
        raise NotFound("nobody signs in elsewhere", hint="set identity.client_id")
    return provider


def disconnect(here: Here, account: Account) -> None:
    """Let the provider open somebody's account no more.

    Raises:
        UsageError: Nothing else would open it.
    """
    here.deployment.federation.disconnect(account)
    note(here, account.person, "identity.disconnected", object=account.id)
