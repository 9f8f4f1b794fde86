"""Asking for an account, where the settings let people do so; an administrator approves it."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import Account, AccountState, email_of
from bedside.domain.tenant import holds, name_of
from bedside.errors import NotFound, UsageError
from bedside.people.administration import rules
from bedside.people.attempts import network_of
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.people.filled import AboutYou, email_errors
from bedside.portal.people.joining import form_page, new_password_errors
from bedside.portal.people.letting import place_of
from bedside.portal.people.mail import UNTIMED, link_to, send, tell, written
from bedside.portal.shell.words import Words, chosen
from bedside.ports.accounts import AccountFilter

router = APIRouter(include_in_schema=False)
#: Administrators who are told that somebody asks.
TOLD = 20


@router.get("/join")
def ask(request: Request, here: InHere, _: Anybody, at: str = "") -> Response:
    """Ask somebody who they are and where they work."""
    _must_be_open(here)
    return form_page(request, here, "ask", values={"at": at})


@router.post("/join")
def asked(
    request: Request,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    background: BackgroundTasks,
    about: AboutYou,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
    at: Annotated[str, Form()] = "",
) -> Response:
    """Keep what somebody asks for until an administrator looks at it.

    The answer is the same where the address has an account: only its owner learns of it, by mail.
    """
    _must_be_open(here)
    place = place_of(request)
    # Each that is kept is mail to administrators, so that few are enough, also for one who meant no harm.
    here.attempts.count(place, f"ask {network_of(place)}")
    people = here.deployment.people
    errors = about.errors() | email_errors(email) | new_password_errors(people, about, email, password, again)
    if errors:
        return form_page(request, here, "ask", about, errors, values={"email": email, "at": at})
    words = here.pages.words(request)
    account = people.entering.ask(email, about.profile(), password, wish=_node(here, at))
    if account is None:
        tell(background, here, email_of(email), words, "known", link=link_to(here, "/sign-in"))
    else:
        note(here, account.person, "account.asked", object=account.id, tenant=account.wish)
        background.add_task(_tell_administrators, here, account)
    return RedirectResponse("/sign-in?done=asked", status_code=303, headers=UNTIMED)


def _tell_administrators(here: Here, account: Account) -> None:
    """Write to those who may let somebody in; after the answer, which must not take longer by it."""
    mailer = here.deployment.mailer
    if mailer is None:
        return
    link = link_to(here, f"/admin/people/{account.id}")
    admins = here.deployment.people.accounts.find(AccountFilter(state=AccountState.ACTIVE), limit=1000)
    for admin in [a for a in admins if rules(a.person, account)][:TOLD]:
        words = Words(chosen(admin.profile.language, ""))
        send(here, mailer, written(words, admin.email, "asked", link=link), "asked")


def _must_be_open(here: Here) -> None:
    if not here.deployment.settings.portal.sign_up:
        raise NotFound(
            "nobody can ask for an account here",
            hint="an administrator invites you; ask one of your department",
        )


def _node(here: Here, at: str) -> str:
    """Return the node that an address names, where there is such a one; nobody is told whether."""
    try:
        node = name_of(at)
    except UsageError:
        return ""
    return node if any(holds(node, known) for known in here.deployment.tenants.known) else ""
