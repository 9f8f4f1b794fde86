"""Accounts and invitations, for scripts of administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bedside.domain.account import AccountState
from bedside.domain.person import PersonRole, Post, Right
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import anywhere
from bedside.portal.here import Here, InHere
from bedside.portal.people import deeds
from bedside.portal.people.mail import InTelling, link_to
from bedside.portal.people.shapes import (
    AccountShape,
    AccountsShape,
    Approval,
    InvitationShape,
    MadeInvitation,
    MadeLink,
    NewInvitation,
    PostShape,
    account_shape,
    invitation_shape,
)

router = APIRouter(prefix="/api/v1/people", tags=["people"])
Admin = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]


@router.get("")
def people(
    here: InHere,
    caller: Admin,
    search: Annotated[str, Query(max_length=200)] = "",
    state: AccountState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> AccountsShape:
    """List the accounts with a role, or a wish for one, where the caller administers."""
    found = here.deployment.people.administration.page(
        caller.person, search=search, state=state, limit=limit, offset=offset
    )
    return AccountsShape(total=found.total, accounts=[account_shape(each) for each in found.accounts])


@router.get("/invitations")
def invitations(here: InHere, caller: Admin) -> list[InvitationShape]:
    """List invitations that nobody took yet."""
    return [invitation_shape(link) for link in here.deployment.people.invitations.open(caller.person)]


@router.post("/invitations", status_code=201)
def invite(here: InHere, caller: Admin, telling: InTelling, new: NewInvitation) -> MadeInvitation:
    """Invite somebody; the link is in this answer and, where mail can be sent, in a mail to them."""
    posts = _posts(here, new.posts)
    link, path = deeds.invite(here, caller, new.email, posts)
    address = link_to(here, path)
    mailed = telling.tell(link.email, "invited", link=address, name=caller.name)
    return MadeInvitation(**dict(invitation_shape(link)), link=address, mailed=mailed)


@router.delete("/invitations/{link_id}", status_code=204)
def withdraw(here: InHere, caller: Admin, link_id: str) -> None:
    """Take an invitation back."""
    deeds.withdraw(here, caller, link_id)


@router.get("/{account_id}")
def person(here: InHere, caller: Admin, account_id: str) -> AccountShape:
    """Show one account."""
    return account_shape(here.deployment.people.administration.look(caller.person, account_id))


@router.post("/{account_id}/posts", status_code=201)
def give(here: InHere, caller: Admin, account_id: str, post: PostShape) -> AccountShape:
    """Give somebody a role."""
    return account_shape(deeds.give(here, caller, account_id, deeds.post_at(here, post.role, post.node)))


@router.delete("/{account_id}/posts")
def take(
    here: InHere,
    caller: Admin,
    account_id: str,
    role: PersonRole,
    node: Annotated[str, Query(max_length=100)] = "",
) -> AccountShape:
    """Take a role from somebody."""
    post = Post(role=role, node=node.strip("/").replace("/", "."))
    return account_shape(deeds.take(here, caller, account_id, post))


@router.post("/{account_id}/approve")
def approve(
    here: InHere, caller: Admin, account_id: str, approval: Approval, telling: InTelling
) -> AccountShape:
    """Let somebody in who asked by themselves, and tell them by mail."""
    return account_shape(deeds.approve(here, caller, telling, account_id, _posts(here, approval.posts)))


@router.post("/{account_id}/disable")
def disable(here: InHere, caller: Admin, account_id: str) -> AccountShape:
    """Let somebody in no more; their sessions and tokens end."""
    return account_shape(deeds.disable(here, caller, account_id))


@router.post("/{account_id}/enable")
def enable(here: InHere, caller: Admin, account_id: str) -> AccountShape:
    """Let somebody in again."""
    return account_shape(deeds.enable(here, caller, account_id))


@router.post("/{account_id}/reset", status_code=201)
def reset(here: InHere, caller: Admin, account_id: str, telling: InTelling) -> MadeLink:
    """Make a link by which somebody chooses another password."""
    account, path = deeds.reset(here, caller, account_id)
    address = link_to(here, path)
    return MadeLink(link=address, mailed=telling.tell(account.email, "recover", link=address))


def _posts(here: Here, given: list[PostShape]) -> list[Post]:
    return [deeds.post_at(here, post.role, post.node) for post in given]
