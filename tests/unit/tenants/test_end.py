"""Ending a tenant: archived whole, resumed without copying twice, and never while something comes in."""

import json
from pathlib import Path

import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.local.tenants import FolderResources
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.tenant import Ending, Tenant, TenantState, unrecorded
from bedside.errors import Unavailable
from bedside.ports import Blob
from bedside.tenants.end import Ender
from bedside.tenants.keeping import ThroughHere
from ledger_samples import T0, make_arrival, make_job

KEYS = ("input/a.zip", "arrivals/x/1.dcm", "results/x/j/result.json", "rejected/y/reason.json")


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def tenant(ledger: MemoryLedger) -> Tenant:
    made = unrecorded("ward", T0)
    assert ledger.put_tenant(made, over=None)
    return made


@pytest.fixture
def ender(ledger: MemoryLedger, tmp_path: Path) -> Ender:
    blobs = FolderBlobStore(tmp_path / "data", "ward")
    for key in (*KEYS, "work/j/s/mask"):
        blobs.put(key, b"12345")
    return Ender(
        ledger=ledger,
        blobs=blobs,
        resources=FolderResources(tmp_path / "data"),
        clock=ManualClock(),
    )


def place(ender: Ender, folder: Path) -> ThroughHere:
    target = FolderBlobStore(folder / "archive", "ward")
    return ThroughHere(source=ender.blobs, target=target, scratch=folder / "scratch")


class Breaking(ThroughHere):
    """A place that is out of reach after so many copies."""

    copies = 2

    def copy(self, blob: Blob) -> None:
        if Breaking.copies == 0:
            raise Unavailable("the archive is out of reach")
        Breaking.copies -= 1
        super().copy(blob)


def test_an_archive_that_broke_off_goes_on_and_is_marked_whole_at_the_end(
    ender: Ender, ledger: MemoryLedger, tenant: Tenant, tmp_path: Path
) -> None:
    there = place(ender, tmp_path)
    broken = Breaking(source=there.source, target=there.target, scratch=there.scratch)
    with pytest.raises(Unavailable):
        ender.archive(tenant, "/archive", broken)
    closing = ledger.tenant("ward")
    assert closing is not None and closing.state is TenantState.CLOSING
    assert there.stat("archive.json") is None
    told: list[str] = []
    assert ender.archive(closing, "/archive", there, told.append) == 2, "two were there already"
    assert told == ["archiving rejected", "archiving results"]
    assert json.loads(there.target.get("archive.json"))["bytes"] == 20
    assert sorted(b.key for b in there.target.list("")) == sorted([*KEYS, "archive.json"])
    closed = ledger.tenant("ward")
    assert closed is not None and (closed.state, closed.place) == (TenantState.CLOSED, "/archive")
    assert [event.action for event in ledger.events("ward")] == ["tenant.archived"]


def test_what_came_while_it_was_archived_is_told(
    ender: Ender, ledger: MemoryLedger, tenant: Tenant, tmp_path: Path
) -> None:
    there = place(ender, tmp_path)

    class Late(ThroughHere):
        def copy(self, blob: Blob) -> None:
            super().copy(blob)
            ender.blobs.put("arrivals/z/late.dcm", b"x")

    late = Late(source=there.source, target=there.target, scratch=there.scratch)
    with pytest.raises(Unavailable, match="something changed while it was archived"):
        ender.archive(tenant, "/archive", Once(late, {"results/x/j/result.json"}))
    closing = ledger.tenant("ward")
    assert closing is not None and closing.state is TenantState.CLOSING
    assert ender.archive(closing, "/archive", there) == 1


def test_a_tenant_stays_open_for_jobs_that_came_while_it_was_archived(
    ender: Ender, ledger: MemoryLedger, tenant: Tenant, tmp_path: Path
) -> None:
    there = place(ender, tmp_path)

    class Late(ThroughHere):
        def copy(self, blob: Blob) -> None:
            super().copy(blob)
            ledger.enqueue(make_job(ledger.add_arrival(make_arrival(1, tenant="ward"))))

    late = Late(source=there.source, target=there.target, scratch=there.scratch)
    with pytest.raises(Unavailable, match="1 jobs came while it was archived"):
        ender.archive(tenant, "/archive", Once(late, {"results/x/j/result.json"}))
    closing = ledger.tenant("ward")
    assert closing is not None and closing.state is TenantState.CLOSING
    assert there.stat("archive.json") is None, "an archive without this is not whole"


class Once:
    """A place that does something late when the last object is copied."""

    def __init__(self, late: ThroughHere, when: set[str]) -> None:
        self.late, self.when = late, when

    def copy(self, blob: Blob) -> None:
        if blob.key in self.when:
            self.late.copy(blob)
        else:
            ThroughHere.copy(self.late, blob)

    def stat(self, key: str) -> Blob | None:
        return self.late.stat(key)

    def put(self, key: str, data: bytes) -> None:
        self.late.put(key, data)


def test_what_came_while_it_was_removed_is_told_and_removed_by_the_next_call(
    ender: Ender, ledger: MemoryLedger, tenant: Tenant, tmp_path: Path
) -> None:
    ledger.add_arrival(make_arrival(1, tenant="ward"))

    class Late(FolderResources):
        def remove(self, tenant: Tenant) -> list[str]:
            super().remove(tenant)
            ender.blobs.put("input/late.zip", b"x")
            return []

    late = Ender(ledger=ledger, blobs=ender.blobs, resources=Late(tmp_path / "data"), clock=ender.clock)
    with pytest.raises(Unavailable, match="something came while it was removed"):
        late.remove(tenant)
    closing = ledger.tenant("ward")
    assert closing is not None and (closing.state, closing.ending) == (TenantState.CLOSING, Ending.REMOVE)
    assert ender.inventory(closing).areas == {}, "nobody lists buckets that may be gone"
    ender.remove(closing)
    closed = ledger.tenant("ward")
    assert closed is not None and closed.state is TenantState.CLOSED
    assert not (tmp_path / "data" / "ward").exists()
