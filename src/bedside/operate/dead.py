"""Dead jobs: by reason, and sent again, one or all of a reason.

A job is dead when every attempt failed. Sent again it goes on at the stage where it stopped, with fresh
attempts; whether the reason is gone is for whoever sends it to know.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from bedside.domain.job import Job, JobState
from bedside.domain.tenant import path_of
from bedside.errors import NotFound, UsageError
from bedside.ports import Ledger

#: Dead jobs looked at, and sent again at once.
MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What jobs died of.

    Attributes:
        error: A class name of `bedside.errors.BY_NAME`.
        pipeline: Name of the pipeline.
        stage: The stage.
        release: Digest of the stage's release; empty for a command.
    """

    error: str
    pipeline: str
    stage: str
    release: str

    @classmethod
    def of(cls, job: Job) -> "Reason":
        """Return what a job died of."""
        return cls(
            error=job.failure.error if job.failure else "",
            pipeline=job.pipeline.name,
            stage=job.stage.name,
            release=job.stage.release,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Dead jobs of one reason, newest first; the first one's words are the example."""

    reason: Reason
    jobs: Sequence[Job]

    @property
    def example(self) -> Job:
        """The job that died last."""
        return self.jobs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What came of sending jobs again.

    Attributes:
        sent: Ids of those that are queued again.
        left: Why others are not, by id.
    """

    sent: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...]


def groups(dead: Sequence[Job]) -> list[Group]:
    """Return dead jobs by reason, most jobs first."""
    found: dict[Reason, list[Job]] = defaultdict(list)
    for job in dead:
        found[Reason.of(job)].append(job)
    made = [Group(reason=reason, jobs=tuple(jobs)) for reason, jobs in found.items()]
    return sorted(made, key=lambda group: -len(group.jobs))


def redrive(
    ledger: Ledger,
    jobs: Sequence[Job],
    *,
    served: Collection[str],
    now: datetime,
    before: Callable[[Job], None],
) -> Redriven:
    """Send dead jobs again.

    Args:
        ledger: Where they are.
        jobs: Which.
        served: Tenants for which jobs may run.
        now: The time.
        before: Called with each job before it is sent: whoever keeps a trail writes first.
    """
    sent, left = [], []
    for job in jobs:
        try:
            if job.tenant not in served:
                raise UsageError(f"tenant {path_of(job.tenant)} is closed")
            current = ledger.job(job.tenant, job.id)
            if current.state is not JobState.DEAD:
                raise UsageError(f"job {job.id} is {current.state.value} by now")
            before(job)
            ledger.redrive(job.tenant, job.id, now)
            sent.append((job.tenant, job.id))
        except (UsageError, NotFound) as refused:
            left.append((job.id, refused.message))
    return Redriven(sent=tuple(sent), left=tuple(left))
