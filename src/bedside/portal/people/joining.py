"""The first administrator's link."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.account import email_of
from bedside.domain.person import PersonRole
from bedside.people import People
from bedside.people.passwords import SHORTEST
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.people.filled import AboutYou, Errors, Filled, email_errors, password_errors
from bedside.portal.people.letting import let_in, place_of

router = APIRouter(include_in_schema=False)
#: A form nobody filled in yet.
NOTHING = Filled()
#: What the first administrator may be besides; a machine of one's own is mostly one person's.
ALSO = (PersonRole.CLINICIAN, PersonRole.ENGINEER)


@router.get("/first/{token}")
def first(request: Request, here: InHere, _: Anybody, token: str) -> Response:
    """Ask the first administrator who they are."""
    here.deployment.people.invitations.look_first(token)
    return _page(request, here, "first", values={"also": True})


@router.post("/first/{token}")
def first_made(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    token: str,
    about: AboutYou,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
    also: Annotated[bool, Form()] = False,
) -> Response:
    """Make the first administrator's account, and let them in."""
    here.attempts.count(place_of(request))
    people = here.deployment.people
    people.invitations.look_first(token)
    errors = about.errors() | email_errors(email) | _password(people, about, email, password, again)
    if not errors and people.accounts.by_email(email_of(email)) is not None:
        errors = {"email": "people.email_taken"}
    if errors:
        return _page(
            request, here, "first", about=about, errors=errors, values={"email": email, "also": also}
        )
    account = people.invitations.join_first(
        token,
        email=email,
        profile=about.profile(),
        password=password,
        roles=ALSO if also else (),
    )
    note(here, account.person, "account.made", object=account.id, detail={"by": "first link"})
    return let_in(request, here, account, by="first link")


def _password(people: People, about: Filled, email: str, password: str, again: str) -> Errors:
    return password_errors(lambda: people.entering.check(password, email, about.name), password, again)


def _page(
    request: Request,
    here: Here,
    kind: str,
    *,
    about: Filled | None = None,
    errors: Errors | None = None,
    values: Mapping[str, Any] | None = None,
) -> Response:
    return here.pages.render(
        request,
        f"people/{kind}.html",
        status=422 if errors else 200,
        about=about or NOTHING,
        errors=errors or {},
        shortest=SHORTEST,
        **{"email": "", **(values or {})},
    )
