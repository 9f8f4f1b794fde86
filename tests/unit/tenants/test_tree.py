"""The tree of tenants: branches are there without being tenants, and whoever sees a part sees only that."""

from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.tenant import Tenant, TenantState
from bedside.tenants.tree import tree_of
from ledger_samples import T0, make_arrival


def shown(ledger: MemoryLedger, *nodes: str) -> list[tuple[str, int, str]]:
    found = tree_of(ledger, ("default",), nodes or ("",))
    return [(node.name, node.depth, node.state) for node in found]


def test_each_node_comes_before_those_below_it() -> None:
    ledger = MemoryLedger()
    for name in ("hospital.radiology.ct", "hospital.radiology-2", "Clinic"):
        ledger.put_tenant(Tenant(name=name, state=TenantState.ACTIVE, made_at=T0), over=None)
    ledger.add_arrival(make_arrival(1, tenant="hospital.old"))
    assert shown(ledger) == [
        ("Clinic", 0, "active"),
        ("default", 0, "configured"),
        ("hospital", 0, "branch"),
        ("hospital.old", 1, "not served"),
        ("hospital.radiology", 1, "branch"),
        ("hospital.radiology.ct", 2, "active"),
        ("hospital.radiology-2", 1, "active"),
    ]
    assert shown(ledger, "hospital.radiology") == [
        ("hospital.radiology", 1, "branch"),
        ("hospital.radiology.ct", 2, "active"),
    ]
    assert shown(ledger, "hospital.new", "Clinic") == [("Clinic", 0, "active"), ("hospital.new", 1, "branch")]
    node = tree_of(ledger, ())[-2]
    assert (node.path, node.label, node.is_tenant) == ("hospital/radiology/ct", "ct", True)
