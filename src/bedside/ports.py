"""What bedside needs from the world, as protocols; adapters give it, `wiring` chooses which.

Each port has one contract suite in ``tests/contracts`` that every adapter passes and that compares
the adapter's signatures with these. A port says what a caller may rely on, never how it is done.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from bedside.domain.arrival import Arrival, Entry
from bedside.domain.job import Failure, Job, JobState, Lease, LedgerEvent
from bedside.domain.pipeline import Decision, Pipeline, Release, Stage
from bedside.domain.release import Comparison, Promotion, Role
from bedside.domain.request import RunRequest
from bedside.domain.result import Result


class Clock(Protocol):
    """The time, as one replaceable thing."""

    def now(self) -> datetime:
        """Return the time now, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow, from some begin; for waits that a set clock must not change."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a test's clock only moves on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An object in a store: its key below the tenant, length, and last change."""

    key: str
    size_bytes: int
    modified_at: datetime


class BlobStore(Protocol):
    """One tenant's objects. Another tenant's cannot be named through it.

    Keys are relative, ``/``-separated, without empty, ``.`` or ``..`` parts; anything else raises
    `UsageError`. Writes are atomic (a reader sees the old object, none, or the new one whole) and
    durable when the call returns. Missing keys raise `NotFound`; a store that is full, gone or
    refuses raises `Unavailable`.
    """

    def tenant(self, name: str) -> "BlobStore":
        """Return the same store for another tenant."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        ...

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file, which stays and must not be changed afterwards."""
        ...

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects; durable together when the call returns (one flush, not one each)."""
        ...

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        ...

    def fetch(self, key: str, destination: Path) -> None:
        """Bring an object to a new local file, read-only, perhaps by linking it."""
        ...

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        ...

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A complete thing in the drop-box, ready to be taken.

    Attributes:
        key: Its key or prefix under the tenant (``input/…``).
        parts: Keys of its objects: one for a ZIP or single file, many for a folder or file set.
        fingerprint: Of its parts' keys, sizes and times.
    """

    key: str
    parts: tuple[str, ...]
    fingerprint: str


