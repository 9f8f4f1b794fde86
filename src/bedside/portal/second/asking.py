"""The question for a code after the password, and setting up where a role demands it."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import Account, Link
from bedside.errors import NotSignedIn, TooMany
from bedside.portal.access import halfway
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.people.letting import let_in
from bedside.portal.people.proof import WrongCode, prove_code
from bedside.portal.second import deeds
from bedside.portal.second.shown import set_up
from bedside.portal.shell.ways import local_path

router = APIRouter(include_in_schema=False)

Code = Annotated[str, Form(max_length=40)]
Onward = Annotated[str, Form(max_length=2000)]


@router.get(halfway.ASKS)
def ask(request: Request, here: InHere, next: str = "/") -> Response:  # noqa: A002 - in the address
    """Ask for a code, or show how to set one up."""
    try:
        _, account = halfway.whose(request, here)
    except NotSignedIn:
        return RedirectResponse("/sign-in", status_code=303)
    return _page(request, here, account, onward=next)


@router.post(halfway.ASKS)
def answered(
    request: Request,
    here: InHere,
    _: OwnForm,
    code: Code = "",
    next: Onward = "/",  # noqa: A002 - in the form
) -> Response:
    """Let in whoever brings a right code, or confirms a first one."""
    try:
        link, account = halfway.whose(request, here)
    except NotSignedIn:
        return RedirectResponse("/sign-in", status_code=303)
    try:
        if here.deployment.seconds.of(account) is None:
            return _first(request, here, link, account, code, next)
        by = prove_code(request, here, account, code)
    except TooMany as many:
        wait = max(1, round(many.retry_after_s / 60))
        return _page(request, here, account, onward=next, status=429, wait_min=wait)
    except WrongCode:
        note(here, None, "session.refused", object=account.id, detail={"by": "code"})
        return _page(request, here, account, onward=next, status=401, wrong=True)
    answer = let_in(
        request, here, account, by=f"{link.made_by}, {by} code", onward=local_path(next), proven=True
    )
    halfway.arrived(here, link, answer)
    return answer


def _first(request: Request, here: Here, link: Link, account: Account, code: str, onward: str) -> Response:
    """Confirm a second factor that a role demands, let in, and show the recovery codes."""
    codes = deeds.confirm(request, here, account, code)
    inside = let_in(request, here, account, by=f"{link.made_by}, first code", proven=True)
    answer = here.pages.render(request, "second/codes.html", codes=codes, onward=local_path(onward))
    answer.raw_headers.extend(pair for pair in inside.raw_headers if pair[0] == b"set-cookie")
    halfway.arrived(here, link, answer)
    return answer


def _page(
    request: Request,
    here: Here,
    account: Account,
    *,
    onward: str,
    status: int = 200,
    wrong: bool = False,
    wait_min: int = 0,
) -> Response:
    confirmed = here.deployment.seconds.of(account) is not None
    return here.pages.render(
        request,
        "second/ask.html",
        status=status,
        setup=None if confirmed else set_up(here, account),
        next=local_path(onward),
        wrong=wrong,
        wait_min=wait_min,
    )
