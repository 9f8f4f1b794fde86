"""One's own page: profile, password, sessions and tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.account import FIELD_CHARACTERS, Account, AddressTaken
from bedside.domain.person import Right
from bedside.errors import NotPermitted
from bedside.people.passwords import SHORTEST
from bedside.people.tokens import DAYS, MOST_DAYS, Scope
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Somebody
from bedside.portal.federated.ways import way_of
from bedside.portal.here import Here, InHere
from bedside.portal.people import own
from bedside.portal.people.filled import AboutYou, Errors, Filled, Marks, email_errors, password_errors
from bedside.portal.people.letting import let_in
from bedside.portal.people.mail import InTelling
from bedside.portal.people.nodes import nodes_of
from bedside.portal.people.proof import WrongPassword, prove_password
from bedside.portal.shell.pages import LANGUAGE_COOKIE

router = APIRouter(include_in_schema=False)
DONE = frozenset({"profile", "email", "password_own", "session", "others", "revoked"})


@router.get("/me")
def me(request: Request, here: InHere, caller: Somebody, done: str = "") -> Response:
    """Show somebody what is kept about them, and what is theirs."""
    return _page(request, here, caller, done=done if done in DONE else "")


@router.post("/me")
def described(request: Request, here: InHere, caller: Somebody, about: AboutYou) -> Response:
    """Change what somebody says of themselves."""
    if errors := about.errors():
        return _page(request, here, caller, about=about, errors=errors)
    own.describe(here, caller, about.profile())
    answer = _done("profile")
    answer.delete_cookie(LANGUAGE_COOKIE)  # what this browser was set to by hand; the account's counts now
    return answer


@router.post("/me/email")
def readdressed(
    request: Request,
    here: InHere,
    caller: Somebody,
    telling: InTelling,
    email: Annotated[str, Form()] = "",
    current: Annotated[str, Form()] = "",
) -> Response:
    """Give an account another address; the old one is told."""
    own.must_be_in_a_browser(caller)
    errors = email_errors(email)
    account = None if errors else _proven(request, here, caller, current)
    if not errors and account is None:
        errors = {"email_current": "people.password_wrong"}
    if account is not None:
        try:
            own.change_email(here, caller, telling, account, email)
        except AddressTaken:
            errors = {"email": "people.email_other"}
    if errors:
        return _page(request, here, caller, errors=errors, values={"new_email": email})
    return _done("email")


@router.post("/me/password")
def password_changed(
    request: Request,
    here: InHere,
    caller: Somebody,
    telling: InTelling,
    current: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Give an account another password; all sessions end, and this browser gets a new one."""
    own.must_be_in_a_browser(caller)
    errors = password_errors(lambda: own.check_password(here, caller, password), password, again)
    account = _proven(request, here, caller, current)
    if account is None:
        errors = {"current": "people.password_wrong", **errors}
    if errors or account is None:
        return _page(request, here, caller, errors=errors)
    after = own.change_password(here, caller, telling, account, password)
    # Whoever is signed in has brought a second factor already, where there is one.
    return let_in(request, here, after, by="password", onward="/me?done=password_own", proven=True)


@router.post("/me/sessions/others/end")
def others_ended(here: InHere, caller: Somebody) -> Response:
    """End all sessions but this one."""
    own.end_other_sessions(here, caller)
    return _done("others")


@router.post("/me/sessions/{session_id}/end")
def session_ended(here: InHere, caller: Somebody, session_id: str) -> Response:
    """End one session."""
    own.end_session(here, caller, session_id)
    return _done("session")


@router.post("/me/tokens")
def token_made(
    request: Request,
    here: InHere,
    caller: Somebody,
    token_name: Annotated[str, Form()] = "",
    days: Annotated[str, Form()] = str(DAYS),
    rights: Annotated[list[Right] | None, Form()] = None,
    nodes: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a token, and show it this once."""
    errors: Errors = {}
    if not token_name.strip() or len(token_name) > FIELD_CHARACTERS or not token_name.isprintable():
        errors["token_name"] = "people.token_name_missing"  # noqa: S105 - the key of a text
    if not days.isdecimal() or len(days) > 4 or not 1 <= int(days) <= MOST_DAYS:
        errors["days"] = "people.token_days_wrong"
    values = {"token_name": token_name, "days": days}
    if errors:
        return _page(request, here, caller, errors=errors, values=values)
    scope = Scope(
        name=token_name,
        days=int(days),
        rights=tuple(rights or ()),
        nodes=tuple(node for node in nodes or () if node),
    )
    try:
        _, secret = own.make_token(here, caller, scope)
    except NotPermitted:
        errors = {"scope": "people.token_too_wide"}
        return _page(request, here, caller, errors=errors, values=values)
    return _page(request, here, caller, values={"secret": secret})


@router.post("/me/tokens/{token_id}/revoke")
def token_revoked(here: InHere, caller: Somebody, token_id: str) -> Response:
    """End a token."""
    own.revoke_token(here, caller, token_id)
    return _done("revoked")


def _proven(request: Request, here: Here, caller: Caller, password: str) -> Account | None:
    try:
        return prove_password(request, here, caller, password)
    except WrongPassword:
        return None


def _done(what: str) -> RedirectResponse:
    return RedirectResponse(f"/me?done={what}", status_code=303)


def _page(
    request: Request,
    here: Here,
    caller: Caller,
    *,
    about: Filled | None = None,
    errors: Errors | None = None,
    done: str = "",
    values: dict[str, Any] | None = None,
) -> Response:
    account = own.own_account(here, caller)
    profile = account.profile
    shown = about or Filled(
        name=profile.name,
        department=profile.department,
        organisation=profile.organisation,
        profession=profile.profession,
        phone=profile.phone,
        language=profile.language,
    )
    rights = [right for right in Right if caller.person.nodes(right)]
    given = {"new_email": "", "token_name": "", "days": str(DAYS), "secret": "", **(values or {})}
    return here.pages.render(
        request,
        "people/me.html",
        caller=caller,
        status=422 if errors else 200,
        account=account,
        second=here.deployment.seconds.of(account) is not None,
        provider=way_of(here),
        about=shown,
        errors=Marks(errors or {}),
        done=done,
        shortest=SHORTEST,
        most_days=MOST_DAYS,
        rights=rights,
        nodes=nodes_of(here, caller.person, rights),
        sessions=own.sessions(here, caller),
        tokens=own.tokens(here, caller),
        **given,
    )
