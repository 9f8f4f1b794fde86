"""That an account's owner asks, and not only somebody with their session or token.

Tries count where tries to sign in do: whoever guesses here has guessed there, and the other way round.
"""

from starlette.requests import Request

from bedside.domain.account import Account
from bedside.errors import NotPermitted, NotSignedIn
from bedside.people.proved import must_hold
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.people import own
from bedside.portal.people.letting import place_of


class WrongSignIn(NotSignedIn):
    """Address and password do not go together; which of them is wrong is not said."""

    def __init__(self) -> None:
        super().__init__("e-mail address and password do not go together")


class WrongPassword(NotPermitted):
    """It is not the account's."""

    def __init__(self) -> None:
        super().__init__("the current password is another one")


class WrongCode(NotPermitted):
    """It is no code of the account's second factor, too old, or was used before."""

    def __init__(self) -> None:
        super().__init__("the code is wrong, too old, or was used before", hint="wait for the next one")


def prove_person(request: Request, here: Here, email: str, password: str) -> Account:
    """Return whose address and password these are: the one place where signing in begins.

    Raises:
        WrongSignIn: They do not go together, or the account is not active.
        TooMany: There were too many tries.
    """
    place = place_of(request)
    with here.attempts.trying(place):
        here.attempts.count(place, email)
        account = here.deployment.people.entering.enter(email, password)
        if account is None:
            here.attempts.failed(place)
    if account is None:
        note(here, None, "session.refused", detail={"by": "password"})
        raise WrongSignIn
    here.attempts.forgive(email)
    return account


def prove_password(request: Request, here: Here, caller: Caller, password: str) -> Account:
    """Return the caller's account, once they gave its password.

    Raises:
        NotFound: They have no account here.
        NotPermitted: They come by a token for less than the account: it learns nothing of the password.
        WrongPassword: It is another one.
        NotSignedIn: It was changed meanwhile.
        TooMany: There were too many tries, here or at signing in.
    """
    account = own.own_account(here, caller)
    own.must_be_whole(here, caller)
    place = place_of(request)
    with here.attempts.trying(place):
        here.attempts.count(place, account.email)
        good = here.deployment.people.entering.proves(account, password)
        if not good:
            here.attempts.failed(place)
    if not good:
        _refused(here, caller, account, "password")
        raise WrongPassword
    must_hold(here.deployment.people.accounts, account)  # checking it took a while
    here.attempts.forgive(account.email)
    return account


def prove_code(request: Request, here: Here, account: Account, code: str) -> str:
    """Use a code of an account's second factor up; return by what it was right, ``app`` or ``recovery``.

    Raises:
        WrongCode: It is none, or was used.
        TooMany: There were too many tries, here or at signing in.
    """
    count_code(request, here, account)
    by = here.deployment.seconds.accept(account, code)
    if not by:
        raise WrongCode
    here.attempts.forgive(_tried(account))
    if by == "recovery":
        note(here, account.person, "second_factor.recovery_used", object=account.id)
    return by


def count_code(request: Request, here: Here, account: Account) -> None:
    """Count a try of a code before it is made.

    Raises:
        TooMany: There were too many.
    """
    here.attempts.count(place_of(request), _tried(account))


def prove_owner(request: Request, here: Here, caller: Caller, password: str, code: str) -> Account:
    """Return the caller's account, once they gave all that signing in takes: what scripts are asked for.

    Raises:
        NotFound: They have no account here.
        NotPermitted: Their token is narrowed, or a code is needed and none came.
        WrongPassword: It is another one.
        WrongCode: There is a second factor, and it is none of its codes.
        TooMany: There were too many tries.
    """
    account = prove_password(request, here, caller, password)
    try:
        prove_second(request, here, account, code)
    except WrongCode:
        _refused(here, caller, account, "code")
        raise
    return account


def prove_own_code(request: Request, here: Here, caller: Caller, account: Account, code: str) -> None:
    """Use a code of the caller's second factor up: what pages ask somebody for who is signed in.

    Raises:
        WrongCode: It is none, or was used.
        TooMany: There were too many tries.
    """
    try:
        prove_code(request, here, account, code)
    except WrongCode:
        _refused(here, caller, account, "code")
        raise


def prove_second(request: Request, here: Here, account: Account, code: str) -> None:
    """Use a code up, where the account has a second factor.

    Raises:
        NotPermitted: It has one, and no code came.
        WrongCode: It is none of its codes.
        TooMany: There were too many tries.
    """
    if here.deployment.seconds.of(account) is None:
        return
    if not code.strip():
        raise NotPermitted(
            "the account has a second factor: its code is needed too",
            hint="send a code of the app, or a recovery code, as `code`",
        )
    prove_code(request, here, account, code)


def _refused(here: Here, caller: Caller, account: Account, by: str) -> None:
    """Note that whoever has somebody's session or token does not have the rest: it may have leaked."""
    note(here, caller, "proof.refused", object=account.id, detail={"by": by})


def _tried(account: Account) -> str:
    return f"code {account.id}"
