"""One's own account, for scripts."""

from fastapi import APIRouter, Request

from bedside.domain.person import Right
from bedside.domain.tenant import path_of
from bedside.errors import NotPermitted
from bedside.people.tokens import Scope
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Somebody
from bedside.portal.here import Here, InHere
from bedside.portal.people import own
from bedside.portal.people.letting import place_of
from bedside.portal.people.shapes import (
    AccountShape,
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
def readdress(request: Request, here: InHere, caller: Somebody, new: NewEmail) -> AccountShape:
    """Change one's address; the current password is asked for."""
    _must_prove(request, here, caller, new.current)
    return account_shape(own.change_email(here, caller, new.email))


@router.put("/password", status_code=204)
def change_password(request: Request, here: InHere, caller: Somebody, new: NewPassword) -> None:
    """Change one's password; the current one is asked for, and all sessions end."""
    _must_prove(request, here, caller, new.current)
    own.change_password(here, caller, new.password)


@router.get("/sessions")
def sessions(here: InHere, caller: Somebody) -> list[SessionShape]:
    """List the browsers in which one is signed in."""
    return [session_shape(session, caller.credential) for session in own.sessions(here, caller)]


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
    scope = Scope(name=new.name, days=new.days, rights=tuple(new.rights), nodes=tuple(new.nodes))
    token, secret = own.make_token(here, caller, scope)
    return MadeToken(**dict(token_shape(token)), token=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(here: InHere, caller: Somebody, token_id: str) -> None:
    """End a token at once."""
    own.revoke_token(here, caller, token_id)


def _must_prove(request: Request, here: Here, caller: Caller, password: str) -> None:
    account = own.own_account(here, caller)
    here.attempts.count(place_of(request), account.email)
    if not here.deployment.people.entering.proves(account, password):
        here.attempts.failed(place_of(request))
        raise NotPermitted("the current password is another one")
    here.attempts.forgive(account.email)
