"""One's own second factor, and an administrator's way to take it from somebody who lost the phone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import Account
from bedside.domain.person import Right
from bedside.errors import NotFound, TooMany
from bedside.portal.access.caller import Caller, Means
from bedside.portal.access.need import Somebody, anywhere
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.people.letting import place_of
from bedside.portal.second.shown import set_up

router = APIRouter(include_in_schema=False)

ME = "/me/second-factor"
Code = Annotated[str, Form(max_length=40)]
Password = Annotated[str, Form(max_length=512)]
Administrator = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]


@router.get(ME)
def mine(request: Request, here: InHere, caller: Somebody, done: str = "") -> Response:
    """Show whether somebody is asked for a code."""
    return _page(request, here, caller, done=done)


@router.post(f"{ME}/begin")
def begin(request: Request, here: InHere, caller: Somebody, current: Password = "") -> Response:
    """Show what the app needs, to whoever knows the password: a browser left open is not enough."""
    account = _own(here, caller)
    wrong = _counted(request, here, account)
    if not wrong and not here.deployment.people.entering.proves(account, current):
        wrong = "password_wrong"
    if wrong:
        return _page(request, here, caller, wrong=wrong)
    return _page(request, here, caller, begun=True)


@router.post(f"{ME}/confirm")
def confirm(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Confirm it by a first code, and show the recovery codes once."""
    account = _own(here, caller)
    wrong = _counted(request, here, account)
    codes = None if wrong else here.deployment.seconds.confirm(account, code)
    if codes is None:
        return _page(request, here, caller, wrong=wrong or "code_wrong", begun=True)
    note(here, caller, "second_factor.confirmed", object=account.id)
    return here.pages.render(request, "second/codes.html", caller=caller, codes=codes, onward=ME)


@router.post(f"{ME}/recovery")
def renew(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Give new recovery codes to whoever brings a code; the old ones end."""
    account = _own(here, caller)
    wrong = _counted(request, here, account)
    if wrong or not here.deployment.seconds.accept(account, code):
        return _page(request, here, caller, wrong=wrong or "code_wrong")
    codes = here.deployment.seconds.renew(account)
    note(here, caller, "second_factor.recovery_renewed", object=account.id)
    return here.pages.render(request, "second/codes.html", caller=caller, codes=codes, onward=ME)


@router.post(f"{ME}/remove")
def remove(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Let somebody be asked for the password alone again, where their roles allow it."""
    account = _own(here, caller)
    seconds = here.deployment.seconds
    wrong = _counted(request, here, account)
    if not wrong and seconds.is_needed(account):
        wrong = "needed"
    if wrong or not seconds.accept(account, code):
        return _page(request, here, caller, wrong=wrong or "code_wrong")
    seconds.remove(account)
    note(here, caller, "second_factor.removed", object=account.id)
    return RedirectResponse(f"{ME}?done=removed", status_code=303)


@router.post("/admin/people/{account}/second-factor/remove")
def reset(here: InHere, caller: Administrator, account: str) -> Response:
    """Take the second factor from somebody who lost the phone and the recovery codes."""
    taken(here, caller, account)
    return RedirectResponse(f"/admin/people/{account}", status_code=303)


def taken(here: Here, caller: Caller, account_id: str) -> bool:
    """Take somebody's second factor and end their sessions, as an administrator; say whether there was one.

    Raises:
        NotFound: There is no such account that they may see.
        NotPermitted: It has roles beyond what they administer.
    """
    people = here.deployment.people
    account = people.administration.whole(caller.person, account_id)
    was = here.deployment.seconds.remove(account)
    people.accounts.end_sessions(account.id)
    note(here, caller, "second_factor.reset", object=account.id)
    return was


def _own(here: Here, caller: Caller) -> Account:
    account = here.deployment.records.accounts.account(caller.account) if caller.account else None
    if account is None or caller.means is not Means.SESSION:
        raise NotFound("only somebody who is signed in to an account, in a browser, has a second factor here")
    return account


def _counted(request: Request, here: Here, account: Account) -> str:
    try:
        here.attempts.count(place_of(request), f"code {account.id}")
    except TooMany:
        return "wait"
    return ""


def _page(
    request: Request, here: Here, caller: Caller, *, done: str = "", wrong: str = "", begun: bool = False
) -> Response:
    account, seconds = _own(here, caller), here.deployment.seconds
    factor = seconds.of(account)
    return here.pages.render(
        request,
        "second/mine.html",
        caller=caller,
        status=400 if wrong else 200,
        factor=factor,
        setup=set_up(here, account) if begun and factor is None else None,
        needed=seconds.is_needed(account),
        has_password=bool(account.password),
        done=done if done == "removed" else "",
        wrong=wrong,
    )
