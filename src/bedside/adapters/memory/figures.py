"""Figures for operators, counted over a ledger in memory."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.arrival import ArrivalKind, EntryState
from bedside.domain.export import ExportState
from bedside.domain.figures import (
    ArrivalSeen,
    EndedFigure,
    FailureFigure,
    QueueFigure,
    Scope,
    SpentFigure,
    TimedResult,
    Unit,
    WorkerSeen,
    WorkInHand,
)
from bedside.domain.job import Job, JobState
from bedside.ports import JobFilter

#: More than any test has.
_ALL = 1_000_000


class MemoryFigures:
    """A `bedside.ports.figures.Figures` over a `MemoryLedger`.

    Args:
        ledger: Whose figures.
    """

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    def queues(self, scope: Scope, now: datetime) -> Sequence[QueueFigure]:
        """Return what waits, by pool in order of name; pools without a queued job are left out."""
        pools: dict[str, list[Job]] = defaultdict(list)
        for job in self._jobs(scope, JobState.QUEUED):
            pools[job.stage.pool].append(job)
        found = []
        for pool, queued in sorted(pools.items()):
            due = [job.not_before for job in queued if job.not_before <= now]
            found.append(
                QueueFigure(
                    pool=pool,
                    due=len(due),
                    delayed=len(queued) - len(due),
                    waits_since=min(due, default=None),
                )
            )
        return found

    def states(self, scope: Scope) -> Mapping[JobState, int]:
        """Return how many jobs stand in each state; states without any are left out."""
        return Counter(job.state for job in self._jobs(scope))

    def ended(self, scope: Scope, *, since: datetime, unit: Unit) -> Sequence[EndedFigure]:
        """Return how many jobs ended how, by piece of time, oldest first; empty pieces are left out."""
        counts = Counter(
            (_begin(job.ended_at, unit), job.state)
            for job in self._jobs(scope)
            if job.ended_at is not None and job.ended_at >= since
        )
        return [EndedFigure(begin=b, state=s, jobs=n) for (b, s), n in sorted(counts.items())]

    def failures(self, scope: Scope, *, since: datetime) -> Sequence[FailureFigure]:
        """Return why jobs ended dead or rejected, most jobs first."""
        groups: dict[Any, list[Job]] = defaultdict(list)
        for job in self._jobs(scope, JobState.DEAD, JobState.REJECTED):
            if job.ended_at is not None and job.ended_at >= since:
                error = job.failure.error if job.failure else ""
                groups[error, job.state, job.pipeline.version, job.stage_index].append(job)
        found = [
            FailureFigure(
                error=error,
                state=state,
                pipeline=same[0].pipeline.name,
                stage=same[0].stage.name,
                release=same[0].stage.release,
                jobs=len(same),
                newest_at=max(job.ended_at for job in same if job.ended_at is not None),
            )
            for (error, state, _, _), same in groups.items()
        ]
        return sorted(found, key=lambda f: (-f.jobs, f.reason, f.state))

    def dead(self, scope: Scope, *, limit: int = 100) -> Sequence[Job]:
        """Return dead jobs, those that died last first."""
        found = [job for job in self._jobs(scope, JobState.DEAD) if job.ended_at is not None]
        return sorted(found, key=lambda job: job.ended_at or job.created_at)[::-1][:limit]

    def in_hand(self, scope: Scope, *, limit: int = 200) -> Sequence[WorkInHand]:
        """Return jobs that workers have in hand, longest first."""
        held = sorted(self._jobs(scope, JobState.RUNNING), key=lambda job: job.started_at or job.created_at)
        return [WorkInHand(job=job, leased_at=self._leased_at(job)) for job in held[:limit]]

    def workers(self, scope: Scope) -> Sequence[WorkerSeen]:
        """Return the workers of the newest lines of the history, last seen first."""
        seen: dict[str, datetime] = {}
        for line in (line for tenant in self._tenants(scope) for line in self._ledger.events(tenant)):
            if line.worker:
                seen[line.worker] = max(line.at, seen.get(line.worker, line.at))
        found = [WorkerSeen(worker=worker, at=at) for worker, at in sorted(seen.items())]
        return sorted(found, key=lambda worker: worker.at, reverse=True)

    def timed(self, scope: Scope, *, since: datetime, limit: int = 1000) -> Sequence[TimedResult]:
        """Return how long the newest delivered results took; those that do not say are left out."""
        found = []
        delivered = [
            result
            for tenant in self._tenants(scope)
            for result in self._ledger.results(tenant, current_only=False)
            if result.created_at >= since
        ]
        for result in sorted(delivered, key=lambda result: result.created_at, reverse=True)[:limit]:
            job = self._ledger.job(result.tenant, result.job_id)
            timings: Any = result.summary.get("timings_s")
            if timings is not None and job.ended_at is not None:
                took_s = (job.ended_at - job.created_at).total_seconds()
                found.append(TimedResult(pipeline=job.pipeline.name, took_s=took_s, timings_s=timings))
        return found

    def spent(self, scope: Scope, *, since: datetime) -> Sequence[SpentFigure]:
        """Return what results took, shadows included, by day, oldest first; empty days are left out."""
        days: dict[datetime, list[Any]] = defaultdict(list)
        for tenant in self._tenants(scope):
            for shadows in (False, True):
                for result in self._ledger.results(tenant, current_only=False, shadows=shadows):
                    if result.created_at >= since:
                        days[_begin(result.created_at, Unit.DAY)].append(result.summary.get("compute"))
        return [
            SpentFigure(
                day=day,
                results=len(said),
                priced=len(priced := [compute for compute in said if compute]),
                usd=sum(compute["usd"] for compute in priced),
                seconds=sum(compute["seconds"] for compute in priced),
            )
            for day, said in sorted(days.items())
        ]

    def rejected_inputs(self, scope: Scope, *, since: datetime) -> int:
        """Return how many drop-box entries could not be used."""
        return sum(
            entry.state is EntryState.REJECTED and entry.seen_at >= since
            for tenant in self._tenants(scope)
            for entry in self._ledger.entries(tenant, limit=_ALL)
        )

    def failed_exports(self, scope: Scope) -> int:
        """Return how many results the archive did not take, and nobody tries any more."""
        failed = frozenset({ExportState.FAILED})
        return sum(
            len(self._ledger.exports(tenant, states=failed, limit=_ALL)) for tenant in self._tenants(scope)
        )

    def arrivals(self, scope: Scope, *, since: datetime | None, limit: int) -> Sequence[ArrivalSeen]:
        """Return DICOM arrivals, those recorded last first; of any age where ``since`` is None."""
        found = [
            ArrivalSeen(tenant=a.tenant, id=a.id, version=a.version, received_at=a.received_at)
            for a in self._ledger._arrivals.values()
            if a.kind is ArrivalKind.DICOM
            and _in(scope, a.tenant)
            and (since is None or a.received_at >= since)
        ]
        return found[::-1][:limit]

    def _tenants(self, scope: Scope) -> Sequence[str]:
        return [name for name in self._ledger.tenants_with_data() if _in(scope, name)]

    def _jobs(self, scope: Scope, *states: JobState) -> Sequence[Job]:
        where = JobFilter(states=frozenset(states))
        newest_first = [
            job for tenant in self._tenants(scope) for job in self._ledger.jobs(tenant, where, limit=_ALL)
        ]
        return newest_first[::-1]

    def _leased_at(self, job: Job) -> datetime | None:
        lines = self._ledger.events(job.tenant, job_id=job.id)
        return next((line.at for line in reversed(lines) if line.action == "job.lease"), None)


def _in(scope: Scope, tenant: str) -> bool:
    return scope is None or tenant in scope


def _begin(at: datetime, unit: Unit) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if unit is Unit.HOUR else hour.replace(hour=0)
