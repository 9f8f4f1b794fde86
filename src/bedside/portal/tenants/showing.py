"""What a node's page shows besides its state: who works there by which role, and where data lie."""

from collections.abc import Sequence
from dataclasses import dataclass

from bedside.domain.account import Account, AccountState
from bedside.domain.person import Person, PersonRole, Post, Right
from bedside.domain.tenant import Ending, TenantState, holds, unrecorded
from bedside.portal.here import Here
from bedside.ports.accounts import AccountFilter
from bedside.tenants.end import Inventory
from bedside.tenants.tree import Node, tree_of
from bedside.wiring import place_of
from bedside.wiring.endings import open_ender

#: Of accounts looked through.
_MOST = 10_000
_ORDER = tuple(PersonRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """Somebody with a role at a node.

    Attributes:
        account: Whose.
        post: Role, and the node at which it was given.
        inherited: It was given further up.
    """

    account: Account
    post: Post
    inherited: bool


def administered_tree(here: Here, person: Person) -> Sequence[Node]:
    """Return the nodes that somebody administers, each before those below it."""
    nodes = person.nodes(Right.ADMINISTER)
    tops = [
        node for node in sorted(nodes) if not any(other != node and holds(other, node) for other in nodes)
    ]
    deployment = here.deployment
    return tree_of(deployment.ledger, deployment.settings.system.tenants, tops)


def working_at(here: Here, node: str) -> Sequence[Working]:
    """Return who has a role at a node, those given there first, then those from above."""
    everybody = here.deployment.records.accounts.find(AccountFilter(state=AccountState.ACTIVE), limit=_MOST)
    found = [
        Working(account=account, post=post, inherited=post.node != node)
        for account in everybody
        for post in account.posts
        if holds(post.node, node)
    ]
    return sorted(
        found,
        key=lambda w: (w.inherited, -len(w.post.node), _ORDER.index(w.post.role), w.account.profile.name),
    )


def drop_box(here: Here, node: Node) -> str:
    """Return where studies are put for a tenant, or empty where it takes none."""
    if node.name not in here.deployment.tenants.served:
        return ""
    blobs = here.deployment.blobs.tenant(node.name)
    return place_of(here.deployment.settings, node.name, "input", blobs)


def inventory_of(here: Here, node: Node) -> Inventory | None:
    """Count objects and jobs of a tenant; None where they were removed, or it is no tenant."""
    record = node.record
    if not node.is_tenant or (
        record and record.state is TenantState.CLOSED and record.ending is Ending.REMOVE
    ):
        return None
    deployment = here.deployment
    return open_ender(deployment, node.name).inventory(
        record or unrecorded(node.name, deployment.clock.now())
    )


def has_ended(node: Node) -> bool:
    """Whether nothing is left to be ended."""
    record = node.record
    return bool(record and record.state is TenantState.CLOSED and record.ending is Ending.REMOVE)
