"""What every ledger keeps to: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.hints import MemoryHints
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.schema import metadata
from bedside.domain.arrival import Arrival, EntryState
from bedside.domain.job import ENDED, TRANSITIONS, Job, JobEvent, JobState, Lease, LedgerEvent
from bedside.domain.pipeline import Pipeline
from bedside.errors import BY_NAME, NotFound, Overtaken, StaleLease, UsageError
from bedside.ports import JobFilter, Ledger
from bedside.worker.hints import hinting
from ledger_samples import (
    FAILURE,
    T0,
    at,
    make_arrival,
    make_decision,
    make_entry,
    make_job,
    make_pipeline,
    make_release,
    make_result,
)
from services import PostgresServer

EVERY = JobFilter()
ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))
KINDS = ["memory", "memory that hints", "sqlite", ON_A_SERVER]


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    """One database for all tests here: making one each takes longer than the tests."""
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield shared
        return
    if request.param == "memory that hints":
        yield hinting(MemoryLedger(), MemoryHints(), ManualClock())
        return
    made = MemoryLedger() if request.param == "memory" else SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield made
    made.close()


def take(
    ledger: Ledger, *pools: str, now: datetime = T0, worker: str = "w1", lease_s: float = 60.0
) -> Lease | None:
    return ledger.lease(pools=pools or ("default",), worker=worker, now=now, lease_s=lease_s)


def must_take(
    ledger: Ledger, *pools: str, now: datetime = T0, worker: str = "w1", lease_s: float = 60.0
) -> Lease:
    lease = take(ledger, *pools, now=now, worker=worker, lease_s=lease_s)
    assert lease is not None
    return lease


def finish(ledger: Ledger, *, now: datetime = T0) -> Job:
    lease = must_take(ledger, now=now)
    return ledger.complete(lease, make_result(lease, created_at=now), now=now)


# Shape


@pytest.mark.parametrize("adapter", [MemoryLedger, SqlLedger])
def test_signatures_are_the_ports(adapter: type) -> None:
    port = {name: value for name, value in inspect.getmembers(Ledger, inspect.isfunction) if name[0] != "_"}
    assert port
    for name, promised in port.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(promised), name
    public = {n for n, v in inspect.getmembers(adapter, inspect.isfunction) if not n.startswith("_")}
    assert public == set(port)


def test_prepare_twice_keeps_what_is_there(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    ledger.prepare()
    assert len(ledger.jobs("ward", EVERY)) == 1


# Arrivals and entries


def test_arrival_is_recorded_once(ledger: Ledger) -> None:
    first = ledger.add_arrival(make_arrival(1, 2))
    again = ledger.add_arrival(replace(make_arrival(1, 2), received_at=at(99)))
    assert first.version == 1
    assert again == first == ledger.arrival("ward", first.id)
    assert first.received_at == T0


def test_late_instances_make_the_next_version(ledger: Ledger) -> None:
    ledger.add_arrival(make_arrival(1))
    second = ledger.add_arrival(make_arrival(1, 2))
    other = ledger.add_arrival(make_arrival(5, subject="9.9"))
    assert (second.version, other.version) == (2, 1)
    assert ledger.newest_arrival("ward", "1.2.3") == second
    assert ledger.newest_arrival("ward", "7.7") is None


def test_a_version_joined_with_what_is_no_longer_the_newest_is_not_recorded(ledger: Ledger) -> None:
    first = ledger.add_arrival(make_arrival(1), after=0)
    with pytest.raises(Overtaken, match="joined with version 0, and version 1 is there") as told:
        ledger.add_arrival(make_arrival(2), after=0)
    assert told.value.retryable
    with pytest.raises(NotFound):
        ledger.arrival("ward", make_arrival(2).id)
    with pytest.raises(Overtaken):
        ledger.add_arrival(make_arrival(1, 2), after=2)  # one that was never there
    second = ledger.add_arrival(make_arrival(1, 2), after=1)
    assert (first.version, second.version) == (1, 2)
    assert ledger.add_arrival(make_arrival(1), after=0) == first  # recorded before: nothing is missing


def test_other_subjects_and_tenants_overtake_nobody(ledger: Ledger) -> None:
    ledger.add_arrival(make_arrival(1), after=0)
    assert ledger.add_arrival(make_arrival(2, subject="9.9"), after=0).version == 1
    assert ledger.add_arrival(make_arrival(3, tenant="other"), after=0).version == 1


def test_unknown_arrival_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.arrival("ward", "0" * 20)


def test_arrival_keeps_many_files_in_order(ledger: Ledger) -> None:
    arrival = make_arrival(*range(1, 400))
    assert ledger.add_arrival(arrival).files == arrival.files
    assert ledger.arrival("ward", arrival.id).files == arrival.files


def test_entry_is_replaced_in_state_arrivals_and_reason_only(ledger: Ledger) -> None:
    entry = make_entry()
    ledger.put_entry(entry)
    assert ledger.entry("ward", entry.id) == entry
    ledger.put_entry(
        replace(
            entry, state=EntryState.REJECTED, arrivals=("a", "b"), reason="no DICOM", seen_at=at(50), key="x"
        )
    )
    expected = replace(entry, state=EntryState.REJECTED, arrivals=("a", "b"), reason="no DICOM")
    assert ledger.entry("ward", entry.id) == expected
    assert ledger.entry("ward", "nothing") is None


def test_entries_newest_first_and_unsettled_oldest_first(ledger: Ledger) -> None:
    entries = [make_entry(f"input/{n}.zip", seen_at=at(n // 2)) for n in range(5)]
    for entry in entries:
        ledger.put_entry(entry)
    ledger.put_entry(replace(entries[2], state=EntryState.SETTLED))
    assert [e.key for e in ledger.entries("ward")] == [f"input/{n}.zip" for n in (4, 3, 2, 1, 0)]
    assert [e.key for e in ledger.entries("ward", limit=2)] == ["input/4.zip", "input/3.zip"]
    assert [e.key for e in ledger.unsettled_entries("ward")] == [f"input/{n}.zip" for n in (0, 1, 3, 4)]


@pytest.mark.parametrize("key", ["input/Müller^Jörg.zip", "input/\udce9tude.zip", "input/a'b\"c;--\\.zip"])
def test_any_file_name_is_kept_as_it_is(ledger: Ledger, key: str) -> None:
    entry = replace(make_entry(), key=key)
    ledger.put_entry(entry)
    assert ledger.entry("ward", entry.id) == entry


# Decisions and releases


def test_newest_decision_is_kept_in_the_first_ones_place(ledger: Ledger) -> None:
    arrival = make_arrival()
    ledger.add_decisions([make_decision(arrival, "b"), make_decision(arrival, "a")])
    newer = make_decision(arrival, "b", matched=False, decided_at=at(9))
    ledger.add_decisions([newer])
    assert ledger.decisions("ward", arrival.id) == [newer, make_decision(arrival, "a")]
    ledger.add_decisions([])
    assert ledger.decisions("ward", "other") == []


def test_a_decision_of_before_its_grounds_were_kept_has_its_sentence(ledger: Ledger) -> None:
    old = replace(make_decision(ledger.add_arrival(make_arrival(1))), because=None)
    ledger.add_decisions([old])
    assert ledger.decisions("ward", old.arrival_id) == [old]


def test_first_release_of_a_digest_stays(ledger: Ledger) -> None:
    ledger.add_release(make_release("a"))
    ledger.add_release(make_release("b", added_at=at(5)))
    ledger.add_release(make_release("a", added_at=at(9)))
    assert ledger.releases() == [make_release("b", added_at=at(5)), make_release("a")]


# Jobs: adding


def test_same_job_twice_is_one(ledger: Ledger) -> None:
    job = make_job()
    assert ledger.enqueue(job) == (job, True)
    assert ledger.enqueue(replace(job, created_at=at(5), priority=9)) == (job, False)
    assert ledger.jobs("ward", EVERY) == [job]
    assert [e.action for e in ledger.events("ward", job_id=job.id)] == ["job.enqueue"]


def test_another_release_is_another_job(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    assert ledger.enqueue(make_job(pipeline=make_pipeline(release="sha256:bb")))[1]


def test_unknown_job_is_not_found(ledger: Ledger) -> None:
    for call in (ledger.cancel, ledger.redrive, ledger.rerun):
        with pytest.raises(NotFound):
            call("ward", "nothing", T0)
    with pytest.raises(NotFound):
        ledger.job("ward", "nothing")
    with pytest.raises(NotFound):
        ledger.set_priority("ward", "nothing", 1, T0)


def test_values_that_json_cannot_hold_are_refused(ledger: Ledger) -> None:
    stage = replace(make_pipeline().stages[0], settings={"threshold": float("nan")})
    with pytest.raises(UsageError, match="settings of stage stage0"):
        ledger.enqueue(make_job(pipeline=Pipeline(name="p", stages=(stage,))))
    ledger.enqueue(make_job())
    lease = must_take(ledger)
    with pytest.raises(UsageError, match="summary"):
        ledger.complete(lease, replace(make_result(lease), summary={"mean_hu": float("inf")}), now=T0)
    assert ledger.job("ward", lease.job.id).state is JobState.RUNNING


# Jobs: leasing


def test_lease_counts_the_attempt_and_the_fence(ledger: Ledger) -> None:
    job, _ = ledger.enqueue(make_job())
    lease = must_take(ledger, now=at(3), worker="host-1", lease_s=30)
    assert lease == Lease(job=lease.job, worker="host-1", fence=1, until=at(33))
    expected = replace(
        job,
        state=JobState.RUNNING,
        worker="host-1",
        fence=1,
        attempts=1,
        lease_until=at(33),
        started_at=at(3),
    )
    assert lease.job == expected == ledger.job("ward", job.id)
    assert take(ledger) is None


def test_highest_priority_then_oldest_then_first_enqueued(ledger: Ledger) -> None:
    jobs = [
        make_job(make_arrival(n), priority=priority, created_at=at(seconds))
        for n, (priority, seconds) in enumerate([(0, 5), (0, 1), (7, 9), (0, 5), (7, 8), (-1, 0)], start=1)
    ]
    for job in jobs:
        ledger.enqueue(job)
    order = [must_take(ledger, now=at(100)).job.id for _ in jobs]
    assert order == [jobs[n].id for n in (4, 2, 1, 0, 3, 5)]


def test_pools_are_separate_queues_and_none_named_is_every_pool(ledger: Ledger) -> None:
    cpu = make_job(make_arrival(1), make_pipeline(pools=("cpu",)), priority=1)
    gpu = make_job(make_arrival(2), make_pipeline(pools=("gpu",)), priority=5)
    more = make_job(make_arrival(3), make_pipeline(pools=("more",)), priority=9)
    for job in (cpu, gpu, more):
        ledger.enqueue(job)
    assert ledger.depth() == {"cpu": 1, "gpu": 1, "more": 1}
    assert take(ledger, "default") is None
    assert must_take(ledger, "cpu", "gpu").job.id == gpu.id
    assert must_take(ledger, "cpu", "gpu").job.id == cpu.id
    anything = ledger.lease(pools=(), worker="w", now=T0, lease_s=1)
    assert anything is not None and anything.job.id == more.id
    assert ledger.depth() == {}


def test_delayed_job_waits_but_counts_as_depth(ledger: Ledger) -> None:
    ledger.enqueue(make_job(not_before=at(60)))
    assert take(ledger, now=at(59.999999)) is None
    assert ledger.depth() == {"default": 1}
    assert take(ledger, now=at(60)) is not None


def test_set_priority_moves_a_queued_job_only(ledger: Ledger) -> None:
    first, _ = ledger.enqueue(make_job(make_arrival(1)))
    second, _ = ledger.enqueue(make_job(make_arrival(2), created_at=at(1)))
    changed = ledger.set_priority("ward", second.id, 3, at(2))
    assert changed == replace(second, priority=3) == ledger.job("ward", second.id)
    assert must_take(ledger, now=at(2)).job.id == second.id
    with pytest.raises(UsageError):
        ledger.set_priority("ward", second.id, 1, at(3))
    assert must_take(ledger, now=at(2)).job.id == first.id


# Jobs: under a lease


def test_extend_moves_the_end_and_notes_progress(ledger: Ledger) -> None:
    job, _ = ledger.enqueue(make_job())
    lease = must_take(ledger, lease_s=10)
    longer = ledger.extend(lease, now=at(8), lease_s=10, progress=0.25, doing="forward")
    assert (longer.fence, longer.until, longer.worker) == (1, at(18), "w1")
    found = ledger.job("ward", job.id)
    assert longer.job == found
    assert (found.progress, found.doing, found.lease_until) == (0.25, "forward", at(18))
    assert ledger.expire(at(17)) == []
    assert [e.action for e in ledger.events("ward", job_id=job.id)] == ["job.enqueue", "job.lease"]


def test_a_late_heartbeat_before_anyone_noticed_still_holds(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    lease = must_take(ledger, lease_s=10)
    assert ledger.extend(lease, now=at(20), lease_s=10, progress=0, doing="").until == at(30)


def test_advance_goes_to_the_next_queue_with_fresh_attempts(ledger: Ledger) -> None:
    pipeline = make_pipeline(pools=("cpu", "gpu"))
    ledger.enqueue(make_job(pipeline=pipeline))
    lease = must_take(ledger, "cpu")
    with pytest.raises(UsageError, match="stage1 follows"):
        ledger.complete(lease, make_result(lease), now=at(1))
    lease = ledger.extend(lease, now=at(1), lease_s=60, progress=0.5, doing="reading")
    job = ledger.advance(lease, now=at(2))
    assert job == ledger.job("ward", job.id)
    assert (job.stage_index, job.state, job.attempts, job.progress, job.doing) == (
        1,
        JobState.QUEUED,
        0,
        0.0,
        "",
    )
    assert job.lease_until is None
    assert take(ledger, "cpu", now=at(3)) is None
    second = must_take(ledger, "gpu", now=at(3))
    assert (second.fence, second.job.attempts, second.job.started_at) == (2, 1, T0)
    with pytest.raises(StaleLease):
        ledger.advance(lease, now=at(4))
    with pytest.raises(UsageError, match="last"):
        ledger.advance(second, now=at(4))
    done = ledger.complete(second, make_result(second), now=at(5))
    assert (done.state, done.progress, done.ended_at) == (JobState.SUCCEEDED, 1.0, at(5))


def test_fail_waits_for_its_back_off(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    job = ledger.fail(must_take(ledger), FAILURE, now=at(1), retry_at=at(11))
    assert (job.state, job.failure, job.attempts, job.not_before) == (JobState.QUEUED, FAILURE, 1, at(11))
    assert job.ended_at is None
    assert take(ledger, now=at(10)) is None
    again = must_take(ledger, now=at(11))
    assert (again.job.attempts, again.fence, again.job.failure) == (2, 2, FAILURE)


def test_fail_without_retry_is_dead(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    job = ledger.fail(must_take(ledger), FAILURE, now=at(1), retry_at=None)
    assert (job.state, job.failure, job.ended_at) == (JobState.DEAD, FAILURE, at(1))
    assert take(ledger, now=at(1000)) is None


def test_reject_ends_the_job_with_its_reason(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    why = replace(FAILURE, error="InputRejected")
    job = ledger.reject(must_take(ledger), why, now=at(1))
    assert (job.state, job.failure, job.ended_at) == (JobState.REJECTED, why, at(1))
    assert ledger.result("ward", job.id) is None


def test_give_back_does_not_count(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    lease = must_take(ledger)
    job = ledger.give_back(lease, now=at(1))
    assert (job.state, job.attempts, job.fence, job.lease_until) == (JobState.QUEUED, 0, 1, None)
    assert must_take(ledger, now=at(1)).fence == 2
    with pytest.raises(StaleLease):
        ledger.give_back(lease, now=at(2))


def test_every_write_under_an_old_fence_is_refused(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    old = must_take(ledger, lease_s=10)
    ledger.expire(at(10))
    new = must_take(ledger, now=at(10), worker="w2")
    assert (new.job.attempts, new.fence) == (2, 2)
    writes: list[Callable[[], object]] = [
        lambda: ledger.extend(old, now=at(11), lease_s=10, progress=0, doing=""),
        lambda: ledger.advance(old, now=at(11)),
        lambda: ledger.complete(old, make_result(old), now=at(11)),
        lambda: ledger.fail(old, FAILURE, now=at(11), retry_at=None),
        lambda: ledger.reject(old, FAILURE, now=at(11)),
        lambda: ledger.give_back(old, now=at(11)),
    ]
    for write in writes:
        with pytest.raises(StaleLease, match="worker w1 is lost"):
            write()
    assert ledger.job("ward", new.job.id) == new.job
    assert ledger.result("ward", new.job.id) is None


def test_expired_lease_queues_again_and_the_last_one_buries(ledger: Ledger) -> None:
    ledger.enqueue(make_job(pipeline=make_pipeline(max_attempts=2)))
    must_take(ledger, lease_s=10)
    assert ledger.expire(at(9.999)) == []
    (job,) = ledger.expire(at(10))
    assert job == ledger.job("ward", job.id)
    assert (job.state, job.attempts, job.not_before, job.lease_until) == (JobState.QUEUED, 1, at(10), None)
    assert job.failure is not None
    assert "worker w1 lost contact" in job.failure.message
    assert job.failure.error in BY_NAME
    assert "attempt 1 of 2" in job.failure.message
    assert "2026-03-01T08:30:25+00:00" in job.failure.message
    must_take(ledger, now=at(20), lease_s=10)
    (dead,) = ledger.expire(at(40))
    assert (dead.state, dead.attempts, dead.ended_at) == (JobState.DEAD, 2, at(40))
    assert ledger.expire(at(99)) == []
    actions = [e.action for e in ledger.events("ward", job_id=job.id)]
    assert actions == ["job.enqueue", "job.lease", "job.expire", "job.lease", "job.exhaust"]


def test_cancel_takes_a_running_job_from_its_worker(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    lease = must_take(ledger)
    job = ledger.cancel("ward", lease.job.id, at(1))
    assert (job.state, job.ended_at, job.lease_until) == (JobState.CANCELLED, at(1), None)
    with pytest.raises(StaleLease, match="cancelled"):
        ledger.extend(lease, now=at(2), lease_s=10, progress=0.1, doing="")
    assert ledger.expire(at(1000)) == []


def test_cancel_a_queued_job_and_never_an_ended_one(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    ledger.cancel("ward", make_job().id, T0)
    assert take(ledger) is None
    with pytest.raises(UsageError, match="cancelled"):
        ledger.cancel("ward", make_job().id, T0)


def test_redrive_gives_fresh_attempts_at_the_same_stage(ledger: Ledger) -> None:
    ledger.enqueue(make_job(pipeline=make_pipeline(pools=("cpu", "gpu"))))
    ledger.advance(must_take(ledger, "cpu"), now=at(1))
    dead = ledger.fail(must_take(ledger, "gpu", now=at(1)), FAILURE, now=at(2), retry_at=None)
    job = ledger.redrive("ward", dead.id, at(50))
    assert (job.state, job.attempts, job.stage_index, job.not_before) == (JobState.QUEUED, 0, 1, at(50))
    assert (job.ended_at, job.fence) == (None, 2)
    with pytest.raises(UsageError):
        ledger.redrive("ward", dead.id, at(51))
    assert must_take(ledger, "gpu", now=at(50)).fence == 3
    ledger.cancel("ward", dead.id, at(60))
    assert ledger.redrive("ward", dead.id, at(61)).state is JobState.QUEUED


def test_a_succeeded_job_is_not_redriven(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    with pytest.raises(UsageError, match="succeeded"):
        ledger.redrive("ward", finish(ledger).id, at(1))


def test_every_move_leaves_a_line(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    ledger.fail(must_take(ledger), FAILURE, now=at(1), retry_at=at(2))
    ledger.give_back(must_take(ledger, now=at(2), worker="w2"), now=at(3))
    job = finish(ledger, now=at(4))
    lines = ledger.events("ward", job_id=job.id)
    assert [e.action for e in lines] == [
        "job.enqueue",
        "job.lease",
        "job.retry_later",
        "job.lease",
        "job.give_back",
        "job.lease",
        "job.complete",
    ]
    assert [e.attempt for e in lines] == [0, 1, 1, 2, 2, 2, 2]
    assert [e.worker for e in lines] == ["", "w1", "w1", "w2", "w2", "w1", "w1"]
    assert lines[2].detail == "ModelFailed: child ended with status 139"
    assert {e.stage for e in lines} == {"stage0"}
    assert ledger.events("ward", arrival_id=job.arrival_id) == lines
    assert ledger.events("ward", job_id="other") == []


def test_ended_states_are_left_only_by_redrive() -> None:
    assert {event for (state, event) in TRANSITIONS if state in ENDED} == {JobEvent.REDRIVE}


# Results


def test_complete_makes_the_result_current(ledger: Ledger) -> None:
    ledger.enqueue(make_job())
    lease = must_take(ledger)
    assert ledger.result("ward", lease.job.id) is None
    result = make_result(lease, created_at=at(9))
    job = ledger.complete(lease, replace(result, superseded_by="nonsense"), now=at(9))
    assert job == ledger.job("ward", job.id)
    assert (job.state, job.progress, job.ended_at, job.failure) == (JobState.SUCCEEDED, 1.0, at(9), None)
    assert ledger.result("ward", job.id) == result
    assert ledger.results("ward") == [result]
    with pytest.raises(StaleLease):
        ledger.complete(lease, result, now=at(10))


def test_result_of_another_job_is_refused(ledger: Ledger) -> None:
    ledger.enqueue(make_job(make_arrival(1)))
    lease = must_take(ledger)
    with pytest.raises(UsageError):
        ledger.complete(lease, replace(make_result(lease), job_id="other"), now=T0)
    with pytest.raises(UsageError):
        ledger.complete(lease, replace(make_result(lease), tenant="clinic"), now=T0)


def versions(ledger: Ledger, count: int) -> list[Arrival]:
    return [ledger.add_arrival(make_arrival(*range(1, n + 2))) for n in range(count)]


def test_a_later_version_supersedes(ledger: Ledger) -> None:
    first, second = versions(ledger, 2)
    old, _ = ledger.enqueue(make_job(first))
    finish(ledger, now=at(1))
    new, _ = ledger.enqueue(make_job(second))
    finish(ledger, now=at(2))
    assert [(r.job_id, r.superseded_by) for r in ledger.results("ward", current_only=False)] == [
        (new.id, ""),
        (old.id, new.id),
    ]
    assert [r.job_id for r in ledger.results("ward")] == [new.id]
    for offset, expected in ((0, [new.id]), (1, [old.id]), (2, [])):
        page = ledger.results("ward", current_only=False, limit=1, offset=offset)
        assert [r.job_id for r in page] == expected
    lines = [e for e in ledger.events("ward", job_id=old.id) if e.action == "result.superseded"]
    assert [e.detail for e in lines] == [new.id]


def test_a_late_result_of_an_early_version_is_born_superseded(ledger: Ledger) -> None:
    first, second, third = versions(ledger, 3)
    old, _ = ledger.enqueue(make_job(first))
    lease = must_take(ledger)
    mid, _ = ledger.enqueue(make_job(second))
    finish(ledger, now=at(1))
    new, _ = ledger.enqueue(make_job(third))
    finish(ledger, now=at(2))
    ledger.complete(lease, make_result(lease, created_at=at(3)), now=at(3))
    found = {r.job_id: r.superseded_by for r in ledger.results("ward", current_only=False)}
    assert found == {old.id: new.id, mid.id: new.id, new.id: ""}


def test_two_rules_and_two_releases_are_four_current_results(ledger: Ledger) -> None:
    arrival = ledger.add_arrival(make_arrival())
    for release in ("sha256:aa", "sha256:bb"):
        for name in ("spleen", "liver"):
            ledger.enqueue(make_job(arrival, make_pipeline(name, release=release)))
            finish(ledger)
    assert len(ledger.results("ward", subject="1.2.3")) == 4
    assert ledger.results("ward", subject="1.2") == []


def test_rerun_is_the_next_run_and_supersedes(ledger: Ledger) -> None:
    job, _ = ledger.enqueue(make_job(priority=4))
    with pytest.raises(UsageError, match="still queued"):
        ledger.rerun("ward", job.id, at(1))
    finish(ledger)
    again = ledger.rerun("ward", job.id, at(5))
    assert again == replace(job, id=f"{job.id}.r1", run=1, created_at=at(5), not_before=at(5))
    assert ledger.job("ward", again.id) == again
    for either in (job.id, again.id):
        with pytest.raises(UsageError, match=r"\.r1: still queued"):
            ledger.rerun("ward", either, at(6))
    finish(ledger, now=at(6))
    third = ledger.rerun("ward", job.id, at(7))
    assert (third.id, third.run) == (f"{job.id}.r2", 2)
    assert [r.job_id for r in ledger.results("ward")] == [again.id]
    assert [e.action for e in ledger.events("ward", job_id=third.id)] == ["job.rerun"]


def test_a_run_of_an_earlier_version_does_not_supersede_a_later_version(ledger: Ledger) -> None:
    first, second = versions(ledger, 2)
    old, _ = ledger.enqueue(make_job(first))
    finish(ledger)
    new, _ = ledger.enqueue(make_job(second))
    finish(ledger)
    ledger.rerun("ward", old.id, at(1))
    finish(ledger, now=at(1))
    assert [r.job_id for r in ledger.results("ward")] == [new.id]


# Lists


def test_jobs_are_filtered_and_paged_newest_first(ledger: Ledger) -> None:
    jobs = []
    for n in range(1, 7):
        arrival = make_arrival(n, subject="even" if n % 2 == 0 else "odd")
        jobs.append(make_job(arrival, make_pipeline("liver" if n == 3 else "spleen"), created_at=at(n // 3)))
        ledger.enqueue(jobs[-1])
    ids = [job.id for job in reversed(jobs)]

    def listed(where: JobFilter = EVERY, **paging: int) -> list[str]:
        return [job.id for job in ledger.jobs("ward", where, **paging)]

    assert listed() == ids
    assert listed(limit=2) + listed(limit=2, offset=2) + listed(limit=9, offset=4) == ids
    assert listed(JobFilter(subject="even")) == [jobs[n].id for n in (5, 3, 1)]
    assert listed(JobFilter(arrival_id=jobs[0].arrival_id)) == [jobs[0].id]
    assert listed(JobFilter(pipeline="liver", subject="odd")) == [jobs[2].id]
    taken = must_take(ledger, now=at(9)).job.id
    assert listed(JobFilter(states=frozenset({JobState.RUNNING, JobState.DEAD}))) == [taken]
    assert len(listed(JobFilter(states=frozenset({JobState.QUEUED})))) == 5


def test_results_are_newest_first_and_of_one_subject(ledger: Ledger) -> None:
    for n, subject in enumerate(("a", "b", "a"), start=1):
        arrival = ledger.add_arrival(make_arrival(n * 10, subject=subject))
        ledger.enqueue(make_job(arrival, make_pipeline(f"p{n}")))
        finish(ledger, now=at(n // 2))
    found = [ledger.job("ward", r.job_id).pipeline.name for r in ledger.results("ward")]
    assert found == ["p3", "p2", "p1"]
    assert len(ledger.results("ward", subject="a")) == 2


def test_events_can_be_added_and_stay_in_order(ledger: Ledger) -> None:
    events = [
        LedgerEvent(at=at(9 - n), tenant="ward", action="intake.take", arrival_id="a", detail=str(n))
        for n in range(4)
    ]
    for event in events:
        ledger.add_event(event)
    assert ledger.events("ward", arrival_id="a") == events
    assert ledger.events("ward") == events


# Tenants, times, text


def test_two_tenants_never_meet(ledger: Ledger) -> None:
    """The same study in both: every id that is not salted by the tenant is the same."""
    for tenant in ("ward", "clinic"):
        arrival = ledger.add_arrival(make_arrival(1, tenant=tenant))
        assert arrival.version == 1
        ledger.put_entry(replace(make_entry(tenant=tenant), id="same", reason=tenant))
        ledger.add_decisions([replace(make_decision(arrival), reason=tenant)])
        job = replace(make_job(arrival), id="same", identity="same", rule=tenant)
        assert ledger.enqueue(job) == (job, True)
    for tenant in ("ward", "clinic"):
        arrival_id = make_arrival(1).id
        assert ledger.arrival(tenant, arrival_id).tenant == tenant
        assert ledger.job(tenant, "same").rule == tenant
        entry = ledger.entry(tenant, "same")
        assert entry is not None and entry.reason == tenant
        assert [d.reason for d in ledger.decisions(tenant, arrival_id)] == [tenant]
        assert [e.tenant for e in ledger.entries(tenant)] == [tenant]
        assert [e.tenant for e in ledger.unsettled_entries(tenant)] == [tenant]
        assert [e.tenant for e in ledger.events(tenant, job_id="same")] == [tenant]
        newest = ledger.newest_arrival(tenant, "1.2.3")
        assert newest is not None and newest.tenant == tenant
    ledger.set_priority("clinic", "same", 5, T0)
    assert ledger.job("ward", "same").priority == 0
    lease = must_take(ledger)
    assert lease.job.tenant == "clinic"
    assert ledger.job("ward", "same").state is JobState.QUEUED
    ledger.complete(lease, make_result(lease), now=T0)
    assert ledger.result("ward", "same") is None
    assert ledger.results("ward") == []
    assert ledger.rerun("clinic", "same", at(1)).run == 1
    with pytest.raises(UsageError):
        ledger.rerun("ward", "same", at(1))
    ledger.cancel("ward", "same", at(2))
    assert ledger.job("clinic", "same").state is JobState.SUCCEEDED
    for call in (ledger.cancel, ledger.redrive, ledger.rerun):
        with pytest.raises(NotFound):
            call("third", "same", T0)
    assert ledger.jobs("third", EVERY) == []


def test_results_supersede_within_a_tenant_only(ledger: Ledger) -> None:
    expected = {}
    for tenant in ("ward", "clinic"):
        ids = []
        for arrival in (make_arrival(1, tenant=tenant), make_arrival(1, 2, tenant=tenant)):
            job, _ = ledger.enqueue(make_job(ledger.add_arrival(arrival)))
            ids.append(job.id)
        expected[tenant] = {ids[0]: ids[1], ids[1]: ""}
    for _ in range(4):
        finish(ledger)
    for tenant, superseded in expected.items():
        found = ledger.results(tenant, current_only=False)
        assert {result.job_id: result.superseded_by for result in found} == superseded


def test_times_come_back_aware_and_in_utc(ledger: Ledger) -> None:
    job, _ = ledger.enqueue(make_job())
    assert ledger.job("ward", job.id).created_at.utcoffset() == timedelta(0)
    assert must_take(ledger).until.utcoffset() == timedelta(0)
    arrival = ledger.add_arrival(make_arrival(received_at=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)))
    assert ledger.arrival("ward", arrival.id).received_at == datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_text_of_a_child_gone_mad_does_not_stop_the_ledger(ledger: Ledger) -> None:
    """What a child says is not ours: NUL and lone surrogates may be in it."""
    ledger.enqueue(make_job())
    lease = must_take(ledger)
    lease = ledger.extend(lease, now=T0, lease_s=60, progress=0.5, doing="for\x00ward \udcff")
    assert ledger.job("ward", lease.job.id).doing.startswith("for")
    mad = replace(FAILURE, message="exit \x00 \udcff \N{SNOWMAN}")
    job = ledger.fail(lease, mad, now=T0, retry_at=None)
    assert job.failure is not None and "\N{SNOWMAN}" in job.failure.message
    assert ledger.job("ward", job.id).state is JobState.DEAD
    assert ledger.events("ward", job_id=job.id)[-1].action == "job.exhaust"
