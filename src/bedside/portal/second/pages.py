"""One's own second factor, and an administrator's way to take it from somebody who lost the phone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import Account
from bedside.domain.person import Right
from bedside.errors import TooMany
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Somebody, anywhere
from bedside.portal.here import Here, InHere
from bedside.portal.people import own
from bedside.portal.people.proof import WrongCode, WrongPassword, prove_own_code, prove_password
from bedside.portal.people.shapes import CODE_CHARACTERS
from bedside.portal.second import deeds
from bedside.portal.second.shown import set_up

router = APIRouter(include_in_schema=False)

ME = "/me/second-factor"
Code = Annotated[str, Form(max_length=CODE_CHARACTERS)]
Password = Annotated[str, Form(max_length=512)]
Administrator = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]
#: What a form says of what is refused: the key of a text.
_SAID = {
    WrongPassword: "password_wrong",  # pragma: allowlist secret
    WrongCode: "code_wrong",
    TooMany: "wait",
    deeds.Demanded: "needed",
}


@router.get(ME)
def mine(request: Request, here: InHere, caller: Somebody, done: str = "") -> Response:
    """Show whether somebody is asked for a code."""
    return _page(request, here, caller, done=done)


@router.post(f"{ME}/begin")
def begin(request: Request, here: InHere, caller: Somebody, current: Password = "") -> Response:
    """Show what the app needs, to whoever knows the password: a browser left open is not enough."""
    _own(here, caller)
    try:
        prove_password(request, here, caller, current)
    except (WrongPassword, TooMany) as wrong:
        return _page(request, here, caller, wrong=_SAID[type(wrong)])
    return _page(request, here, caller, begun=True)


@router.post(f"{ME}/confirm")
def confirm(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Confirm it by a first code, and show the recovery codes once."""
    account = _own(here, caller)
    try:
        codes = deeds.confirm(request, here, account, code)
    except (WrongCode, TooMany) as wrong:
        return _page(request, here, caller, wrong=_SAID[type(wrong)], begun=True)
    return here.pages.render(request, "second/codes.html", caller=caller, codes=codes, onward=ME)


@router.post(f"{ME}/recovery")
def renew(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Give new recovery codes to whoever brings a code; the old ones end."""
    account = _own(here, caller)
    try:
        prove_own_code(request, here, caller, account, code)
    except (WrongCode, TooMany) as wrong:
        return _page(request, here, caller, wrong=_SAID[type(wrong)])
    codes = deeds.renew(here, account)
    return here.pages.render(request, "second/codes.html", caller=caller, codes=codes, onward=ME)


@router.post(f"{ME}/remove")
def remove(request: Request, here: InHere, caller: Somebody, code: Code = "") -> Response:
    """Let somebody be asked for the password alone again, where their roles allow it."""
    account = _own(here, caller)
    try:
        deeds.check_removable(here, account)
        prove_own_code(request, here, caller, account, code)
    except (deeds.Demanded, WrongCode, TooMany) as wrong:
        return _page(request, here, caller, wrong=_SAID[type(wrong)])
    deeds.remove(here, account)
    return RedirectResponse(f"{ME}?done=removed", status_code=303)


@router.post("/admin/people/{account}/second-factor/remove")
def reset(here: InHere, caller: Administrator, account: str) -> Response:
    """Take the second factor from somebody who lost the phone and the recovery codes."""
    deeds.take(here, caller, account)
    return RedirectResponse(f"/admin/people/{account}", status_code=303)


def _own(here: Here, caller: Caller) -> Account:
    account = own.own_account(here, caller)
    own.must_be_in_a_browser(caller)
    return account


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
