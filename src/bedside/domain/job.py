"""A job, its states and the one table of its moves.

``job id = hash(tenant, arrival, pipeline version with its release digests and settings)``: the same
event twice is one job; a new release or another precision is another. An explicit re-run adds a run
number, which is left out of the seed of derived UIDs, so that it writes the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bedside.domain.identity import short_id
from bedside.domain.pipeline import Pipeline, Stage
from bedside.domain.release import Role
from bedside.errors import BY_NAME


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    DEAD = "dead"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What can happen to a job."""

    LEASE = "lease"  # a worker took it
    ADVANCE = "advance"  # a stage ended well and another follows
    COMPLETE = "complete"  # the last stage ended well
    RETRY_LATER = "retry_later"  # an attempt failed; back-off, then again
    EXHAUST = "exhaust"  # an attempt failed and it was the last
    REJECT = "reject"  # the input cannot be read correctly
    GIVE_BACK = "give_back"  # the worker stops; the attempt does not count
    EXPIRE = "expire"  # the lease ran out; the attempt counts
    CANCEL = "cancel"  # a person stopped it
    REDRIVE = "redrive"  # a person sent it again


TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = {
    (JobState.QUEUED, JobEvent.LEASE): JobState.RUNNING,
    (JobState.QUEUED, JobEvent.CANCEL): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.ADVANCE): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.COMPLETE): JobState.SUCCEEDED,
    (JobState.RUNNING, JobEvent.RETRY_LATER): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.EXHAUST): JobState.DEAD,
    (JobState.RUNNING, JobEvent.REJECT): JobState.REJECTED,
    (JobState.RUNNING, JobEvent.GIVE_BACK): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.EXPIRE): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.CANCEL): JobState.CANCELLED,
    (JobState.DEAD, JobEvent.REDRIVE): JobState.QUEUED,
    (JobState.CANCELLED, JobEvent.REDRIVE): JobState.QUEUED,
}

#: States a job does not leave by itself.
ENDED = frozenset({JobState.SUCCEEDED, JobState.REJECTED, JobState.DEAD, JobState.CANCELLED})

#: Of these, those that a person may send again, at the stage where they stopped: what it needs is kept.
REDRIVABLE = frozenset(state for state, event in TRANSITIONS if event is JobEvent.REDRIVE)

#: Of these, those in which a shadow says something of its release; being cancelled says nothing.
COMPARED = ENDED - {JobState.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt ended badly.

    Attributes:
        error: A class name of `bedside.errors.BY_NAME`.
        message: What and why, no patient data.
        hint: What to do next.
    """

    error: str
    message: str
    hint: str = ""

    @property
    def line(self) -> str:
        """What the history says of it; `failure_in` reads it again."""
        return f"{self.error}: {self.message}"


def failure_in(line: str) -> Failure | None:
    """Return the failure that a line of history tells of, without its hint; None where it tells of none."""
    error, colon, message = line.partition(": ")
    return Failure(error=error, message=message) if colon and error in BY_NAME else None


def job_identity(*, tenant: str, arrival_id: str, pipeline: Pipeline, role: Role = Role.CURRENT) -> str:
    """Return a job's identity without its run number: the seed of derived UIDs.

    A shadow has another one than a delivered job of the same release: when its release is promoted,
    the same study is read again and delivered.
    """
    shadow = [Role.SHADOW.value] if role is Role.SHADOW else []
    return short_id([tenant, arrival_id, pipeline.version, *shadow])


def job_id(identity: str, run: int) -> str:
    """Return the id of one run of a job: the identity, and ``.rN`` from the first re-run on."""
    return identity if run == 0 else f"{identity}.r{run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of one pipeline on one arrival.

    Attributes:
        tenant: Who owns it.
        id: `job_id`; unique in its tenant.
        identity: Id without the run number.
        run: 0, then one more per explicit re-run.
        arrival_id: What it reads.
        subject: The arrival's subject (Study Instance UID).
        arrival_version: The arrival's version; a later one's result supersedes.
        pipeline: What it runs, as it was when the job was made.
        rule: The rule that started it, or ``""``.
        role: For whom: the result of a shadow is compared and never delivered.
        stage_index: The stage it is at.
        state: Where it stands.
        priority: Higher is leased first.
        attempts: Attempts begun at the current stage that count.
        fence: Grows with every lease; writes with an older one are refused.
        worker: Who holds or last held it.
        not_before: Not leased earlier (back-off).
        lease_until: When the current lease runs out, or None.
        progress: 0–1 of the current stage.
        doing: What the child says it does now, e.g. ``"forward"``.
        failure: Why the last attempt ended badly, or None.
        created_at: When it was made.
        started_at: First lease, or None.
        ended_at: When it reached a state of `ENDED`, or None.
    """

    tenant: str
    id: str
    identity: str
    run: int
    arrival_id: str
    subject: str
    arrival_version: int
    pipeline: Pipeline
    rule: str
    role: Role = Role.CURRENT
    stage_index: int = 0
    state: JobState = JobState.QUEUED
    priority: int = 0
    attempts: int = 0
    fence: int = 0
    worker: str = ""
    not_before: datetime
    lease_until: datetime | None = None
    progress: float = 0.0
    doing: str = ""
    failure: Failure | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """The stage it is at."""
        return self.pipeline.stages[self.stage_index]

    @property
    def prefix(self) -> str:
        """The blob prefix of its result; a shadow's lies apart from what is delivered."""
        place = "shadows" if self.role is Role.SHADOW else "results"
        return f"{place}/{self.arrival_id}/{self.id}"

    @property
    def track(self) -> str:
        """What results of later versions of a study supersede across releases; none for a re-run by hand."""
        return "" if self.role is Role.RERUN else self.pipeline.track


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to work on a job until a time, proved by a fencing token.

    Attributes:
        job: The job as it was when leased.
        worker: Who holds it.
        fence: Refused by the ledger once the job was leased again.
        until: When it runs out unless extended.
    """

    job: Job
    worker: str
    fence: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """One line of the append-only history: what happened, when, to which job or arrival."""

    at: datetime
    tenant: str
    action: str
    arrival_id: str = ""
    job_id: str = ""
    stage: str = ""
    attempt: int = 0
    worker: str = ""
    detail: str = ""
