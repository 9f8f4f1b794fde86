"""Who may look at a node of the tree: its administrators, and those of any node above.

A node need not be a tenant, so that nothing is said of whether there is one before the right is checked.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from bedside.domain.person import Right
from bedside.domain.tenant import name_of
from bedside.errors import NotFound, UsageError
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import anywhere, somebody
from bedside.portal.here import Here, here
from bedside.tenants.tree import Node, tree_of

Administrator = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """A node of the tree, and who administers it.

    Attributes:
        caller: Who asks.
        node: Which.
        here: The portal.
    """

    caller: Caller
    node: Node
    here: Here


async def administered_node(request: Request, node: str) -> NodePlace:
    """Need the right to administer the node that the path names, as ``{node}``.

    Raises:
        NotPermitted: It is not the caller's.
        NotFound: It is neither a tenant nor above one, nor one at which the caller was given a role.
    """
    caller = await somebody(request)
    try:
        name = name_of(node)
    except UsageError as exc:
        raise NotFound("no such department") from exc
    caller.person.must(Right.ADMINISTER, name)
    parts: Here = here(request)
    found = await run_in_threadpool(node_of, parts, name)
    if found is None and all(post.node != name for post in caller.person.posts):
        raise NotFound(f"no tenant {node}, and none below it", hint="bedside tenant list")
    return NodePlace(caller=caller, node=found or _empty(parts, name), here=parts)


administered_node.right = Right.ADMINISTER  # type: ignore[attr-defined]  # for the test that walks all routes

AtNode = Annotated[NodePlace, Depends(administered_node)]


def node_of(here: Here, name: str) -> Node | None:
    """Return a node that is a tenant or above one, or None."""
    deployment = here.deployment
    every = tree_of(deployment.ledger, deployment.settings.system.tenants)
    return next((node for node in every if node.name == name), None)


def _empty(here: Here, name: str) -> Node:
    return tree_of(here.deployment.ledger, here.deployment.settings.system.tenants, [name])[0]
