"""What figures over every ledger say: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.figures import MemoryFigures
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.figures import SqlFigures
from bedside.adapters.sql.schema import metadata
from bedside.domain.arrival import EntryState
from bedside.domain.export import ExportState
from bedside.domain.figures import Unit, WorkerSeen
from bedside.domain.job import Job, JobState, Lease
from bedside.domain.release import Role
from bedside.ports import Ledger
from bedside.ports.figures import Figures
from ledger_samples import FAILURE, T0, at, make_arrival, make_entry, make_job, make_pipeline, make_result
from services import PostgresServer

ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))
HOUR, DAY = 3600.0, 86400.0
COMPUTE = {"machine": "m", "price_usd_per_hour": 3.6, "seconds": 10.0, "gpu_s": 0.0, "usd": 0.01}


@dataclass(frozen=True)
class Both:
    ledger: Ledger
    figures: Figures

    def add(self, seed: int, *, tenant: str = "ward", name: str = "spleen", seconds: float = 0.0) -> Job:
        """Queue a job of another study, made so many seconds after `T0`."""
        arrival = self.ledger.add_arrival(
            make_arrival(seed, tenant=tenant, subject=f"1.{seed}", received_at=at(seconds))
        )
        job, _ = self.ledger.enqueue(make_job(arrival, make_pipeline(name), created_at=at(seconds)))
        return job

    def take(self, seconds: float, worker: str = "w1") -> Lease:
        lease = self.ledger.lease(pools=(), worker=worker, now=at(seconds), lease_s=60.0)
        assert lease is not None
        return lease

    def finish(self, seconds: float, **summary: object) -> None:
        lease = self.take(seconds)
        result = replace(make_result(lease, created_at=at(seconds)), summary=summary)
        self.ledger.complete(lease, result, now=at(seconds))

    def bury(self, seconds: float) -> None:
        self.ledger.fail(self.take(seconds), FAILURE, now=at(seconds), retry_at=None)


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", ON_A_SERVER])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Both]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Both(ledger, MemoryFigures(ledger))
        return
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield Both(shared, shared.records.figures)
        return
    made = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield Both(made, made.records.figures)
    made.close()


@pytest.mark.parametrize("adapter", [MemoryFigures, SqlFigures])
def test_signatures_are_the_ports(adapter: type) -> None:
    port = {n: v for n, v in vars(Figures).items() if inspect.isfunction(v) and n[0] != "_"}
    assert port
    for name, promised in port.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(promised), name


def test_nothing_ran_yet(both: Both) -> None:
    figures = both.figures
    for scope in (None, frozenset[str](), frozenset({"ward"})):
        assert list(figures.queues(scope, T0)) == []
        assert dict(figures.states(scope)) == {}
        assert list(figures.ended(scope, since=T0, unit=Unit.DAY)) == []
        assert list(figures.failures(scope, since=T0)) == []
        assert list(figures.dead(scope)) == list(figures.in_hand(scope)) == list(figures.workers(scope)) == []
        assert list(figures.timed(scope, since=T0)) == list(figures.spent(scope, since=T0)) == []
        assert figures.rejected_inputs(scope, since=T0) == figures.failed_exports(scope) == 0
        assert list(figures.arrivals(scope, since=None, limit=10)) == []


def test_queues_count_what_is_due_and_what_is_delayed(both: Both) -> None:
    both.add(1)
    both.add(2, seconds=5)
    both.ledger.fail(both.take(10), FAILURE, now=at(10), retry_at=at(100))
    both.ledger.enqueue(make_job(make_arrival(3), make_pipeline("late", pools=("gpu",)), created_at=at(7)))
    cpu, gpu = both.figures.queues(None, at(20))
    assert (cpu.pool, cpu.due, cpu.delayed, cpu.waits_since) == ("default", 1, 1, at(5))
    assert (gpu.pool, gpu.due, gpu.delayed, gpu.waits_since) == ("gpu", 1, 0, at(7))
    assert [q.waits_since for q in both.figures.queues(None, at(1))] == [None, None]


def test_a_scope_has_its_tenants_alone(both: Both) -> None:
    both.add(1, tenant="ward")
    both.add(2, tenant="clinic", seconds=1)
    both.add(3, tenant="clinic", seconds=2)
    both.bury(10)
    both.bury(11)
    assert both.figures.states(None) == {JobState.QUEUED: 1, JobState.DEAD: 2}
    assert both.figures.states(frozenset({"ward"})) == {JobState.DEAD: 1}
    assert both.figures.states(frozenset({"clinic"})) == {JobState.QUEUED: 1, JobState.DEAD: 1}
    assert both.figures.states(frozenset()) == {}
    for tenant in ("ward", "clinic"):
        assert [job.tenant for job in both.figures.dead(frozenset({tenant}))] == [tenant]
        assert {a.tenant for a in both.figures.arrivals(frozenset({tenant}), since=None, limit=9)} == {tenant}
    assert [q.due for q in both.figures.queues(frozenset({"ward"}), at(20))] == []
    assert list(both.figures.ended(frozenset({"other"}), since=T0, unit=Unit.HOUR)) == []
    assert [f.jobs for f in both.figures.failures(frozenset({"clinic"}), since=T0)] == [1]
    assert list(both.figures.workers(frozenset({"other"}))) == []


def test_jobs_that_ended_are_counted_by_hour_and_by_day(both: Both) -> None:
    for seed, seconds in enumerate((0, 60, HOUR, DAY)):
        both.add(seed + 1, seconds=0)
        both.finish(seconds)
    both.add(9, seconds=0)
    both.bury(HOUR + 60)
    hour, day = (
        T0.replace(minute=0, second=0, microsecond=0),
        T0.replace(hour=0, minute=0, second=0, microsecond=0),
    )
    by_hour = [(f.begin, f.state, f.jobs) for f in both.figures.ended(None, since=T0, unit=Unit.HOUR)]
    assert by_hour == [
        (hour, JobState.SUCCEEDED, 2),
        (hour + timedelta(hours=1), JobState.DEAD, 1),
        (hour + timedelta(hours=1), JobState.SUCCEEDED, 1),
        (hour + timedelta(days=1), JobState.SUCCEEDED, 1),
    ]
    by_day = [(f.begin, f.state, f.jobs) for f in both.figures.ended(None, since=at(1), unit=Unit.DAY)]
    assert by_day == [
        (day, JobState.DEAD, 1),
        (day, JobState.SUCCEEDED, 2),
        (day + timedelta(days=1), JobState.SUCCEEDED, 1),
    ]


def test_failures_are_grouped_by_reason_and_release(both: Both) -> None:
    for seed in (1, 2):
        both.add(seed)
        both.bury(seed)
    both.add(3)
    both.ledger.reject(both.take(3), replace(FAILURE, error="InputRejected"), now=at(3))
    both.ledger.enqueue(make_job(make_arrival(4), make_pipeline(release="sha256:bb"), created_at=at(3)))
    both.bury(4)
    found = both.figures.failures(None, since=T0)
    assert [(f.error, f.state.value, f.release, f.jobs, f.newest_at) for f in found] == [
        ("ModelFailed", "dead", "sha256:aa", 2, at(2)),
        ("InputRejected", "rejected", "sha256:aa", 1, at(3)),
        ("ModelFailed", "dead", "sha256:bb", 1, at(4)),
    ]
    assert {(f.pipeline, f.stage) for f in found} == {("spleen", "stage0")}
    assert [f.jobs for f in both.figures.failures(None, since=at(3))] == [1, 1]
    assert [job.arrival_id for job in both.figures.dead(None, limit=2)] == [
        make_arrival(4).id,
        make_arrival(2).id,
    ]


def test_work_in_hand_says_since_when_and_by_whom(both: Both) -> None:
    both.add(1)
    both.add(2, seconds=1)
    both.ledger.fail(both.take(5, "w1"), FAILURE, now=at(6), retry_at=at(7))
    first = both.take(8, "w2")
    both.ledger.extend(first, now=at(9), lease_s=60, progress=0.5, doing="forward")
    both.take(10, "w3")
    held = both.figures.in_hand(None)
    assert [(w.job.worker, w.leased_at, w.job.doing) for w in held] == [
        ("w2", at(8), "forward"),
        ("w3", at(10), ""),
    ]
    assert [w.job.worker for w in both.figures.in_hand(None, limit=1)] == ["w2"]
    assert both.figures.workers(None) == [
        WorkerSeen(worker="w3", at=at(10)),
        WorkerSeen(worker="w2", at=at(8)),
        WorkerSeen(worker="w1", at=at(6)),
    ]


def test_times_are_those_of_delivered_results(both: Both) -> None:
    timings = {"infer": {"wait": 1.5, "run": 2.0}}
    both.add(1)
    both.finish(30, timings_s=timings)
    both.add(2)
    both.finish(40)  # from before times were kept
    both.add(3, name="other", seconds=10)
    both.finish(60, timings_s={"infer": {"run": 3}})
    shadow = make_job(make_arrival(4), make_pipeline(), role=Role.SHADOW, created_at=at(60))
    both.ledger.enqueue(shadow)
    both.finish(70, timings_s=timings)
    found = both.figures.timed(None, since=T0)
    assert [(t.pipeline, t.took_s) for t in found] == [("other", 50.0), ("spleen", 30.0)]
    assert found[1].timings_s == timings
    assert [t.pipeline for t in both.figures.timed(None, since=at(50))] == ["other"]
    assert [t.pipeline for t in both.figures.timed(None, since=T0, limit=1)] == ["other"]


def test_costs_are_added_up_by_day(both: Both) -> None:
    for seed, seconds in enumerate((0, 60, DAY)):
        both.add(seed + 1)
        both.finish(seconds, compute=COMPUTE)
    both.add(9)
    both.finish(90)  # on a machine without a price
    one, other = both.figures.spent(None, since=T0)
    assert (one.results, one.priced, one.usd, one.seconds) == (3, 2, pytest.approx(0.02), pytest.approx(20))
    assert (other.results, other.priced, other.usd) == (1, 1, pytest.approx(0.01))
    assert other.day - one.day == timedelta(days=1)


def test_what_was_refused_is_counted(both: Both) -> None:
    for name, seconds in (("input/a.zip", 0), ("input/b.zip", 100)):
        entry = make_entry(name, seen_at=at(seconds))
        both.ledger.put_entry(entry)
        both.ledger.put_entry(replace(entry, state=EntryState.REJECTED, reason="no DICOM"))
    assert both.figures.rejected_inputs(None, since=T0) == 2
    assert both.figures.rejected_inputs(None, since=at(50)) == 1
    both.add(1)
    lease = both.take(0)
    both.ledger.complete(lease, make_result(lease), now=at(0), archive=True)
    export = both.ledger.export("ward", lease.job.id)
    assert export is not None
    both.ledger.put_export(replace(export, state=ExportState.FAILED, revision=export.revision + 1))
    assert both.figures.failed_exports(None) == 1
    assert both.figures.failed_exports(frozenset({"other"})) == 0


def test_arrivals_come_newest_first(both: Both) -> None:
    for seed in (1, 2, 3):
        both.add(seed, seconds=seed)
    found = both.figures.arrivals(None, since=None, limit=2)
    assert [a.id for a in found] == [make_arrival(3).id, make_arrival(2).id]
    assert (found[0].version, found[0].received_at) == (1, at(3))
    assert len(both.figures.arrivals(None, since=at(3), limit=9)) == 1
