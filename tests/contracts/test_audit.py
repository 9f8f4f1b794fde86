"""What every audit trail keeps to: appended to by many at once, never changed, broken links found."""

import inspect
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from bedside.adapters.memory.audit import MemoryAudit
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.audit import SqlAudit
from bedside.domain.audit import BEGINNING, LONGEST, Deed, Fault, checked, hash_of
from bedside.domain.tenant import Ending, Tenant, TenantState
from bedside.errors import Unavailable
from bedside.ports.audit import AuditFilter, AuditTrail
from ledger_samples import T0, at
from services import PostgresServer

EVERY = AuditFilter()
ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))
DATABASES = ["sqlite", ON_A_SERVER]
PROCESSES = 3


@pytest.fixture
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlLedger]:
    """A new database each time: what stands in a trail cannot be removed between tests."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    made = SqlLedger(url)
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=["memory", *DATABASES])
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuditTrail]:
    if request.param == "memory":
        yield MemoryAudit()
        return
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").database()
    made = SqlLedger(url)
    made.prepare()
    yield made.records.audit
    made.close()


def deed(action: str = "result.viewed", *, seconds: float = 0.0, tenant: str = "ward", **more: str) -> Deed:
    return Deed(at=at(seconds), person=more.pop("person", "p-1"), action=action, tenant=tenant, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("adapter", [MemoryAudit, SqlAudit])
def test_signatures_are_the_ports_and_none_changes_anything(adapter: type) -> None:
    port = {n: v for n, v in vars(AuditTrail).items() if inspect.isfunction(v) and n[0] != "_"}
    assert set(port) == {"append", "record", "head", "records", "walk"}
    for name, promised in port.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(promised), name
    assert {n for n, v in inspect.getmembers(adapter, inspect.isfunction) if n[0] != "_"} == set(port)


def test_every_value_comes_back_in_its_place(trail: AuditTrail) -> None:
    assert trail.head() is None and trail.record(1) is None
    first = Deed(
        at=T0,
        person="p-1",
        address="10.1.2.0/24",
        action="result.viewed",
        tenant="hospital.ward",
        object="job-1",
        detail={"b": "ünï", "a": "2"},
    )
    one = trail.append(first)
    two = trail.append(deed(seconds=-5))  # another machine's clock
    assert (one.number, one.deed, one.before) == (1, first, BEGINNING)
    assert (two.number, two.before) == (2, one.hash) and two.hash == hash_of(2, two.deed, one.hash)
    assert trail.record(1) == one and trail.head() == two
    assert checked(trail.walk(EVERY)).head == two.hash


def test_what_no_database_can_keep_is_replaced_before_it_is_hashed(trail: AuditTrail) -> None:
    kept = trail.append(deed(object="a\x00b\ud800", detail={"k\x00": "x" * 2000}))  # type: ignore[arg-type]
    assert trail.record(1) == kept and kept.deed.object == "a\ufffdb\ufffd"
    assert [len(value) for value in kept.deed.detail.values()] == [LONGEST]
    assert checked(trail.walk(EVERY)).broken == 0


def test_records_are_found_by_each_of_their_values_newest_first(trail: AuditTrail) -> None:
    trail.append(deed("person.invited", tenant="", person="p-9", object="p-3"))
    trail.append(deed("result.viewed", tenant="hospital.ward", object="job-1", seconds=1))
    trail.append(deed("result.judged", tenant="hospital.ward.ct", object="job-1", seconds=2))
    trail.append(deed("results.listed", tenant="hospital.wards", seconds=3))
    trail.append(deed("result.viewed", tenant="Hospital.ward", seconds=4))

    def numbers(**wanted: object) -> list[int]:
        found = AuditFilter(**wanted)  # type: ignore[arg-type]
        oldest_first = [record.number for record in trail.walk(found)]
        assert oldest_first == sorted(oldest_first)
        newest_first = [record.number for record in trail.records(found)]
        assert newest_first == oldest_first[::-1]
        return newest_first

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(nodes=["hospital.ward"]) == [3, 2]
    assert numbers(nodes=["hospital.ward", "Hospital"]) == [5, 3, 2]
    assert numbers(nodes=[]) == [] and numbers(nodes=["", "x"]) == [5, 4, 3, 2, 1]
    assert numbers(person="p-9") == [1] and numbers(object="job-1") == [3, 2]
    assert numbers(action="result") == [5, 3, 2] and numbers(action="result.judged") == [3]
    for name in ("action", "person", "object"):  # no database can keep it, so none is of that value
        assert numbers(**{name: "a\x00b"}) == [] and numbers(**{name: "\ud800"}) == [], name
    assert numbers(nodes=["a\x00b"]) == []
    assert numbers(since=at(1), until=at(3)) == [3, 2]
    assert [r.number for r in trail.records(EVERY, limit=2, before=4)] == [3, 2]
    assert [r.number for r in trail.walk(EVERY, after=3)] == [4, 5]


def test_the_first_record_that_does_not_hold_is_found(trail: AuditTrail) -> None:
    for second in range(5):
        trail.append(deed(seconds=second))
    records = list(trail.walk(EVERY))
    assert (checked(records).checked, checked(records).broken) == (5, 0)
    altered = replace(records[2], deed=replace(records[2].deed, person="p-2"))
    found = checked([*records[:2], altered, *records[3:]])
    assert (found.checked, found.broken, found.reason) == (2, 3, "its content is not what was hashed")
    rehashed = replace(altered, hash=hash_of(3, altered.deed, altered.before))
    assert found.fault is Fault.CHANGED
    named = checked([*records[:2], rehashed, *records[3:]])
    assert (named.broken, named.fault) == (4, Fault.ANOTHER_BEFORE), "the next one names the old hash"
    missing = checked([*records[:1], *records[2:]])
    assert (missing.reason, missing.fault) == ("record 2 is missing", Fault.MISSING)
    assert checked([]).head == BEGINNING


def test_threads_append_to_one_chain(trail: AuditTrail) -> None:
    def many(person: str) -> None:
        for second in range(20):
            trail.append(deed(person=person, seconds=second))

    threads = [threading.Thread(target=many, args=(f"p-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (checked(trail.walk(EVERY)).checked, checked(trail.walk(EVERY)).broken) == (80, 0)


def _append_many(url: str, person: str, start: "multiprocessing.synchronize.Barrier") -> None:
    made = SqlLedger(url)
    start.wait()
    trail = made.records.audit
    trail.append(deed(person=person))
    while len({record.deed.person for record in trail.walk(EVERY)}) < PROCESSES:  # then all are at it
        time.sleep(0.01)
    for second in range(24):
        trail.append(deed(person=person, seconds=second))
    made.close()


@pytest.mark.parametrize("ledger", DATABASES, indirect=True)
def test_processes_append_to_one_chain(ledger: SqlLedger) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(PROCESSES)
    url = ledger._database.url.render_as_string(hide_password=False)
    processes = [context.Process(target=_append_many, args=(url, f"p-{n}", start)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    records = list(ledger.records.audit.walk(EVERY))
    assert (checked(records).checked, checked(records).broken) == (PROCESSES * 25, 0)


@pytest.mark.parametrize("ledger", DATABASES, indirect=True)
def test_the_database_refuses_to_change_it(ledger: SqlLedger) -> None:
    trail, database = ledger.records.audit, ledger._database
    trail.append(deed())
    changes = ["UPDATE audit SET person = 'p-2'", "DELETE FROM audit"]
    if database.url.get_backend_name() == "postgresql":
        changes.append("TRUNCATE audit")
    for change in changes:
        with pytest.raises(Unavailable), database.write() as connection:
            connection.execute(text(change))
    assert (checked(trail.walk(EVERY)).checked, checked(trail.walk(EVERY)).broken) == (1, 0)


@pytest.mark.parametrize("ledger", DATABASES, indirect=True)
def test_who_gets_round_the_database_is_found(ledger: SqlLedger) -> None:
    trail, database = ledger.records.audit, ledger._database
    for second in range(4):
        trail.append(deed(seconds=second))
    on_a_server = database.url.get_backend_name() == "postgresql"
    with database.write() as connection:
        for name in ("audit_no_change",) if on_a_server else ("audit_no_update", "audit_no_delete"):
            connection.execute(text(f"DROP TRIGGER {name}{' ON audit' if on_a_server else ''}"))
        connection.execute(text('UPDATE audit SET detail = \'{"a":"b"}\' WHERE number = 2'))
        connection.execute(text("DELETE FROM audit WHERE number = 4"))
    assert checked(trail.walk(EVERY)).broken == 2


@pytest.mark.parametrize("ledger", DATABASES, indirect=True)
def test_the_trail_of_a_removed_tenant_stays(ledger: SqlLedger) -> None:
    ledger.put_tenant(
        Tenant(name="ward", state=TenantState.CLOSING, made_at=T0, ending=Ending.REMOVE), over=None
    )
    ledger.records.audit.append(deed("tenant.removed"))
    ledger.forget_tenant("ward")
    assert len(ledger.records.audit.records(EVERY)) == 1


@pytest.mark.parametrize("ledger", DATABASES, indirect=True)
def test_a_long_trail_is_walked_in_pages(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside.adapters.sql.audit.PAGE", 3)
    for second in range(7):
        ledger.records.audit.append(deed(seconds=second))
    assert checked(ledger.records.audit.walk(EVERY)).checked == 7
