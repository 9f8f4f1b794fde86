"""Figures of a deployment: what waits, what ended how, how long it took, what it cost.

Owns the values that operators look at and how a share of a sample is found; a ledger gives the counts.
Nothing here says anything of a patient: ids of ours, names of the configuration, numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bedside.domain.job import Job, JobState

#: Whose figures: names of tenants, or None for the whole deployment.
Scope = frozenset[str] | None

#: Steps of a stage in the order of their happening; a release may say more of its own.
WAIT, FETCH, LOAD, READ, RUN, WRITE, DELIVER = "wait", "fetch", "load", "read", "run", "write", "deliver"
STEPS = (WAIT, FETCH, LOAD, READ, RUN, WRITE, DELIVER)


class Unit(StrEnum):
    """How long the pieces are that time is cut into, in UTC."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigure:
    """What waits in one pool.

    Attributes:
        pool: Its name.
        due: Jobs that a worker could take now.
        delayed: Jobs that wait for another attempt.
        waits_since: Since when the longest waiting due job could be taken, or None.
    """

    pool: str
    due: int
    delayed: int
    waits_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedFigure:
    """How many jobs ended in one way in one piece of time.

    Attributes:
        begin: Of the piece.
        state: The way.
        jobs: How many.
    """

    begin: datetime
    state: JobState
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFigure:
    """Jobs that ended badly for one reason.

    Attributes:
        error: A class name of `bedside.errors.BY_NAME`.
        state: Dead or rejected.
        pipeline: Name of their pipeline.
        stage: The stage they ended in.
        release: Digest of the release of that stage; empty for a command.
        jobs: How many.
        newest_at: When the last of them ended.
    """

    error: str
    state: JobState
    pipeline: str
    stage: str
    release: str
    jobs: int
    newest_at: datetime

    @property
    def reason(self) -> tuple[str, str, str, str]:
        """What a person would call one reason: error, pipeline, stage and release."""
        return self.error, self.pipeline, self.stage, self.release


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkInHand:
    """A job that a worker has in hand.

    Attributes:
        job: The job.
        leased_at: Since when; None where the history does not say.
    """

    job: Job
    leased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker, and when the history last tells of it."""

    worker: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedResult:
    """How long a result took.

    Attributes:
        pipeline: Name of the pipeline.
        took_s: From the making of the job until its end.
        timings_s: Per stage, wall seconds per step.
    """

    pipeline: str
    took_s: float
    timings_s: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentFigure:
    """What the results of one day took.

    Attributes:
        day: Its begin, UTC.
        results: How many there were.
        priced: Of how many the machine's price is known.
        usd: What these cost.
        seconds: Machine seconds of these.
    """

    day: datetime
    results: int
    priced: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalSeen:
    """One version of a study that arrived, without its files."""

    tenant: str
    id: str
    version: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How long something takes, over a sample.

    Attributes:
        count: Of the sample.
        p50_s: Half of it took at most so long.
        p95_s: Of twenty, nineteen did.
        most_s: The longest.
    """

    count: int
    p50_s: float
    p95_s: float
    most_s: float


def spread(seconds: Sequence[float]) -> Spread:
    """Return the spread of a sample that is not empty, by nearest rank: only measured values."""
    ordered = sorted(seconds)
    return Spread(count=len(ordered), p50_s=_rank(ordered, 50), p95_s=_rank(ordered, 95), most_s=ordered[-1])


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]
