"""The ways to the provider and back."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.errors import (
    BedsideError,
    NotFound,
    NotSignedIn,
    TooMany,
    Unavailable,
    UsageError,
)
from bedside.people.federation import AddressInUse
from bedside.portal.access.caller import Caller, Means
from bedside.portal.access.need import Anybody, Somebody
from bedside.portal.access.trail import note
from bedside.portal.federated import deeds, errands
from bedside.portal.federated.errands import Purpose, Sent
from bedside.portal.federated.ways import way_of
from bedside.portal.here import Here, InHere
from bedside.portal.people.letting import let_in, place_of
from bedside.portal.people.own import must_be_in_a_browser, own_account
from bedside.portal.shell.ways import local_path
from bedside.ports.signing_in import Newcomer

router = APIRouter(include_in_schema=False)

BACK = "/sign-in/oidc/callback"
#: Browsers drop cookies above 4 KB, and with it goes the errand.
LONGEST_WAY = 1000
#: Longer than any code or state.
Given = Annotated[str, Query(max_length=4096)]


@router.get("/sign-in/oidc")
def begin(request: Request, here: InHere, next: str = "/") -> Response:  # noqa: A002 - in the address
    """Send a browser to the provider."""
    try:
        errand = deeds.provider_of(here).begin(_back(here))
    except Unavailable:
        return _problem(request, here, None, "down", status=503)
    answer = RedirectResponse(errand.url, status_code=303)
    onward = local_path(next) if len(next) <= LONGEST_WAY else "/"
    errands.keep(answer, Sent(errand=errand, onward=onward), here.deployment.settings.portal)
    return answer


@router.get(BACK)
def come_back(
    request: Request,
    here: InHere,
    caller: Anybody,
    code: Given = "",
    state: Given = "",
    error: Given = "",
    iss: Given = "",
) -> Response:
    """Let in, or connect, whoever comes back from the provider."""
    settings = here.deployment.settings
    provider = deeds.provider_of(here)
    try:
        here.attempts.count(place_of(request))
        sent = errands.come_back(request, state, settings.portal)
        if iss and iss.rstrip("/") != settings.identity.issuer.rstrip("/"):
            raise NotSignedIn("sign-in: the answer is of another issuer")  # RFC 9207
        if error or not code:
            return _ended(request, here, caller, "denied" if error == "access_denied" else "refused")
        newcomer = provider.finish(sent.errand, code, _back(here))
    except TooMany:
        return _problem(request, here, caller, "wait", status=429)
    except NotSignedIn as problem:
        return _ended(request, here, caller, "refused", problem)
    except Unavailable:
        return _problem(request, here, caller, "down", status=503)
    if sent.purpose is Purpose.CONNECT:
        if caller is None or caller.account != sent.account or caller.means is not Means.SESSION:
            return _ended(request, here, caller, "refused")
        answer = _connected(request, here, caller, newcomer)
    else:
        answer = _entered(request, here, caller, newcomer, sent.onward)
    errands.clear(answer, settings.portal)
    return answer


@router.get("/sign-out/oidc")
def sign_out(here: InHere) -> Response:
    """Send a browser to where it signs out of the provider too."""
    away = deeds.provider_of(here).farewell(f"{here.deployment.settings.portal.address}/sign-in")
    return RedirectResponse(away or "/sign-in", status_code=303)


@router.get("/me/oidc")
def mine(request: Request, here: InHere, caller: Somebody) -> Response:
    """Show whether the provider opens somebody's account."""
    deeds.provider_of(here)
    known = here.deployment.federation.of(caller.account)
    return here.pages.render(
        request, "federated/mine.html", caller=caller, way=way_of(here), connected=bool(known)
    )


@router.post("/me/oidc")
def connect(request: Request, here: InHere, caller: Somebody) -> Response:
    """Show the way to the provider to somebody who wants to sign in by it from now on.

    A page with a link, since a form may lead nowhere but here.
    """
    provider = deeds.provider_of(here)
    must_be_in_a_browser(caller)
    if not caller.account:
        raise UsageError("only accounts of bedside can be connected")
    try:
        errand = provider.begin(_back(here))
    except Unavailable:
        return _problem(request, here, caller, "down", status=503)
    answer = here.pages.render(
        request, "federated/connect.html", caller=caller, url=errand.url, way=way_of(here)
    )
    sent = Sent(errand=errand, purpose=Purpose.CONNECT, onward="/me", account=caller.account)
    errands.keep(answer, sent, here.deployment.settings.portal)
    return answer


@router.post("/me/oidc/disconnect")
def disconnect(here: InHere, caller: Somebody) -> Response:
    """Let the provider open somebody's account no more."""
    must_be_in_a_browser(caller)
    deeds.disconnect(here, own_account(here, caller))
    return RedirectResponse("/me/oidc", status_code=303)


def _entered(
    request: Request, here: Here, caller: Caller | None, newcomer: Newcomer, onward: str
) -> Response:
    try:
        account, made = here.deployment.federation.enter(newcomer)
    except AddressInUse as problem:
        return _ended(request, here, caller, "address", problem)
    except BedsideError as problem:
        return _ended(request, here, caller, "disabled", problem)
    if made:
        note(here, account.person, "account.made", object=account.id, detail={"by": "oidc"})
    return let_in(request, here, account, by="oidc", onward=onward, proven=True)


def _connected(request: Request, here: Here, caller: Caller, newcomer: Newcomer) -> Response:
    account = here.deployment.records.accounts.account(caller.account)
    if account is None:
        raise NotFound("no such account")
    try:
        here.deployment.federation.connect(account, newcomer)
    except UsageError as problem:
        return _ended(request, here, caller, "connected_otherwise", problem)
    note(here, account.person, "identity.connected", object=account.id)
    return RedirectResponse("/me/oidc", status_code=303)


def _ended(
    request: Request, here: Here, caller: Caller | None, kind: str, problem: BedsideError | None = None
) -> Response:
    """Note a sign-in that came to nothing, and say so."""
    detail = {"by": "oidc", "reason": problem.message if problem else kind}
    note(here, None, "session.refused", detail=detail)
    answer = _problem(request, here, caller, kind, status=401)
    errands.clear(answer, here.deployment.settings.portal)
    return answer


def _problem(request: Request, here: Here, caller: Caller | None, kind: str, *, status: int) -> Response:
    """Say what went wrong; whoever was signed in before still is."""
    return here.pages.render(request, "federated/problem.html", caller=caller, status=status, kind=kind)


def _back(here: Here) -> str:
    return here.deployment.settings.portal.address + BACK
