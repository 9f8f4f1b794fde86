"""One's own account, for scripts.

What changes how the account is opened takes all that signing in does, in the same request: a token that
leaked is not its owner.
"""

from fastapi import APIRouter, Request

from bedside.domain.account import email_of
from bedside.domain.person import Right
from bedside.domain.tenant import path_of
from bedside.people.tokens import Scope
from bedside.portal.access.need import Somebody
from bedside.portal.here import InHere
from bedside.portal.people import own
from bedside.portal.people.mail import InTelling
from bedside.portal.people.proof import prove_owner
from bedside.portal.people.shapes import (
    AccountShape,
    Ended,
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
def readdress(
    request: Request, here: InHere, caller: Somebody, new: NewEmail, telling: InTelling
) -> AccountShape:
    """Change one's address; the old one is told."""
    email_of(new.email)  # before a code is used up for nothing
    prove_owner(request, here, caller, new.current, new.code)
    return account_shape(own.change_email(here, caller, telling, new.email))


@router.put("/password", status_code=204)
def change_password(
    request: Request, here: InHere, caller: Somebody, new: NewPassword, telling: InTelling
) -> None:
    """Change one's password; all sessions end, and one's address is told."""
    own.check_password(here, caller, new.password)
    prove_owner(request, here, caller, new.current, new.code)
    own.change_password(here, caller, telling, new.password)


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
    scope = Scope(name=new.name, days=new.days, rights=tuple(new.rights), nodes=tuple(new.nodes))
    token, secret = own.make_token(here, caller, scope)
    return MadeToken(**dict(token_shape(token)), token=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(here: InHere, caller: Somebody, token_id: str) -> None:
    """End a token at once."""
    own.revoke_token(here, caller, token_id)
