"""All lasting state but the files."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bedside.domain.arrival import Arrival, Entry
from bedside.domain.export import Export, ExportState
from bedside.domain.job import Failure, Job, Lease, LedgerEvent
from bedside.domain.pipeline import Decision, Release
from bedside.domain.release import Comparison, Promotion
from bedside.domain.result import Result
from bedside.domain.tenant import Tenant, TenantState
from bedside.ports.following import Following


class Ledger(Following, Protocol):
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

    # Tenants

    def put_tenant(self, tenant: Tenant, *, over: TenantState | None) -> bool:
        """Record a tenant, if it is in state ``over`` (None: if there is no record of it yet).

        Returns:
            Whether it was; where somebody else was faster nothing is written.
        """
        ...

    def tenant(self, name: str) -> Tenant | None:
        """Return a tenant, or None where none is recorded: it may have data nevertheless."""
        ...

    def tenants(self) -> Sequence[Tenant]:
        """Return all recorded tenants by name, closed ones too."""
        ...

    def tenants_with_data(self) -> Sequence[str]:
        """Return by name whose entries, arrivals or jobs are here, whether they are recorded or not."""
        ...

    def forget_tenant(self, name: str) -> int:
        """Remove everything of a tenant but the record of it; return how many rows there were.

        Raises:
            UsageError: A job of it runs.
        """
        ...

    # Arrivals and what brought them

    def add_arrival(self, arrival: Arrival, *, after: int | None = None) -> Arrival:
        """Record an arrival, or return the one recorded before under the same tenant and id.

        The version given is ignored: it becomes one more than the subject's newest.

        Args:
            arrival: Files of one subject.
            after: The subject's version whose files were joined with what came, 0 for none; None takes
                any, for files that are joined with nothing.

        Raises:
            Overtaken: ``after`` is not the subject's newest: another process recorded a version
                meanwhile, whose files would be missing in this one. Nothing is written.
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
        """Add a job on an arrival that is recorded, or return the one of the same tenant and id.

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

    def complete(self, lease: Lease, result: Result, *, now: datetime, archive: bool = False) -> Job:
        """End the job well and make its result current; with ``archive`` queue its export, all at once.

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

    def depth(self) -> Mapping[str, int]:
        """Return the number of queued jobs per pool, delayed ones included."""
        ...

    # Exports to the archive

    def put_export(self, export: Export) -> bool:
        """Record an export's next revision; False where another worker was faster, and nothing is written.

        Revision 0 is a new export; every other takes the place of the revision before it.
        """
        ...

    def export(self, tenant: str, job_id: str) -> Export | None:
        """Return a job's export, or None where it has none."""
        ...

    def due_exports(self, now: datetime, *, limit: int = 100) -> Sequence[Export]:
        """Return exports of all tenants in which something is to be done now, longest due first."""
        ...

    def exports(
        self, tenant: str, *, states: frozenset[ExportState] = frozenset(), limit: int = 100
    ) -> Sequence[Export]:
        """Return exports, newest first; no state named is any."""
        ...

    # Results and history

    def result(self, tenant: str, job_id: str) -> Result | None:
        """Return a job's result, or None while it has none."""
        ...

    def results(
        self,
        tenant: str,
        *,
        subject: str = "",
        current_only: bool = True,
        shadows: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> Sequence[Result]:
        """Return results, newest first; by default only those that nothing superseded, and all of them.

        Either those that are delivered, or with ``shadows`` those that are not.
        """
        ...

    def add_event(self, event: LedgerEvent) -> None:
        """Append a line to the history. Job moves append their own."""
        ...

    def events(self, tenant: str, *, job_id: str = "", arrival_id: str = "") -> Sequence[LedgerEvent]:
        """Return the history of a job or an arrival, oldest first."""
        ...
