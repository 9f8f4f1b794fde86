"""The first page, and the answer to probes."""

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside import __version__
from bedside.domain.person import Right
from bedside.domain.tenant import path_of
from bedside.portal.access.need import Somebody
from bedside.portal.here import InHere
from bedside.portal.shell.pages import LANGUAGE_COOKIE
from bedside.portal.shell.ways import local_path

#: A choice of language is kept so long.
YEAR_S = 365 * 86400

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, here: InHere, caller: Somebody) -> Response:
    """Show the tenants that somebody may work in."""
    known = here.deployment.tenants.known
    tenants = [
        {"name": name, "path": path_of(name), "rights": [r for r in Right if caller.person.may(r, name)]}
        for name in known
    ]
    mine = [tenant for tenant in tenants if tenant["rights"]]
    return here.pages.render(request, "home/home.html", caller=caller, tenants=mine)


@router.get("/health")
def health() -> dict[str, str]:
    """Say that the portal answers; says nothing of what it holds, so nobody needs to sign in."""
    return {"status": "ok", "version": __version__}


@router.get("/language/{language}")
def speak(language: Literal["en", "es"], here: InHere, next: str = "/") -> Response:  # noqa: A002 - in the address
    """Remember a language, and go back."""
    answer = RedirectResponse(local_path(next), status_code=303)
    answer.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=YEAR_S,
        httponly=True,
        samesite="lax",
        secure=here.deployment.settings.portal.is_secure,
    )
    return answer
