"""The ways to an account for scripts: links, asking for an account, a forgotten password.

The addresses are those of the links with `/api/v1` before their path. A link's secret is the proof, so no
token is asked for; what comes from a page of another site is refused, as on the pages.
"""

from typing import Any, Final

from fastapi import APIRouter, BackgroundTasks, Request, Response

from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody, Somebody
from bedside.portal.here import InHere
from bedside.portal.people import ways
from bedside.portal.people.mail import UNTIMED, InTelling
from bedside.portal.people.shapes import AccountShape, account_shape
from bedside.portal.people.ways_shapes import (
    AskedAccount,
    AskedShape,
    ChosenPassword,
    FirstAccount,
    Forgot,
    InvitedAccount,
    InvitedShape,
    RecoveredShape,
    invited_shape,
)

router = APIRouter(prefix="/api/v1", tags=["ways in"])
#: In the document: no token is needed.
_OPEN: Final[dict[str, Any]] = {"security": []}


@router.post("/first/{token}", status_code=201, openapi_extra=_OPEN)
def first(
    request: Request, here: InHere, _: Anybody, __: OwnForm, token: str, new: FirstAccount
) -> AccountShape:
    """Make the first administrator's account, by the link that the first start printed."""
    ways.look_first(request, here, token)
    newcomer = ways.Newcomer(email=new.email, profile=new.profile.profile(), password=new.password)
    return account_shape(ways.join_first(here, token, newcomer, also=new.clinician_and_engineer))


@router.post("/join", status_code=202, openapi_extra=_OPEN)
def ask(
    request: Request,
    response: Response,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    new: AskedAccount,
    telling: InTelling,
) -> AskedShape:
    """Ask for an account, where the settings let people do so; an administrator looks at it.

    The answer is the same for an address that has an account: only its owner learns of it, by mail.
    """
    ways.may_ask(request, here)
    newcomer = ways.Newcomer(email=new.email, profile=new.profile.profile(), password=new.password)
    ways.ask(here, telling, newcomer, new.at)
    response.headers.update(UNTIMED)
    return AskedShape(by_mail=here.deployment.mailer is not None)


@router.get("/join/{token}", openapi_extra=_OPEN)
def invitation(request: Request, here: InHere, _: Anybody, token: str) -> InvitedShape:
    """Show what somebody is invited to."""
    return invited_shape(ways.look_invitation(request, here, token))


@router.post("/join/{token}", status_code=201, openapi_extra=_OPEN)
def join(
    request: Request, here: InHere, _: Anybody, __: OwnForm, token: str, new: InvitedAccount
) -> AccountShape:
    """Make the account of somebody who was invited."""
    link = ways.look_invitation(request, here, token)
    return account_shape(ways.join(here, link, token, new.profile.profile(), new.password))


@router.post("/join/{token}/accept")
def accept(here: InHere, caller: Somebody, token: str) -> AccountShape:
    """Take an invitation with the caller's account, which its address has; narrowed tokens cannot."""
    return account_shape(ways.accept(here, caller, token))


@router.post("/recover", status_code=202, openapi_extra=_OPEN)
def forgot(
    request: Request,
    response: Response,
    here: InHere,
    _: Anybody,
    __: OwnForm,
    who: Forgot,
    background: BackgroundTasks,
) -> AskedShape:
    """Ask for a link to choose another password; it goes by mail to an address that has an account.

    The answer does not say whether it has, nor does its time.
    """
    by_mail = ways.ask_recovery(request, here, background, who.email)
    response.headers.update(UNTIMED)
    return AskedShape(by_mail=by_mail)


@router.get("/recover/{token}", openapi_extra=_OPEN)
def recovered(request: Request, here: InHere, _: Anybody, token: str) -> RecoveredShape:
    """Show whose password a link changes."""
    return RecoveredShape(email=ways.look_recovery(request, here, token).email)


@router.post("/recover/{token}", status_code=204, openapi_extra=_OPEN)
def choose(
    request: Request, here: InHere, _: Anybody, __: OwnForm, token: str, chosen: ChosenPassword
) -> None:
    """Choose another password by a link; all sessions and tokens of the account end."""
    ways.choose(here, ways.look_recovery(request, here, token), token, chosen.password)
