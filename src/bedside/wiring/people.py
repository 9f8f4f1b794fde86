"""Who may come in: the parts put together."""

from typing import TYPE_CHECKING

from bedside.ports import Clock
from bedside.ports.accounts import Accounts

if TYPE_CHECKING:
    from bedside.config.portal import PortalSettings
    from bedside.people import People
    from bedside.people.passwords import Passwords


def open_people(
    accounts: Accounts,
    clock: Clock,
    settings: "PortalSettings",
    passwords: "Passwords | None" = None,  # pragma: allowlist secret
) -> "People":
    """Return what decides about accounts.

    Args:
        accounts: Keeps them.
        clock: The time.
        settings: How long sessions last.
        passwords: Hashes them; None takes Argon2's usual costs.
    """
    from bedside.people import People
    from bedside.people.administration import Administration
    from bedside.people.entering import Entering
    from bedside.people.invitations import Invitations
    from bedside.people.links import Links
    from bedside.people.passwords import Passwords as Argon2Passwords
    from bedside.people.recovery import Recovery
    from bedside.people.sessions import Sessions
    from bedside.people.tokens import Tokens

    passwords, links = passwords or Argon2Passwords(), Links(accounts, clock)
    entering = Entering(accounts, passwords, clock)
    return People(
        accounts=accounts,
        passwords=passwords,
        sessions=Sessions(
            accounts, clock, idle_s=settings.session_idle_s, longest_s=settings.session_longest_s
        ),
        entering=entering,
        tokens=Tokens(accounts, clock),
        invitations=Invitations(accounts, links, passwords, entering, clock),
        recovery=Recovery(accounts, links, entering),
        administration=Administration(accounts),
    )
