"""Who is served: those of the configuration and of the ledger, without those that are closed."""

from dataclasses import replace

from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.tenant import Ending, Tenant, TenantBuckets, TenantState
from bedside.tenants.directory import FRESH_S, TenantDirectory
from ledger_samples import T0, at

WARD = Tenant(name="ward", state=TenantState.ACTIVE, made_at=T0)


def test_a_tenant_is_served_soon_after_it_is_made_and_no_more_once_it_closes() -> None:
    ledger, now = MemoryLedger(), [0.0]
    directory = TenantDirectory(("default", "other"), ledger, lambda: now[0])
    assert list(directory) == ["default", "other"] and directory[0] == "default" and len(directory) == 2
    assert ledger.put_tenant(WARD, over=None)
    assert "ward" not in directory, "the ledger is not asked each time"
    now[0] += FRESH_S
    assert list(directory) == ["default", "other", "ward"] and "ward" in directory
    own = TenantBuckets(input="in", output="out")
    making = replace(WARD, name="h.ct", state=TenantState.MAKING, buckets=own)
    assert ledger.put_tenant(making, over=None)
    closed = replace(WARD, name="other").closing(Ending.ARCHIVE, "x").closed(at(1))
    assert ledger.put_tenant(closed, over=None)
    now[0] += FRESH_S
    assert directory.served == ("default", "ward"), "one that is half made, or closed, is not served"
    assert directory.known == ("default", "other", "h.ct", "ward")
    assert directory.owner("in") == "h.ct" and directory.owner("out") == "" and directory.owner("") == ""
    assert directory.buckets("h.ct") == own and directory.buckets("ward") is directory.buckets("no") is None


def test_nobody_writes_into_the_shared_store_for_a_tenant_that_was_just_given_its_own() -> None:
    ledger = MemoryLedger()
    directory = TenantDirectory(("default",), ledger, lambda: 0.0)
    making = replace(WARD, state=TenantState.MAKING)
    assert ledger.put_tenant(making, over=None)
    assert list(directory) == ["default"], "asked now, and not again while the clock stands"
    own = TenantBuckets(input="in", output="out")
    assert ledger.put_tenant(replace(making, buckets=own).active(), over=TenantState.MAKING)
    assert ledger.put_tenant(replace(WARD, name="new", buckets=own), over=None)
    assert directory.buckets("ward") == directory.buckets("new") == own


def test_an_event_of_a_bucket_that_was_just_made_has_its_tenant() -> None:
    ledger = MemoryLedger()
    directory = TenantDirectory(("default",), ledger, lambda: 0.0)
    assert directory.owner("in") == "" and list(directory) == ["default"]
    assert ledger.put_tenant(replace(WARD, buckets=TenantBuckets(input="in", output="out")), over=None)
    assert directory.owner("in") == "ward" and "ward" in directory
