"""One's own account, for scripts.

What changes how the account is opened takes all that signing in does, in the same request: a token that
leaked is not its owner.
"""

from fastapi import APIRouter, Request

from bedside.domain.account import email_of
from bedside.domain.person import Right
from bedside.domain.tenant import path_of
from bedside.errors import NotPermitted
from bedside.portal.access.forms import OwnForm
from bedside.portal.access.need import Anybody, Somebody
from bedside.portal.access.trail import note
from bedside.portal.here import InHere
from bedside.portal.people import own
from bedside.portal.people.mail import InTelling
from bedside.portal.people.proof import WrongCode, prove_owner, prove_person, prove_second
from bedside.portal.people.shapes import (
    AccountShape,
    Ended,
    FirstToken,
    MadeToken,
    MeShape,
    NewEmail,
    NewPassword,
    NewToken,
    ProfileShape,
    SessionShape,
    TokenShape,
    account_shape,
    session_shape,
    token_shape,
)

router = APIRouter(prefix="/api/v1/me", tags=["me"])
without_token = APIRouter(prefix="/api/v1/tokens", tags=["me"])


@without_token.post("", status_code=201, openapi_extra={"security": []})
def first_token(request: Request, here: InHere, _: Anybody, __: OwnForm, new: FirstToken) -> MadeToken:
    """Make a token by all that signing in takes, for whoever has no token and no browser.

    Where a role demands a second factor, it has to be set up first, by signing in.
    """
    account = prove_person(request, here, new.email, new.current)
    try:
        prove_second(request, here, account, new.code)
    except WrongCode:
        note(here, None, "session.refused", object=account.id, detail={"by": "code"})
        raise
    seconds = here.deployment.seconds
    if seconds.is_needed(account) and seconds.of(account) is None:
        raise NotPermitted(
            "a role of yours demands a second factor, and there is none", hint="sign in by a browser once"
        )
    token, secret = own.token_of(here, account, new.scope())
    return MadeToken(**dict(token_shape(token)), token=secret)


@router.get("")
def me(here: InHere, caller: Somebody) -> MeShape:
    """Show one's own account, and what the caller may."""
    account = account_shape(own.own_account(here, caller))
    nodes = {right: [path_of(node) for node in caller.person.nodes(right)] for right in Right}
    return MeShape(**dict(account), rights={right: found for right, found in nodes.items() if found})


@router.put("/profile")
def describe(here: InHere, caller: Somebody, profile: ProfileShape) -> AccountShape:
    """Change what one says of oneself."""
    return account_shape(own.describe(here, caller, profile.profile()))


@router.put("/email")
def readdress(
    request: Request, here: InHere, caller: Somebody, new: NewEmail, telling: InTelling
) -> AccountShape:
    """Change one's address; the old one is told."""
    email_of(new.email)  # before a code is used up for nothing
    account = prove_owner(request, here, caller, new.current, new.code)
    return account_shape(own.change_email(here, caller, telling, account, new.email))


@router.put("/password", status_code=204)
def change_password(
    request: Request, here: InHere, caller: Somebody, new: NewPassword, telling: InTelling
) -> None:
    """Change one's password; all sessions end, and one's address is told."""
    own.check_password(here, caller, new.password)
    account = prove_owner(request, here, caller, new.current, new.code)
    own.change_password(here, caller, telling, account, new.password)


@router.get("/sessions")
def sessions(here: InHere, caller: Somebody) -> list[SessionShape]:
    """List the browsers in which one is signed in."""
    return [session_shape(session, caller.credential) for session in own.sessions(here, caller)]


@router.delete("/sessions")
def end_other_sessions(here: InHere, caller: Somebody) -> Ended:
    """Sign all browsers out but the one that asks, if it is one."""
    return Ended(ended=own.end_other_sessions(here, caller))


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(here: InHere, caller: Somebody, session_id: str) -> None:
    """Sign a browser out."""
    own.end_session(here, caller, session_id)


@router.get("/tokens")
def tokens(here: InHere, caller: Somebody) -> list[TokenShape]:
    """List one's tokens."""
    return [token_shape(token) for token in own.tokens(here, caller)]


@router.post("/tokens", status_code=201)
def make_token(here: InHere, caller: Somebody, new: NewToken) -> MadeToken:
    """Make a token; its secret is in this answer and nowhere else.

    A token that makes another cannot give it more than it has itself, nor let it live longer.
    """
    token, secret = own.make_token(here, caller, new.scope())
    return MadeToken(**dict(token_shape(token)), token=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(here: InHere, caller: Somebody, token_id: str) -> None:
    """End a token at once."""
    own.revoke_token(here, caller, token_id)
