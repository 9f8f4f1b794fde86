"""Accounts as people name them in a shell: by address or by id."""

from typing import TYPE_CHECKING

from bedside.domain.account import Account, email_of
from bedside.errors import NotFound

if TYPE_CHECKING:
    from bedside.people import People


def account_of(people: "People", who: str) -> Account:
    """Return the account of an address or an id.

    Raises:
        NotFound: There is none.
    """
    found = people.accounts.by_email(email_of(who)) if "@" in who else people.accounts.account(who)
    if found is None:
        raise NotFound("no such account", hint="bedside people list")
    return found
