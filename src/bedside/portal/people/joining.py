"""Becoming somebody here: the first administrator's link, and invitations."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import email_of
from bedside.domain.person import PersonRole
from bedside.errors import NotFound
from bedside.people import People
from bedside.people.passwords import SHORTEST
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody, Somebody
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.people import own
from bedside.portal.people.filled import AboutYou, Errors, Filled, Marks, email_errors, password_errors
from bedside.portal.people.letting import let_in, place_of

router = APIRouter(include_in_schema=False)
#: A form nobody filled in yet.
NOTHING = Filled()
#: What the first administrator may be besides; a machine of one's own is mostly one person's.
ALSO = (PersonRole.CLINICIAN, PersonRole.ENGINEER)


@router.get("/first/{token}")
def first(request: Request, here: InHere, _: Anybody, token: str) -> Response:
    """Ask the first administrator who they are."""
    here.attempts.count(place_of(request))
    try:
        here.deployment.people.invitations.look_first(token)
    except NotFound:
        return dead_link(request, here)
    return form_page(request, here, "first", values={"also": True})


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
    try:
        people.invitations.look_first(token)
    except NotFound:
        return dead_link(request, here)
    errors = about.errors() | email_errors(email) | new_password_errors(people, about, email, password, again)
    if not errors and people.accounts.by_email(email_of(email)) is not None:
        errors = {"email": "people.email_taken"}
    if errors:
        return form_page(request, here, "first", about, errors, values={"email": email, "also": also})
    account = people.invitations.join_first(
        token, email=email, profile=about.profile(), password=password, roles=ALSO if also else ()
    )
    note(here, account.person, "account.made", object=account.id, detail={"by": "first link"})
    return let_in(request, here, account, by="first link")


@router.get("/join/{token}")
def join(request: Request, here: InHere, caller: Anybody, token: str) -> Response:
    """Show what somebody is invited to, and ask who they are, or whether they accept."""
    here.attempts.count(place_of(request))
    people = here.deployment.people
    try:
        link = people.invitations.look(token)
    except NotFound:
        return dead_link(request, here)
    known = people.accounts.by_email(link.email)
    if known is None and caller is None:
        return form_page(request, here, "join", values={"email": link.email, "posts": link.posts})
    mine = caller is not None and known is not None and caller.account == known.id
    return here.pages.render(
        request,
        "people/accept.html",
        caller=caller,
        token=token,
        posts=link.posts,
        email=link.email,
        mine=mine,
    )


@router.post("/join/{token}")
def joined(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    token: str,
    about: AboutYou,
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Make the account of somebody who was invited, and let them in."""
    here.attempts.count(place_of(request))
    people = here.deployment.people
    try:
        link = people.invitations.look(token)
    except NotFound:
        return dead_link(request, here)
    errors = about.errors() | new_password_errors(people, about, link.email, password, again)
    if errors:
        return form_page(
            request, here, "join", about, errors, values={"email": link.email, "posts": link.posts}
        )
    account = people.invitations.join(token, profile=about.profile(), password=password)
    note(here, account.person, "account.made", object=account.id, detail={"by": "invitation", "of": link.id})
    return let_in(request, here, account, by="invitation")


@router.post("/join/{token}/accept")
def accepted(here: InHere, caller: Somebody, token: str) -> Response:
    """Give somebody who has an account the roles that they are invited to."""
    people = here.deployment.people
    account = people.accounts.account(caller.account)
    if account is None:
        raise NotFound("this invitation is for another address")
    own.must_be_whole(here, caller)
    link = people.invitations.look(token)
    people.invitations.accept(token, account)
    note(here, caller, "invitation.accepted", object=link.id)
    return RedirectResponse("/", status_code=303)


def dead_link(request: Request, here: Here) -> Response:
    """Say that a link does not work, and what to do, to somebody who came by a mail of last month."""
    return here.pages.render(request, "people/dead_link.html", status=404)


def new_password_errors(people: People, about: Filled, email: str, password: str, again: str) -> Errors:
    """Return what is wrong with the password of somebody new."""
    return password_errors(lambda: people.entering.check(password, email, about.name), password, again)


def form_page(
    request: Request,
    here: Here,
    kind: str,
    about: Filled = NOTHING,
    errors: Errors | None = None,
    *,
    values: Mapping[str, Any] | None = None,
) -> Response:
    """Return a form, with what is wrong in it."""
    return here.pages.render(
        request,
        f"people/{kind}.html",
        status=422 if errors else 200,
        about=about,
        errors=Marks(errors or {}),
        shortest=SHORTEST,
        **{"email": "", **(values or {})},
    )
