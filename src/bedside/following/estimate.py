"""When a job will probably end, and what that is based on; nothing where nothing is known.

Owns the honesty of it: a time is told only from how long the same pipeline took before, and for a job in
line from how many are before it and how many workers took jobs lately. A job that takes longer than the
ones before gets no new time, for there is nothing to base one on.
"""

import statistics
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bedside.domain.job import Job, JobState
from bedside.ports import Clock, JobFilter, Ledger
from bedside.ports.following import COUNTED_BEFORE

#: Of a pipeline, so many of its newest successful jobs say how long one takes.
RUNS = 20
#: A new release makes itself felt, and a page that is refreshed costs nothing.
KEPT_S = 15.0
#: Who has ended a job within so long is taken for at work.
AT_WORK = timedelta(minutes=15)
#: Of running jobs, so many are asked who holds them.
HELD = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How long the newest successful jobs of a pipeline took, from first lease to end.

    Attributes:
        runs: How many there were.
        median_s: Half of them took longer.
        longest_s: None took longer.
        workers: Who ended or holds one of them, lately.
    """

    runs: int
    median_s: float
    longest_s: float
    workers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a job will probably end.

    Attributes:
        ends_at: Then, or None where nothing is known, or where it takes longer than any before it.
        runs: Earlier jobs of the pipeline that it is based on.
        usual_s: How long they took, the median.
        is_late: It takes longer than any of them did.
        before: Of a queued job: how many are before it in line.
        is_before_more: There are more than were counted, so that it ends later than said.
        workers: Of a queued job: how many worked lately.
    """

    ends_at: datetime | None = None
    runs: int = 0
    usual_s: float = 0.0
    is_late: bool = False
    before: int = 0
    is_before_more: bool = False
    workers: int = 0


class Estimator:
    """Estimates jobs of a deployment; keeps for a while how long pipelines take. Safe between threads.

    Args:
        ledger: Where jobs are.
        clock: The time.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._usual: dict[tuple[str, str], tuple[float, Usual]] = {}

    def of(self, jobs: Iterable[Job]) -> Mapping[str, Estimate]:
        """Return an estimate of each job that has not ended, by its id."""
        now = self._clock.now()
        wanted = [job for job in jobs if job.state in (JobState.QUEUED, JobState.RUNNING)]
        return {job.id: self._one(job, now) for job in wanted}

    def usual(self, tenant: str, pipeline: str) -> Usual:
        """Return how long a pipeline's newest jobs took in a tenant."""
        at = self._clock.monotonic()
        key = (tenant, pipeline)
        with self._lock:
            known = self._usual.get(key)
        if known is not None and at - known[0] < KEPT_S:
            return known[1]
        well = JobFilter(states=frozenset({JobState.SUCCEEDED}), pipeline=pipeline)
        running = JobFilter(states=frozenset({JobState.RUNNING}), pipeline=pipeline)
        found = usual_of(
            self._ledger.jobs(tenant, well, limit=RUNS),
            self._ledger.jobs(tenant, running, limit=HELD),
            self._clock.now(),
        )
        with self._lock:
            self._usual[key] = (at, found)
        return found

    def _one(self, job: Job, now: datetime) -> Estimate:
        usual = self.usual(job.tenant, job.pipeline.name)
        if job.state is JobState.RUNNING:
            return of_running(job, usual, now)
        before = self._ledger.jobs_before(job)
        return of_queued(job, usual, now, before=before, is_more=before >= COUNTED_BEFORE)


def usual_of(ended: Sequence[Job], running: Sequence[Job], now: datetime) -> Usual:
    """Return how long some successful jobs took, and who works on such jobs."""
    took = [
        (job.ended_at - began).total_seconds()
        for job in ended
        if job.ended_at is not None and (began := _began(job)) is not None
    ]
    lately = [job for job in ended if job.ended_at is not None and now - job.ended_at < AT_WORK]
    workers = frozenset(job.worker for job in (*lately, *running))
    if not took:
        return Usual(runs=0, median_s=0.0, longest_s=0.0, workers=workers)
    return Usual(runs=len(took), median_s=statistics.median(took), longest_s=max(took), workers=workers)


def of_running(job: Job, usual: Usual, now: datetime) -> Estimate:
    """Return when a running job will end: when it began, and what is usual."""
    began = _began(job)
    if usual.runs == 0 or began is None:
        return Estimate()
    ends_at = began + timedelta(seconds=usual.median_s)
    if ends_at > now:
        return Estimate(ends_at=ends_at, runs=usual.runs, usual_s=usual.median_s)
    is_late = (now - began).total_seconds() > usual.longest_s
    # Between the median and the longest there is no better word than "any moment".
    return Estimate(
        ends_at=None if is_late else now, runs=usual.runs, usual_s=usual.median_s, is_late=is_late
    )


def of_queued(job: Job, usual: Usual, now: datetime, *, before: int, is_more: bool) -> Estimate:
    """Return when a queued job will end: after those before it, shared among the workers seen lately.

    Those before it are taken to last as long as this one usually does: of another tenant's jobs nothing
    more than their number is known here.
    """
    place = Estimate(before=before, is_before_more=is_more, workers=len(usual.workers))
    if usual.runs == 0 or not usual.workers:
        return place
    waits_s = before / len(usual.workers) * usual.median_s
    begins = max(now + timedelta(seconds=waits_s), job.not_before)
    return Estimate(
        ends_at=begins + timedelta(seconds=usual.median_s),
        runs=usual.runs,
        usual_s=usual.median_s,
        before=before,
        is_before_more=is_more,
        workers=len(usual.workers),
    )


def _began(job: Job) -> datetime | None:
    """Return when a job's last attempt may have begun, or of several stages the first one."""
    if job.started_at is None or len(job.pipeline.stages) > 1:
        return job.started_at
    return max(job.started_at, job.not_before)
