"""Whether what somebody proved still holds at the moment they are let in by it.

Checking a password takes a tenth of a second, and longer where many wait. Whoever knows the old one and asks
without a pause would be let in just after it was changed, by what ends with a change made before.
"""

from bedside.domain.account import Account, AccountState
from bedside.errors import NotSignedIn
from bedside.ports.accounts import Accounts


def must_hold(accounts: Accounts, account: Account) -> None:
    """Refuse somebody whose password was changed, or whose account was disabled, since they proved it.

    Called after what lets them in was written down. A change is written before all that is written down ends,
    so that either the change is seen here, or what was written down is seen there.

    Args:
        accounts: Keeps them.
        account: As it was when they proved that it is theirs.

    Raises:
        NotSignedIn: It is so.
    """
    now = accounts.account(account.id)
    if now is None or now.password != account.password or now.state is not AccountState.ACTIVE:
        raise NotSignedIn("the account was changed at this moment", hint="sign in again")
