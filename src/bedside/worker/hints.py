"""Whoever makes a job queued tells its pool, which may have no machine awake.

Owns the order (first the ledger, then the hint) and that a hint is never the truth: one that cannot be
sent is logged and changes nothing. What got lost so is told again by a `Reminder`, because a pool at zero
machines looks at its queue only.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from bedside.domain.job import Failure, Job, JobState, Lease
from bedside.errors import BedsideError
from bedside.log import Log, silent
from bedside.ports import Clock, JobFilter, Ledger
from bedside.ports.hints import Hints

#: A pool that could not be told is told nothing for so long: a thousand jobs that move at once, of a machine
#: that was lost or by a person's word, would each wait for a queue that does not answer.
PAUSE_S = 30.0
#: Jobs of one look of the reminder.
_PAGE = 200


class HintedLedger:
    """A ledger whose moves that make a job queued send one hint each. Everything else is the ledger's own.

    A job that is due later than a hint can be delayed (900 s on SQS) is told of earlier. That wakes a
    machine too soon, and no job is forgotten: the message stays until the job is done in that pool.

    Args:
        ledger: The truth.
        hints: Tells the pools.
        clock: Says how long it is until a job is due.
        log: Takes notes.
    """

    def __init__(self, ledger: Ledger, hints: Hints, clock: Clock, log: Log = silent) -> None:
        self._ledger = ledger
        self._hints = hints
        self._clock = clock
        self._log = log
        self._silent_until: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def enqueue(self, job: Job) -> tuple[Job, bool]:
        """Add a job, or return the one of the same tenant and id; only a new one is told of."""
        recorded, new = self._ledger.enqueue(job)
        return (self._told(recorded) if new else recorded), new

    def rerun(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Add the next run of an ended job."""
        return self._told(self._ledger.rerun(tenant, job_id, now))

    def redrive(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Queue a dead or cancelled job again."""
        return self._told(self._ledger.redrive(tenant, job_id, now))

    def advance(self, lease: Lease, *, now: datetime) -> Job:
        """Move the job to the queue of its next stage, which may be another pool's."""
        return self._told(self._ledger.advance(lease, now=now))

    def fail(self, lease: Lease, failure: Failure, *, now: datetime, retry_at: datetime | None) -> Job:
        """End the attempt badly; a dead job is told to nobody."""
        return self._told(self._ledger.fail(lease, failure, now=now, retry_at=retry_at))

    def give_back(self, lease: Lease, *, now: datetime) -> Job:
        """Return the job to its queue at once."""
        return self._told(self._ledger.give_back(lease, now=now))

    def expire(self, now: datetime) -> Sequence[Job]:
        """Queue again, or bury, all jobs whose lease ran out."""
        return [self._told(job) for job in self._ledger.expire(now)]

    def _told(self, job: Job) -> Job:
        pool = job.stage.pool
        if job.state is not JobState.QUEUED or self._clock.monotonic() < self._silent_until.get(pool, 0.0):
            return job
        if not tell(job, self._hints, self._clock, self._log):
            self._silent_until[pool] = self._clock.monotonic() + PAUSE_S
        return job


def hinting(ledger: Ledger, hints: Hints, clock: Clock, log: Log = silent) -> Ledger:
    """Return a ledger that tells the pools of jobs; see `HintedLedger`."""
    # A cast, because forty calls that only pass on would say less than the one that does.
    return cast("Ledger", HintedLedger(ledger, hints, clock, log))


def tell(job: Job, hints: Hints, clock: Clock, log: Log) -> bool:
    """Send a hint of a queued job; return whether it went."""
    delay_s = max(0.0, (job.not_before - clock.now()).total_seconds())
    try:
        hints.send(job, delay_s=delay_s)
    except BedsideError as missing:
        log("hint.failed", tenant=job.tenant, job=job.id, pool=job.stage.pool, reason=missing.message)
        return False
    return True


class Reminder:
    """Tells pools again whose hints got lost: jobs wait in the ledger, and no message in the queue.

    Args:
        ledger: Says what waits.
        hints: Tells the pools.
        clock: Says how long it is until a job is due.
        tenants: Whose jobs.
        log: Takes notes.
    """

    def __init__(
        self, ledger: Ledger, hints: Hints, clock: Clock, tenants: Sequence[str], log: Log = silent
    ) -> None:
        self._ledger = ledger
        self._hints = hints
        self._clock = clock
        self._tenants = tenants  # may grow and shrink while this runs
        self._log = log

    def step(self) -> int:
        """Look once; return how many pools were told.

        One hint is enough: the machine that it wakes finds the rest in the ledger.

        Raises:
            Unavailable: The ledger is out of reach.
        """
        silent_pools = {pool for pool in self._ledger.depth() if self._is_silent(pool)}
        told = 0
        for job in self._first_of(silent_pools):
            if tell(job, self._hints, self._clock, self._log):
                self._log("hint.repeated", tenant=job.tenant, job=job.id, pool=job.stage.pool)
                told += 1
        return told

    def _is_silent(self, pool: str) -> bool:
        try:
            return self._hints.waiting(pool) == 0
        except BedsideError as missing:
            self._log("hint.failed", pool=pool, reason=missing.message)
            return False

    def _first_of(self, pools: set[str]) -> list[Job]:
        """Return a queued job of each pool, of any tenant."""
        queued = JobFilter(states=frozenset({JobState.QUEUED}))
        found: dict[str, Job] = {}
        for tenant in self._tenants:
            offset = 0
            while pools - set(found):
                page = self._ledger.jobs(tenant, queued, limit=_PAGE, offset=offset)
                if not page:
                    break
                offset += len(page)
                found |= {job.stage.pool: job for job in page if job.stage.pool in pools}
        return list(found.values())
