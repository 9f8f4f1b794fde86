"""Who may come in: accounts and their passwords, sessions, tokens, one-time links, and who rules over whom.

Knows nothing of HTTP and of SQL: the portal and the shell ask it, a port keeps what it decides.
"""

from dataclasses import dataclass

from bedside.people.administration import Administration
from bedside.people.entering import Entering
from bedside.people.invitations import Invitations
from bedside.people.passwords import Passwords
from bedside.people.recovery import Recovery
from bedside.people.sessions import Sessions
from bedside.people.tokens import Tokens
from bedside.ports.accounts import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """All that concerns accounts.

    Attributes:
        accounts: What is kept.
        passwords: Hashes and rules.
        sessions: Browsers in which somebody is signed in.
        entering: Signing in by password, and asking for an account.
        tokens: What scripts bring.
        invitations: Links to become somebody here.
        recovery: Links to choose a new password.
        administration: What administrators do to accounts.
    """

    accounts: Accounts
    passwords: Passwords
    sessions: Sessions
    entering: Entering
    tokens: Tokens
    invitations: Invitations
    recovery: Recovery
    administration: Administration
