"""How a job changes with each event of its table: pure functions, the same for every ledger.

A ledger finds the job, asks here what becomes of it, and writes that together with the line of
history; nothing here reads a clock or a store. Kept apart from the ledgers because two spellings of
"the lease ran out" would let the tests' ledger and the real one drift.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bedside.domain.job import (
    ENDED,
    TRANSITIONS,
    Failure,
    Job,
    JobEvent,
    JobState,
    Lease,
    LedgerEvent,
    job_id,
)
from bedside.domain.release import Role
from bedside.errors import ErrorCode, StaleLease, UsageError, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One job's step through `TRANSITIONS`.

    Attributes:
        event: What happened.
        before: The job until now.
        after: The job from now on.
        at: When.
        detail: For the history; no patient data.
    """

    event: JobEvent
    before: Job
    after: Job
    at: datetime
    detail: str = ""

    @property
    def line(self) -> LedgerEvent:
        """The line that the history gets with this move, e.g. action ``"job.lease"``."""
        held = self.after if self.event is JobEvent.LEASE else self.before
        return LedgerEvent(
            at=self.at,
            tenant=self.before.tenant,
            action=f"job.{self.event.value}",
            arrival_id=self.before.arrival_id,
            job_id=self.before.id,
            stage=self.before.stage.name,
            attempt=held.attempts,
            worker=held.worker if JobState.RUNNING in (self.before.state, self.after.state) else "",
            detail=self.detail,
        )


def _next_state(job: Job, event: JobEvent) -> JobState:
    """Look the move up in the one table; what is not there cannot happen."""
    state = TRANSITIONS.get((job.state, event))
    if state is None:
        raise UsageError(
            f"job {job.id}: a {job.state.value} job has no move {event.value!r}",
            hint=f"bedside job show {job.id}",
            told=told(ErrorCode.JOB_NO_MOVE, state=job.state.value),
        )
    return state


def _ended_at(state: JobState, now: datetime) -> datetime | None:
    return now if state in ENDED else None


def _left(job: Job, event: JobEvent, now: datetime, failure: Failure | None) -> Job:
    """Return the job after it went out of a worker's hands."""
    state = _next_state(job, event)
    return replace(
        job,
        state=state,
        lease_until=None,
        progress=0.0,
        doing="",
        failure=failure,
        ended_at=_ended_at(state, now),
    )


def stale(lease: Lease, found: Job | None) -> StaleLease | None:
    """Return why a lease no longer holds for the job as recorded, or None while it does."""
    if found is not None and found.state is JobState.RUNNING and found.fence == lease.fence:
        return None
    now_is = "gone" if found is None else f"{found.state.value} under fence {found.fence}"
    return StaleLease(
        f"job {lease.job.id}: lease {lease.fence} of worker {lease.worker} is lost, the job is {now_is}",
        hint=f"bedside job show {lease.job.id}",
    )


def lease(job: Job, *, worker: str, now: datetime, lease_s: float) -> Move:
    """A worker takes the job; the attempt counts from here on."""
    after = replace(
        job,
        state=_next_state(job, JobEvent.LEASE),
        worker=worker,
        fence=job.fence + 1,
        attempts=job.attempts + 1,
        lease_until=now + timedelta(seconds=lease_s),
        started_at=job.started_at or now,
        progress=0.0,
        doing="",
    )
    return Move(event=JobEvent.LEASE, before=job, after=after, at=now)


def extend(job: Job, *, now: datetime, lease_s: float, progress: float, doing: str) -> Job:
    """Return the running job after a heartbeat, which is no move and leaves no line."""
    return replace(job, lease_until=now + timedelta(seconds=lease_s), progress=progress, doing=doing)


def advance(job: Job, now: datetime) -> Move:
    """A stage ended well: on to the queue of the next one.

    Raises:
        UsageError: It was the last stage.
    """
    if job.stage_index + 1 >= len(job.pipeline.stages):
        raise UsageError(f"job {job.id}: stage {job.stage.name} is the last of {len(job.pipeline.stages)}")
    after = replace(
        _left(job, JobEvent.ADVANCE, now, None), stage_index=job.stage_index + 1, attempts=0, not_before=now
    )
    return Move(event=JobEvent.ADVANCE, before=job, after=after, at=now, detail=after.stage.name)


def complete(job: Job, now: datetime) -> Move:
    """The last stage ended well.

    Raises:
        UsageError: Another stage follows.
    """
    if job.stage_index + 1 < len(job.pipeline.stages):
        following = job.pipeline.stages[job.stage_index + 1].name
        raise UsageError(f"job {job.id}: stage {following} follows {job.stage.name}")
    after = replace(_left(job, JobEvent.COMPLETE, now, None), progress=1.0)
    return Move(event=JobEvent.COMPLETE, before=job, after=after, at=now)


