"""The nodes of the tree of tenants that somebody may choose among."""

from collections.abc import Iterable

from bedside.domain.person import Person, Right
from bedside.domain.tenant import holds
from bedside.portal.here import Here


def nodes_of(here: Here, person: Person, rights: Iterable[Right]) -> list[str]:
    """Return, in order, the nodes at which one of some rights is somebody's; an empty one is the root.

    A node is a tenant or what lies above one; those above all that is theirs are left out.
    """
    theirs = {node for right in rights for node in person.nodes(right)}
    every = {""} | theirs
    for name in here.deployment.tenants.known:
        parts = name.split(".")
        every |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return sorted(node for node in every if any(holds(mine, node) for mine in theirs))
