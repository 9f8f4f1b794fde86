"""The tree of tenants: each node with what lies below it, tenants and mere branches alike.

A node is a tenant where it was made, configured or has data; `hospital/radiology` may be none and still
hold rights, since `hospital/radiology/ct` lies below it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bedside.domain.tenant import Tenant, holds, path_of
from bedside.ports import Ledger

#: What a tenant is called that is served without a record, one that has data and is not, and no tenant.
CONFIGURED, UNKNOWN, BRANCH = "configured", "not served", "branch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the tree.

    Attributes:
        name: With dots.
        depth: 0 at the top.
        state: `TenantState`, or one of `CONFIGURED`, `UNKNOWN`, `BRANCH`.
        record: Of the tenant, where there is one.
    """

    name: str
    depth: int
    state: str
    record: Tenant | None = None

    @property
    def path(self) -> str:
        """As people write it."""
        return path_of(self.name)

    @property
    def label(self) -> str:
        """Its own part of the path."""
        return self.name.rpartition(".")[2]

    @property
    def is_tenant(self) -> bool:
        """Whether studies are, or were, read for it."""
        return self.state != BRANCH


def state_of(name: str, record: Tenant | None, configured: Sequence[str]) -> str:
    """Return how far a tenant is, recorded or not."""
    if record is not None:
        return record.state.value
    return CONFIGURED if name in configured else UNKNOWN


def tree_of(ledger: Ledger, configured: Sequence[str], nodes: Sequence[str] = ("",)) -> Sequence[Node]:
    """Return the nodes of a deployment, each before those below it.

    Args:
        ledger: Knows the recorded ones, and who has data.
        configured: Those of the configuration.
        nodes: Only these and what lies below them, whether or not anything does; the root is all.
    """
    recorded = {tenant.name: tenant for tenant in ledger.tenants()}
    tenants = {*configured, *recorded, *ledger.tenants_with_data()}
    named = {name for tenant in tenants for name in (*_above(tenant), tenant)}
    wanted = {name for name in named if any(holds(node, name) for node in nodes)}
    wanted |= {node for node in nodes if node}
    return [_node(name, tenants, recorded, configured) for name in sorted(wanted, key=_order)]


def _node(
    name: str, tenants: Iterable[str], recorded: Mapping[str, Tenant], configured: Sequence[str]
) -> Node:
    record = recorded.get(name)
    state = state_of(name, record, configured) if name in tenants else BRANCH
    return Node(name=name, depth=name.count("."), state=state, record=record)


def _above(name: str) -> Sequence[str]:
    """Return the nodes above one, the top first."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _order(name: str) -> list[str]:
    return name.split(".")