class ArrivalFeed(Protocol):
    """Says what in a tenant's drop-box is complete. A hint: the drop-box itself is the truth."""

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; empty means any."""

    states: frozenset[JobState] = frozenset()
    roles: frozenset[Role] = frozenset()
    arrival_id: str = ""
    subject: str = ""
    pipeline: str = ""


class Ledger(Protocol):
    """All lasting state but the files: arrivals, entries, decisions, releases, jobs, results, events.

    Every call is one transaction. Calls that take a tenant see that tenant only. A write under a
    lease raises `StaleLease` when its fence is not the job's newest or the job is not running.
    An unreachable or locked database raises `Unavailable`.
    """

    def prepare(self) -> None:
        """Create or upgrade the schema; safe to call at every start and from several processes."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...

    # Arrivals and what brought them

    def add_arrival(self, arrival: Arrival) -> Arrival:
        """Record an arrival, or return the one recorded before under the same tenant and id.

        The version given is ignored: it becomes one more than the subject's newest.
        """
        ...

    def arrival(self, tenant: str, arrival_id: str) -> Arrival:
        """Return one arrival with its files, or raise `NotFound`."""
        ...

    def newest_arrival(self, tenant: str, subject: str) -> Arrival | None:
        """Return the highest version of a subject."""
        ...

    def put_entry(self, entry: Entry) -> None:
        """Record a drop-box entry, or replace its state, arrivals and reason."""
        ...

    def entry(self, tenant: str, entry_id: str) -> Entry | None:
        """Return a drop-box entry."""
        ...

    def unsettled_entries(self, tenant: str) -> Sequence[Entry]:
        """Return entries in state TAKEN, oldest first."""
        ...

    def entries(self, tenant: str, *, limit: int = 100) -> Sequence[Entry]:
        """Return entries, newest first."""
        ...

    # Rules' decisions and releases

    def add_decisions(self, decisions: Iterable[Decision]) -> None:
        """Record decisions; one per tenant, arrival, rule and pipeline is kept, the newest."""
        ...

    def decisions(self, tenant: str, arrival_id: str) -> Sequence[Decision]:
        """Return an arrival's decisions in rule order of recording."""
        ...

    def add_release(self, release: Release) -> None:
        """Record a release; one recorded before under the same digest stays."""
        ...

    def releases(self) -> Sequence[Release]:
        """Return all releases, newest first."""
        ...

    def name_release(self, name: str, digest: str, now: datetime) -> None:
        """Let a name mean a release from now on; what it meant before is forgotten."""
        ...

    def release_names(self) -> Mapping[str, str]:
        """Return the digest of each name."""
        ...

    # Promotions and trials

    def add_promotion(self, promotion: Promotion) -> None:
        """Append a promotion; it is in force at once."""
        ...

    def promotions(self, *, pipeline: str = "", stage: str = "") -> Sequence[Promotion]:
        """Return promotions in every role, newest first."""
        ...

    def standing(self) -> Sequence[Promotion]:
        """Return the newest promotion of each pipeline, stage and role, in order of recording."""
        ...

    def put_comparison(self, comparison: Comparison) -> None:
        """Record how a shadow's result compares, or replace what was recorded of that shadow."""
        ...

    def comparisons(self, tenant: str, *, pipeline: str = "", release: str = "") -> Sequence[Comparison]:
        """Return comparisons, newest first; ``release`` is the shadow's."""
        ...

    def uncompared(self, *, limit: int = 100) -> Sequence[Job]:
        """Return ended shadows that were not compared since, oldest first, cancelled ones left out."""
        ...

    # Jobs

    def enqueue(self, job: Job) -> tuple[Job, bool]:
        """Add a job, or return the one of the same tenant and id.

        Returns:
            The job as recorded, and whether it is new.
        """
        ...

    def rerun(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Add the next run of an ended job, queued, and return it.

        Raises:
            UsageError: The newest run of it has not ended.
        """
        ...

    def lease(self, *, pools: Sequence[str], worker: str, now: datetime, lease_s: float) -> Lease | None:
        """Take the job to do next in ``pools``: highest priority, then oldest; None where none is due.

        No pool named is every pool.
        Two callers never get the same job. The attempt is counted here, so that a worker that dies
        has used one.
        """
        ...

    def extend(self, lease: Lease, *, now: datetime, lease_s: float, progress: float, doing: str) -> Lease:
        """Beat the heart: move the end of the lease, and note progress."""
        ...

    def advance(self, lease: Lease, *, now: datetime) -> Job:
        """Move the job to the queue of its next stage, attempts counted anew."""
        ...

    def complete(self, lease: Lease, result: Result, *, now: datetime) -> Job:
        """End the job well and make its result current.

        Results of the same tenant, subject and pipeline version that came from an earlier arrival
        version or run are superseded by it, and so are those of the same track (the pipeline under
        another release) that came from an earlier arrival version; if a later one is there already,
        it is itself born superseded. Shadows and delivered results do not see one another.
        """
        ...

    def fail(self, lease: Lease, failure: Failure, *, now: datetime, retry_at: datetime | None) -> Job:
        """End the attempt badly: queued again for ``retry_at``, or DEAD where that is None."""
        ...

    def reject(self, lease: Lease, failure: Failure, *, now: datetime) -> Job:
        """End the job: its input cannot be read correctly."""
        ...

    def give_back(self, lease: Lease, *, now: datetime) -> Job:
        """Return the job to its queue at once; the attempt does not count."""
        ...

    def expire(self, now: datetime) -> Sequence[Job]:
        """Queue again, or bury after the last attempt, all jobs whose lease ran out; return them."""
        ...

    def cancel(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Stop a queued or running job. Raises `UsageError` for one that has ended."""
        ...

    def redrive(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Queue a dead or cancelled job again with fresh attempts. Raises `UsageError` otherwise."""
        ...

    def set_priority(self, tenant: str, job_id: str, priority: int, now: datetime) -> Job:
        """Change a queued job's priority."""
        ...

    def job(self, tenant: str, job_id: str) -> Job:
        """Return one job, or raise `NotFound`."""
        ...

    def jobs(self, tenant: str, where: JobFilter, *, limit: int = 100, offset: int = 0) -> Sequence[Job]:
        """Return jobs, newest first."""
        ...

    def depth(self) -> Mapping[str, int]:
        """Return the number of queued jobs per pool, delayed ones included."""
        ...

    # Results and history

    def result(self, tenant: str, job_id: str) -> Result | None:
        """Return a job's result, or None while it has none."""
        ...

    def results(
        self, tenant: str, *, subject: str = "", current_only: bool = True, shadows: bool = False
    ) -> Sequence[Result]:
        """Return results, newest first; by default only those that nothing superseded.

        Either those that are delivered, or with ``shadows`` those that are not.
        """
        ...

    def add_event(self, event: LedgerEvent) -> None:
        """Append a line to the history. Job moves append their own."""
        ...

    def events(self, tenant: str, *, job_id: str = "", arrival_id: str = "") -> Sequence[LedgerEvent]:
        """Return the history of a job or an arrival, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One stage of one job, as a runner sees it.

    Attributes:
        stage: What to run.
        pipeline: The whole pipeline, for context.
        request: What to do, and under which identity.
        input: Folder with the study's files (or the stage before's output); read-only.
        output: Empty folder for what is written.
    """

    stage: Stage
    pipeline: Pipeline
    request: RunRequest
    input: Path
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave: its files lie in the task's output folder.

    Attributes:
        report: For ``result.json``: series taken and left with reasons, input UIDs, measurements,
            notes. JSON values.
        timings_s: Wall seconds per step.
    """

    report: Mapping[str, object]
    timings_s: Mapping[str, float] = field(default_factory=dict)


#: Called with what is done now and how much of it (0–1). Raises `Cancelled` to stop the run.
Progress = Callable[[str, float], None]


class ModelRunner(Protocol):
    """Runs a stage somewhere apart from the worker: a child process, a container."""

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end.

        ``progress`` is called at least every few seconds while the run lives, also when nothing
        moved, so that the caller can beat its lease.

        Raises:
            InputRejected: The study cannot be read correctly, or the model does not accept it.
            ModelFailed: The model failed, the child died, or the time-out passed.
            Unavailable: The runner itself cannot work now.
            Cancelled: ``progress`` asked for it; nothing of the run goes on.
        """
        ...

    def close(self) -> None:
        """End warm children."""
        ...
