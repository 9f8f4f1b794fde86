"""The pages on which somebody becomes somebody here: the first administrator's link, invitations, asking."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import email_of
from bedside.errors import NotFound
from bedside.people import People
from bedside.people.passwords import SHORTEST
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody, Somebody
from bedside.portal.here import Here, InHere
from bedside.portal.people import ways
from bedside.portal.people.filled import AboutYou, Errors, Filled, Marks, email_errors, password_errors
from bedside.portal.people.letting import let_in
from bedside.portal.people.mail import UNTIMED, InTelling

router = APIRouter(include_in_schema=False)
#: A form nobody filled in yet.
NOTHING = Filled()

Typed = Annotated[str, Form()]


@router.get("/first/{token}")
def first(request: Request, here: InHere, _: Anybody, token: str) -> Response:
    """Ask the first administrator who they are."""
    try:
        ways.look_first(request, here, token)
    except NotFound:
        return dead_link(request, here)
    return _form(request, here, "first", values={"also": True})


@router.post("/first/{token}")
def first_made(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    token: str,
    about: AboutYou,
    email: Typed = "",
    password: Typed = "",
    again: Typed = "",
    also: Annotated[bool, Form()] = False,
) -> Response:
    """Make the first administrator's account, and let them in."""
    people = here.deployment.people
    try:
        ways.look_first(request, here, token)
    except NotFound:
        return dead_link(request, here)
    errors = about.errors() | email_errors(email) | _password_errors(people, about, email, password, again)
    if not errors and people.accounts.by_email(email_of(email)) is not None:
        errors = {"email": "people.email_taken"}
    if errors:
        return _form(request, here, "first", about, errors, values={"email": email, "also": also})
    newcomer = ways.Newcomer(email=email, profile=about.profile(), password=password)
    return let_in(request, here, ways.join_first(here, token, newcomer, also=also), by="first link")


@router.get("/join/{token}")
def join(request: Request, here: InHere, caller: Anybody, token: str) -> Response:
    """Show what somebody is invited to, and ask who they are, or whether they accept."""
    try:
        link = ways.look_invitation(request, here, token)
    except NotFound:
        return dead_link(request, here)
    known = here.deployment.people.accounts.by_email(link.email)
    if known is None and caller is None:
        return _form(request, here, "join", values={"email": link.email, "posts": link.posts})
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
    password: Typed = "",
    again: Typed = "",
) -> Response:
    """Make the account of somebody who was invited, and let them in."""
    try:
        link = ways.look_invitation(request, here, token)
    except NotFound:
        return dead_link(request, here)
    people = here.deployment.people
    errors = about.errors() | _password_errors(people, about, link.email, password, again)
    if errors:
        values = {"email": link.email, "posts": link.posts}
        return _form(request, here, "join", about, errors, values=values)
    account = ways.join(here, link, token, about.profile(), password)
    return let_in(request, here, account, by="invitation")


@router.post("/join/{token}/accept")
def accepted(here: InHere, caller: Somebody, token: str) -> Response:
    """Give somebody who has an account the roles that they are invited to."""
    ways.accept(here, caller, token)
    return RedirectResponse("/", status_code=303)


@router.get("/join")
def ask(request: Request, here: InHere, _: Anybody, at: str = "") -> Response:
    """Ask somebody who they are and where they work."""
    ways.must_be_open(here)
    return _form(request, here, "ask", values={"at": at})


@router.post("/join")
def asked(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    telling: InTelling,
    about: AboutYou,
    email: Typed = "",
    password: Typed = "",
    again: Typed = "",
    at: Typed = "",
) -> Response:
    """Keep what somebody asks for; the answer is the same where the address has an account."""
    ways.may_ask(request, here)
    people = here.deployment.people
    errors = about.errors() | email_errors(email) | _password_errors(people, about, email, password, again)
    if errors:
        return _form(request, here, "ask", about, errors, values={"email": email, "at": at})
    newcomer = ways.Newcomer(email=email, profile=about.profile(), password=password)
    ways.ask(here, telling, newcomer, at)
    return RedirectResponse("/sign-in?done=asked", status_code=303, headers=UNTIMED)


def dead_link(request: Request, here: Here) -> Response:
    """Say that a link does not work, and what to do, to somebody who came by a mail of last month."""
    return here.pages.render(request, "people/dead_link.html", status=404)


def _password_errors(people: People, about: Filled, email: str, password: str, again: str) -> Errors:
    return password_errors(lambda: people.entering.check(password, email, about.name), password, again)


def _form(
    request: Request,
    here: Here,
    kind: str,
    about: Filled = NOTHING,
    errors: Errors | None = None,
    *,
    values: Mapping[str, Any],
) -> Response:
    """Return the form of a newcomer, with what is wrong in it.

    Args:
        request: What is answered.
        here: The portal.
        kind: By which way they come: ``first``, ``join`` or ``ask``; texts are called so.
        about: What they filled in.
        errors: What is wrong.
        values: What else the form shows.
    """
    given = {"email": "", "posts": (), "also": False, "at": "", **values}
    return here.pages.render(
        request,
        "people/newcomer.html",
        status=422 if errors else 200,
        kind=kind,
        about=about,
        errors=Marks(errors or {}),
        shortest=SHORTEST,
        **given,
    )
