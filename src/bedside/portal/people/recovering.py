"""A password that was forgotten: asking for a link, and choosing another password by it."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.errors import NotFound, TooMany
from bedside.people.passwords import SHORTEST
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody
from bedside.portal.here import Here, InHere
from bedside.portal.people import ways
from bedside.portal.people.filled import Errors, Marks, password_errors
from bedside.portal.people.joining import dead_link
from bedside.portal.people.mail import UNTIMED

router = APIRouter(include_in_schema=False)


@router.get("/recover")
def recover(request: Request, here: InHere, _: Anybody) -> Response:
    """Ask for an address, or say who can help where no mail can be sent."""
    return _page(request, here)


@router.post("/recover")
def recovering(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    background: BackgroundTasks,
    email: Annotated[str, Form()] = "",
) -> Response:
    """Send a link, if the address has an account; the answer does not say whether, nor does its time."""
    try:
        ways.ask_recovery(request, here, background, email)
    except TooMany as many:
        wait = max(1, round(many.retry_after_s / 60))
        headers = {"Retry-After": str(many.retry_after_s)}
        return _page(request, here, status=429, wait_min=wait, headers=headers)
    return _page(request, here, sent=True, headers=UNTIMED)


@router.get("/recover/{token}")
def choose(request: Request, here: InHere, _: Anybody, token: str) -> Response:
    """Ask for another password."""
    try:
        account = ways.look_recovery(request, here, token)
    except NotFound:
        return dead_link(request, here)
    return _choose_page(request, here, account.email)


@router.post("/recover/{token}")
def chosen_anew(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    token: str,
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Give the account its other password; whoever has it signs in with it."""
    try:
        account = ways.look_recovery(request, here, token)
    except NotFound:
        return dead_link(request, here)
    check = here.deployment.people.entering.check
    errors = password_errors(lambda: check(password, account.email, account.profile.name), password, again)
    if errors:
        return _choose_page(request, here, account.email, errors)
    ways.choose(here, account, token, password)
    return RedirectResponse("/sign-in?done=password", status_code=303)


def _choose_page(request: Request, here: Here, email: str, errors: Errors | None = None) -> Response:
    return here.pages.render(
        request,
        "people/choose.html",
        status=422 if errors else 200,
        email=email,
        errors=Marks(errors or {}),
        shortest=SHORTEST,
    )


def _page(
    request: Request,
    here: Here,
    *,
    status: int = 200,
    sent: bool = False,
    wait_min: int = 0,
    headers: dict[str, str] | None = None,
) -> Response:
    return here.pages.render(
        request,
        "people/recover.html",
        status=status,
        headers=headers,
        sent=sent,
        wait_min=wait_min,
        by_mail=here.deployment.mailer is not None,
    )