def fail(job: Job, failure: Failure, *, now: datetime, retry_at: datetime | None) -> Move:
    """An attempt ended badly: again at ``retry_at``, or dead where that is None."""
    if retry_at is None:
        event, after = JobEvent.EXHAUST, _left(job, JobEvent.EXHAUST, now, failure)
    else:
        event = JobEvent.RETRY_LATER
        after = replace(_left(job, event, now, failure), not_before=retry_at)
    return Move(event=event, before=job, after=after, at=now, detail=failure.line)


def reject(job: Job, failure: Failure, now: datetime) -> Move:
    """The input cannot be read correctly."""
    after = _left(job, JobEvent.REJECT, now, failure)
    return Move(event=JobEvent.REJECT, before=job, after=after, at=now, detail=failure.line)


def give_back(job: Job, now: datetime) -> Move:
    """The worker stops; the attempt does not count, and the last real failure stays on record."""
    after = replace(_left(job, JobEvent.GIVE_BACK, now, job.failure), attempts=max(0, job.attempts - 1))
    return Move(event=JobEvent.GIVE_BACK, before=job, after=after, at=now)


def expire(job: Job, now: datetime) -> Move:
    """The lease ran out: queued again, or dead after the last attempt."""
    until = job.lease_until.isoformat(timespec="seconds") if job.lease_until else "an unknown time"
    failure = Failure(
        error="Unavailable",
        message=(
            f"worker {job.worker} lost contact in stage {job.stage.name}: its lease ran out at {until}, "
            f"noticed at {now.isoformat(timespec='seconds')}, "
            f"attempt {job.attempts} of {job.pipeline.max_attempts}"
        ),
        hint="bedside doctor",
    )
    last = job.attempts >= job.pipeline.max_attempts
    event = JobEvent.EXHAUST if last else JobEvent.EXPIRE
    after = _left(job, event, now, failure)
    if not last:
        after = replace(after, not_before=now)
    return Move(event=event, before=job, after=after, at=now, detail=failure.line)


def cancel(job: Job, now: datetime) -> Move:
    """A person stopped it; a worker that holds it learns so at its next heartbeat."""
    after = _left(job, JobEvent.CANCEL, now, job.failure)
    return Move(event=JobEvent.CANCEL, before=job, after=after, at=now)


def redrive(job: Job, now: datetime) -> Move:
    """A person sent it again, with fresh attempts, at the stage where it stopped."""
    after = replace(_left(job, JobEvent.REDRIVE, now, job.failure), attempts=0, not_before=now)
    return Move(event=JobEvent.REDRIVE, before=job, after=after, at=now)


def prioritise(job: Job, priority: int) -> Job:
    """Return a queued job with another priority.

    Raises:
        UsageError: It is not queued, so that nothing would come of it.
    """
    if job.state is not JobState.QUEUED:
        raise UsageError(
            f"job {job.id}: it is {job.state.value}, only a queued job has a place in line",
            told=told(ErrorCode.JOB_NOT_QUEUED, state=job.state.value),
        )
    return replace(job, priority=priority)


def note(job: Job, action: str, now: datetime, detail: str = "") -> LedgerEvent:
    """Return a line of history about a job that is no move, e.g. ``"job.enqueue"``."""
    return LedgerEvent(
        at=now,
        tenant=job.tenant,
        action=action,
        arrival_id=job.arrival_id,
        job_id=job.id,
        stage=job.stage.name,
        attempt=job.attempts,
        detail=detail,
    )


def supersedes(one: Job, other: Job) -> bool:
    """Return whether the result of one job takes the place of another's.

    Of the same pipeline version: the later version of the study, and of the same version the later
    run. Of the same track, that is the same pipeline under another release by promotion: the later
    version of the study only, so that the same study read by two releases is two results.
    """
    if (one.tenant, one.subject) != (other.tenant, other.subject):
        return False
    if (one.role is Role.SHADOW) != (other.role is Role.SHADOW):
        return False
    if one.pipeline.version == other.pipeline.version:
        return (one.arrival_version, one.run) > (other.arrival_version, other.run)
    return one.track == other.track != "" and one.arrival_version > other.arrival_version


def next_run(newest: Job, now: datetime) -> Job:
    """Return the run after ``newest``, queued, with the pipeline as it was.

    Raises:
        UsageError: ``newest`` has not ended.
    """
    if newest.state not in ENDED:
        raise UsageError(
            f"job {newest.id}: still {newest.state.value}, only an ended job is run again",
            hint=f"bedside job watch {newest.id}",
            told=told(ErrorCode.JOB_NOT_ENDED, state=newest.state.value),
        )
    run = newest.run + 1
    return Job(
        tenant=newest.tenant,
        id=job_id(newest.identity, run),
        identity=newest.identity,
        run=run,
        arrival_id=newest.arrival_id,
        subject=newest.subject,
        arrival_version=newest.arrival_version,
        pipeline=newest.pipeline,
        rule=newest.rule,
        role=newest.role,
        priority=newest.priority,
        not_before=now,
        created_at=now,
    )
