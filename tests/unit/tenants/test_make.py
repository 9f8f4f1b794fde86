"""Making a tenant: what broke off is finished, and nothing is made twice or over what is there."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bedside.adapters.aws.tenants import AwsResources
from bedside.adapters.local.tenants import FolderResources
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.tenant import Tenant, TenantBuckets, TenantState
from bedside.errors import Unavailable, UsageError
from bedside.ports.resources import TenantResources
from bedside.tenants.make import Maker
from ledger_samples import make_arrival


@dataclass(kw_only=True)
class Things:
    """What tenants have, which fails so often first."""

    failures: int = 0
    made: list[Tenant] = field(default_factory=list)

    def buckets(self, name: str) -> TenantBuckets:
        return TenantBuckets(input=f"{name}-input", output=f"{name}-output")

    def make(self, tenant: Tenant) -> Sequence[str]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("AWS does not answer")
        self.made.append(tenant)
        return ["a drop-box"]

    def named(self, tenant: Tenant) -> Sequence[str]:
        return []

    def remove(self, tenant: Tenant) -> Sequence[str]:
        return []


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def maker(ledger: MemoryLedger, things: Things, *configured: str) -> Maker:
    return Maker(ledger=ledger, resources=things, clock=ManualClock(), configured=configured)


@pytest.mark.parametrize("adapter", [AwsResources, FolderResources])
def test_signatures_are_the_ports(adapter: type) -> None:
    for name, promised in inspect.getmembers(TenantResources, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(adapter, name)) == inspect.signature(promised), name


def test_what_broke_off_is_not_served_and_is_finished_by_the_same_call(ledger: MemoryLedger) -> None:
    things = Things(failures=1)
    with pytest.raises(Unavailable):
        maker(ledger, things).create("h.ct", own_buckets=True)
    begun = ledger.tenant("h.ct")
    assert begun is not None and begun.state is TenantState.MAKING and begun.buckets is not None
    made = maker(ledger, things).create("h.ct")
    assert made.tenant.state is TenantState.ACTIVE and made.tenant.buckets == begun.buckets
    assert ledger.tenant("h.ct") == made.tenant and not made.adopted
    assert [event.action for event in ledger.events("h.ct")] == ["tenant.made"]
    with pytest.raises(UsageError, match="exists already: it is active"):
        maker(ledger, things).create("h.ct")
    assert len(things.made) == 1


def test_one_begun_without_buckets_can_still_get_some(ledger: MemoryLedger) -> None:
    things = Things(failures=1)
    with pytest.raises(Unavailable):
        maker(ledger, things).create("ward")
    assert maker(ledger, things).create("ward", own_buckets=True).tenant.buckets is not None


def test_what_is_there_is_adopted_where_it_is(ledger: MemoryLedger) -> None:
    things = Things()
    ledger.add_arrival(make_arrival(1, tenant="old"))
    for name in ("old", "configured"):
        with pytest.raises(UsageError, match="would not hold them"):
            maker(ledger, things, "configured").create(name, own_buckets=True)
        made = maker(ledger, things, "configured").create(name)
        assert made.adopted and made.tenant.buckets is None
        assert [event.action for event in ledger.events(name)] == ["tenant.adopted"]


def test_of_two_who_make_one_at_once_one_is_told(ledger: MemoryLedger) -> None:
    class Rival(MemoryLedger):
        def put_tenant(self, tenant: Tenant, *, over: TenantState | None) -> bool:
            if over is None:
                super().put_tenant(tenant, over=None)
            return super().put_tenant(tenant, over=over)

    with pytest.raises(Unavailable, match="somebody else is making it"):
        maker(Rival(), Things()).create("ward")
