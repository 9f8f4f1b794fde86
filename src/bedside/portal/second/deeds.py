"""What people do to their own second factor, the same by page and by script; each is noted in the trail."""

from collections.abc import Sequence

from starlette.requests import Request

from bedside.domain.account import Account
from bedside.errors import UsageError
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.people.proof import WrongCode, count_code


class Demanded(UsageError):
    """A second factor that a role demands."""

    def __init__(self) -> None:
        super().__init__(
            "a role of yours demands a second factor", hint="ask an administrator, if the phone is lost"
        )


def confirm(request: Request, here: Here, account: Account, code: str) -> Sequence[str]:
    """Confirm the one that was begun by its first code; return the recovery codes, shown this once.

    Raises:
        WrongCode: It is none of its codes, or nothing was begun.
        TooMany: There were too many tries.
    """
    count_code(request, here, account)
    codes = here.deployment.seconds.confirm(account, code)
    if codes is None:
        raise WrongCode
    note(here, account.person, "second_factor.confirmed", object=account.id)
    return codes


def renew(here: Here, account: Account) -> Sequence[str]:
    """Return new recovery codes; the old ones end. Whoever calls has asked for a code.

    Raises:
        UsageError: There is no second factor.
    """
    codes = here.deployment.seconds.renew(account)
    note(here, account.person, "second_factor.recovery_renewed", object=account.id)
    return codes


def check_removable(here: Here, account: Account) -> None:
    """Refuse before a code is used up for nothing.

    Raises:
        Demanded: A role demands it.
    """
    if here.deployment.seconds.is_needed(account):
        raise Demanded


def remove(here: Here, account: Account) -> None:
    """Ask somebody for the password alone again. Whoever calls has asked for a code.

    Raises:
        Demanded: A role demands it.
        UsageError: There is none.
    """
    check_removable(here, account)
    if here.deployment.seconds.of(account) is None:
        raise UsageError("there is no second factor")
    here.deployment.seconds.remove(account)
    note(here, account.person, "second_factor.removed", object=account.id)


def take(here: Here, caller: Caller, account_id: str) -> bool:
    """Take somebody's second factor and end their sessions, as an administrator; say whether there was one.

    Raises:
        NotFound: There is no such account that they may see.
        NotPermitted: It has roles beyond what they administer, or is their own.
    """
    people = here.deployment.people
    account = people.administration.other(caller.person, account_id)
    was = here.deployment.seconds.remove(account)
    people.accounts.end_sessions(account.id)
    note(here, caller, "second_factor.reset", object=account.id)
    return was
