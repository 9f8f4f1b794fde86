"""What administrators do to accounts, the same by page and by script; each is noted in the trail."""

from collections.abc import Sequence

from bedside.domain.account import Account, Link
from bedside.domain.person import PersonRole, Post
from bedside.domain.tenant import holds, name_of
from bedside.errors import NotFound, UsageError
from bedside.people.administration import check_gives
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.people.mail import Telling, link_to


def post_at(here: Here, role: PersonRole, node: str) -> Post:
    """Return a role at a node as people write it; empty is the root.

    Raises:
        UsageError: There is no such node: a typing error would be a right in a tenant of tomorrow.
    """
    name = name_of(node) if node.strip("/") else ""
    if name and not any(holds(name, known) for known in here.deployment.tenants.known):
        raise UsageError(f"no tenant {node}, and none below it", hint="bedside tenant list")
    return Post(role=role, node=name)


def give(here: Here, caller: Caller, account_id: str, post: Post) -> Account:
    """Give somebody a role. See `bedside.people.administration.Administration.give`."""
    admin = here.deployment.people.administration
    account = admin.look(caller.person, account_id)
    check_gives(caller.person, [post])
    _note_post(here, caller, "role.given", account, post)
    return admin.give(caller.person, account_id, post)


def take(here: Here, caller: Caller, account_id: str, post: Post) -> Account:
    """Take a role from somebody. See `bedside.people.administration.Administration.take`."""
    admin = here.deployment.people.administration
    account = admin.look(caller.person, account_id)
    check_gives(caller.person, [post])
    if post not in account.posts:
        raise NotFound("no such role of this account")
    after = admin.take(caller.person, account_id, post)
    _note_post(here, caller, "role.taken", account, post)
    return after


def approve(here: Here, caller: Caller, telling: Telling, account_id: str, posts: Sequence[Post]) -> Account:
    """Let somebody in who asked, and tell them.

    See `bedside.people.administration.Administration.approve`.
    """
    account = here.deployment.people.administration.approve(caller.person, account_id, posts)
    note(here, caller, "account.approved", object=account.id)
    for post in posts:
        _note_post(here, caller, "role.given", account, post)
    telling.tell(account.email, "approved", link=link_to(here, "/sign-in"))
    return account


def disable(here: Here, caller: Caller, account_id: str) -> Account:
    """Let somebody in no more. See `bedside.people.administration.Administration.disable`."""
    after = here.deployment.people.administration.disable(caller.person, account_id)
    note(here, caller, "account.disabled", object=account_id)
    return after


def enable(here: Here, caller: Caller, account_id: str) -> Account:
    """Let somebody in again. See `bedside.people.administration.Administration.enable`."""
    admin = here.deployment.people.administration
    admin.whole(caller.person, account_id)
    note(here, caller, "account.enabled", object=account_id)
    return admin.enable(caller.person, account_id)


def reset(here: Here, caller: Caller, account_id: str) -> tuple[Account, str]:
    """Make a link by which somebody chooses another password; return them and its path.

    Raises:
        NotFound: There is no such account that the caller may see.
        NotPermitted: It has roles beyond what they administer, or is their own.
    """
    people = here.deployment.people
    account = people.administration.other(caller.person, account_id)
    note(here, caller, "account.recovery_made", object=account.id)
    return account, f"/recover/{people.recovery.make(account, made_by=caller.account)}"


def invite(here: Here, caller: Caller, email: str, posts: Sequence[Post]) -> tuple[Link, str]:
    """Invite somebody; return the invitation and the path of its link.

    Raises:
        UsageError: The address is none, or no role is given.
        NotPermitted: The caller may not give such a role there.
    """
    people = here.deployment.people
    # Whoever comes by a token of the provider is known by their account, too: it ends with their rights.
    known = caller.account or (people.accounts.account(caller.person.subject) and caller.person.subject)
    link, secret = people.invitations.invite(email, posts, by=caller.person, made_by=known or "")
    for post in posts:
        detail = {"role": post.role.value, "node": post.node or "/"}
        note(here, caller, "invitation.made", tenant=post.node, object=link.id, detail=detail)
    return link, f"/join/{secret}"


def withdraw(here: Here, caller: Caller, link_id: str) -> Link:
    """Take an invitation back. See `bedside.people.invitations.Invitations.withdraw`."""
    link = here.deployment.people.invitations.withdraw(link_id, caller.person)
    note(here, caller, "invitation.withdrawn", object=link_id)
    return link


def _note_post(here: Here, caller: Caller, action: str, account: Account, post: Post) -> None:
    detail = {"role": post.role.value, "node": post.node or "/"}
    note(here, caller, action, tenant=post.node, object=account.id, detail=detail)
