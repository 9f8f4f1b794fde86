"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.errors import TooMany
from bedside.portal.access import cookie
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody
from bedside.portal.access.trail import note
from bedside.portal.federated.ways import way_of
from bedside.portal.here import Here, InHere
from bedside.portal.people.letting import let_in
from bedside.portal.people.proof import WrongSignIn, prove_person
from bedside.portal.shell.ways import local_path

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in(request: Request, here: InHere, caller: Anybody, next: str = "/", done: str = "") -> Response:  # noqa: A002
    """Ask who somebody is."""
    if caller is not None:
        return RedirectResponse(local_path(next), status_code=303)
    return _page(request, here, onward=next, done=done)


@router.post("/sign-in")
def signed_in(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - in the form
) -> Response:
    """Let somebody in, or say that the two do not go together, and not which of them is wrong."""
    try:
        account = prove_person(request, here, email, password)
    except TooMany as many:
        headers = {"Retry-After": str(many.retry_after_s)}
        wait = max(1, round(many.retry_after_s / 60))
        return _page(request, here, email=email, onward=next, status=429, headers=headers, wait_min=wait)
    except WrongSignIn:
        return _page(request, here, email=email, onward=next, status=401, wrong=True)
    return let_in(request, here, account, by="password", onward=next)


@router.post("/sign-out")
def signed_out(request: Request, here: InHere, caller: Anybody, _: OwnForm) -> Response:
    """End the session; also where it has ended already."""
    settings = here.deployment.settings.portal
    secret = cookie.read(request, settings)
    if secret and caller is not None:
        note(here, caller, "session.ended", object=caller.credential)
    if secret:
        here.deployment.people.sessions.end(secret)
    answer = RedirectResponse("/sign-in?done=out", status_code=303)
    cookie.clear(answer, settings)
    # What a browser still keeps of the pages: the next person at it must not find it by going back.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _page(
    request: Request,
    here: Here,
    *,
    email: str = "",
    onward: str = "/",
    status: int = 200,
    headers: dict[str, str] | None = None,
    wrong: bool = False,
    wait_min: int = 0,
    done: str = "",
) -> Response:
    deployment = here.deployment
    return here.pages.render(
        request,
        "people/sign_in.html",
        status=status,
        headers=headers,
        email=email,
        next=local_path(onward),
        wrong=wrong,
        wait_min=wait_min,
        done=done if done in {"out", "password", "asked"} else "",
        nobody=not deployment.people.accounts.has_root_admin(),
        sign_up=deployment.settings.portal.sign_up,
        provider=way_of(here),
    )
