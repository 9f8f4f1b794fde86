"""When a job will end: told from what is known, and not told where nothing is."""

from datetime import timedelta

import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.job import JobState
from bedside.following.estimate import KEPT_S, Estimate, Estimator
from bedside.ports import JobFilter
from follow_samples import FAILURE, LIVER, SPLEEN, done, queued, study
from ledger_samples import make_pipeline


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def took(ledger: MemoryLedger, clock: ManualClock, *durations_s: float, worker: str = "w1") -> None:
    """Let jobs end that took so long, one after the other, a few minutes ago."""
    at = clock.now() - timedelta(seconds=sum(durations_s) + 60)
    for number, seconds in enumerate(durations_s):
        queued(ledger, study(ledger, 500 + number, at), at)
        done(ledger, at, seconds=seconds, worker=worker)
        at += timedelta(seconds=seconds)


def estimate(ledger: MemoryLedger, clock: ManualClock, job_id: str) -> Estimate:
    return Estimator(ledger, clock).of([ledger.job("default", job_id)])[job_id]


def test_nothing_is_told_where_nothing_is_known(ledger: MemoryLedger, clock: ManualClock) -> None:
    job = queued(ledger, study(ledger, 1, clock.now()), clock.now())
    assert estimate(ledger, clock, job.id) == Estimate()
    ledger.lease(pools=(), worker="w", now=clock.now(), lease_s=60)
    assert estimate(ledger, clock, job.id) == Estimate()


def test_a_running_job_ends_when_half_of_others_had(ledger: MemoryLedger, clock: ManualClock) -> None:
    took(ledger, clock, 30, 40, 90)
    job = queued(ledger, study(ledger, 1, clock.now()), clock.now())
    ledger.lease(pools=(), worker="w", now=clock.now(), lease_s=600)
    began = clock.now()
    found = estimate(ledger, clock, job.id)
    assert (found.ends_at, found.runs, found.usual_s) == (began + timedelta(seconds=40), 3, 40)
    clock.advance(60)  # longer than the median, no longer than the longest: any moment
    found = estimate(ledger, clock, job.id)
    assert (found.ends_at, found.is_late) == (clock.now(), False)
    clock.advance(31)
    found = estimate(ledger, clock, job.id)
    assert (found.ends_at, found.is_late, found.usual_s) == (None, True, 40)


def test_a_queued_job_ends_after_those_before_it_shared_among_the_workers(
    ledger: MemoryLedger, clock: ManualClock
) -> None:
    took(ledger, clock, 40, 40, worker="w1")
    took_by_other = [queued(ledger, study(ledger, n, clock.now()), clock.now()) for n in (1, 2, 3, 4)]
    ledger.lease(pools=(), worker="w2", now=clock.now(), lease_s=600)
    found = estimate(ledger, clock, took_by_other[3].id)
    # Two are before it, two workers: one round of 40 s, and its own 40 s.
    assert (found.before, found.workers, found.runs) == (2, 2, 2)
    assert found.ends_at == clock.now() + timedelta(seconds=80)


def test_no_end_is_told_where_no_worker_was_seen_lately_but_the_place_in_line_is(
    ledger: MemoryLedger, clock: ManualClock
) -> None:
    took(ledger, clock, 40)
    clock.advance(3600)
    queued(ledger, study(ledger, 1, clock.now()), clock.now())
    job = queued(ledger, study(ledger, 2, clock.now()), clock.now())
    found = estimate(ledger, clock, job.id)
    assert (found.ends_at, found.before, found.workers) == (None, 1, 0)


def test_another_pipelines_jobs_say_nothing(ledger: MemoryLedger, clock: ManualClock) -> None:
    took(ledger, clock, 40)
    job = queued(ledger, study(ledger, 1, clock.now()), clock.now(), LIVER)
    assert estimate(ledger, clock, job.id).runs == 0


def test_a_job_that_waits_for_an_attempt_ends_after_it(ledger: MemoryLedger, clock: ManualClock) -> None:
    took(ledger, clock, 40)
    job = queued(ledger, study(ledger, 1, clock.now()), clock.now())
    lease = ledger.lease(pools=(), worker="w1", now=clock.now(), lease_s=600)
    assert lease is not None
    later = clock.now() + timedelta(seconds=300)
    ledger.fail(lease, FAILURE, now=clock.now(), retry_at=later)
    assert estimate(ledger, clock, job.id).ends_at == later + timedelta(seconds=40)


def test_the_back_off_of_a_job_is_not_taken_for_work(ledger: MemoryLedger, clock: ManualClock) -> None:
    begun = clock.now() - timedelta(seconds=600)
    queued(ledger, study(ledger, 1, begun), begun)
    lease = ledger.lease(pools=(), worker="w1", now=begun, lease_s=600)
    assert lease is not None
    again = begun + timedelta(seconds=500)
    ledger.fail(lease, FAILURE, now=begun, retry_at=again)
    done(ledger, again, seconds=20)
    assert Estimator(ledger, clock).usual("default", SPLEEN.name).median_s == 20


def test_stages_count_together(ledger: MemoryLedger, clock: ManualClock) -> None:
    begun = clock.now() - timedelta(seconds=600)
    queued(ledger, study(ledger, 1, begun), begun, make_pipeline("two", pools=("default", "default")))
    lease = ledger.lease(pools=(), worker="w1", now=begun, lease_s=600)
    assert lease is not None
    ledger.advance(lease, now=begun + timedelta(seconds=100))
    done(ledger, begun + timedelta(seconds=110), seconds=30)
    assert Estimator(ledger, clock).usual("default", "two").median_s == 140


def test_what_is_usual_is_looked_up_once_in_a_while(ledger: MemoryLedger, clock: ManualClock) -> None:
    estimator = Estimator(ledger, clock)
    assert estimator.usual("default", "spleen").runs == 0
    took(ledger, clock, 40)
    assert estimator.usual("default", "spleen").runs == 0
    clock.advance(KEPT_S + 1)
    assert estimator.usual("default", "spleen").runs == 1
    assert ledger.job_counts("default", JobFilter()) == {JobState.SUCCEEDED: 1}
