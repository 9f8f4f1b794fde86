"""Lists of studies and jobs in this process's memory, as people follow them; newest first."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from bedside.adapters.memory.tenants import MemoryTenants
from bedside.domain.arrival import Arrival, ArrivalSummary, Entry, EntryState, summary
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.errors import NotFound
from bedside.ports import JobFilter, StudyFilter
from bedside.ports.following import COUNTED_BEFORE

T = TypeVar("T")


class MemoryFollowing(MemoryTenants):
    """The part of the ledger that people look at."""

    def studies(
        self, tenant: str, where: StudyFilter, *, limit: int = 100, after: str = ""
    ) -> Sequence[ArrivalSummary]:
        """Return the newest version of each study, last received first."""
        with self._lock:
            owned = newest_first(
                [a for a in self._arrivals.values() if a.tenant == tenant], lambda a: a.received_at
            )
            jobs = [job for job in self._jobs.values() if job.tenant == tenant]
        newest: dict[str, int] = {}
        for arrival in owned:
            newest[arrival.subject] = max(newest.get(arrival.subject, 0), arrival.version)
        left = _after(owned, after, "arrival", tenant)
        wanted = [
            arrival
            for arrival in left
            if (where.all_versions or arrival.version == newest[arrival.subject])
            and _is_study(arrival, where)
            and _has_jobs([job for job in jobs if job.arrival_id == arrival.id], where)
        ]
        return [summary(arrival) for arrival in wanted[:limit]]

    def entries(
        self,
        tenant: str,
        *,
        states: frozenset[EntryState] = frozenset(),
        arrival_id: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[Entry]:
        """Return drop-box entries, newest first; all, or those that became part of one arrival."""
        with self._lock:
            owned = [
                entry
                for entry in self._entries.values()
                if entry.tenant == tenant
                and (not states or entry.state in states)
                and (not arrival_id or arrival_id in entry.arrivals)
            ]
        return newest_first(owned, lambda entry: entry.seen_at)[offset : offset + limit]

    def jobs(
        self, tenant: str, where: JobFilter, *, limit: int = 100, offset: int = 0, after: str = ""
    ) -> Sequence[Job]:
        """Return jobs, newest first."""
        with self._lock:
            owned = newest_first(
                [job for job in self._jobs.values() if job.tenant == tenant], lambda job: job.created_at
            )
        wanted = [job for job in _after(owned, after, "job", tenant) if _is_job(job, where)]
        return wanted[offset : offset + limit]

    def job_counts(self, tenant: str, where: JobFilter) -> Mapping[JobState, int]:
        """Return how many jobs are in each state; what ``where`` says of states is left aside."""
        every = replace(where, states=frozenset())
        with self._lock:
            return dict(
                Counter(j.state for j in self._jobs.values() if j.tenant == tenant and _is_job(j, every))
            )

    def jobs_before(self, job: Job, *, limit: int = COUNTED_BEFORE) -> int:
        """Return how many queued jobs of all tenants are leased before a queued one in its pool."""
        with self._lock:
            line = [
                other
                for other in self._jobs.values()
                if other.state is JobState.QUEUED and other.stage.pool == job.stage.pool
            ]
        line.sort(key=lambda other: (-other.priority, other.created_at))
        before = next((n for n, o in enumerate(line) if (o.tenant, o.id) == (job.tenant, job.id)), 0)
        return min(before, limit)

    def last_event(self) -> int:
        """Return the number of the newest line of the history, 0 where there is none."""
        with self._lock:
            return max(self._events, default=0)

    def news(self, tenant: str, *, after: int, limit: int = 1000) -> Sequence[tuple[int, LedgerEvent]]:
        """Return numbered lines of a tenant's history after one, oldest first."""
        with self._lock:
            lines = [(n, line) for n, line in self._events.items() if n > after and line.tenant == tenant]
        return lines[:limit]


def newest_first(values: list[T], at: Callable[[T], datetime]) -> list[T]:
    """Sort by time, latest first; of equal times the one recorded last is first."""
    return sorted(values, key=at)[::-1]


def _after(values: list[T], last: str, kind: str, tenant: str) -> list[T]:
    """Return what follows the one with an id; all where none is named."""
    if not last:
        return values
    for number, value in enumerate(values):
        if getattr(value, "id") == last:  # noqa: B009 - jobs and arrivals alike
            return values[number + 1 :]
    raise NotFound(f"{kind} {last}: none in tenant {tenant}")


def _is_job(job: Job, where: JobFilter) -> bool:
    return (
        (not where.states or job.state in where.states)
        and (not where.roles or job.role in where.roles)
        and (not where.arrival_id or job.arrival_id == where.arrival_id)
        and (not where.arrivals or job.arrival_id in where.arrivals)
        and (not where.subject or job.subject == where.subject)
        and (not where.pipeline or job.pipeline.name == where.pipeline)
        and (not where.release or where.release in {stage.release for stage in job.pipeline.stages})
        and (not where.rule or job.rule == where.rule)
        and _is_within(job.created_at, where)
        and _is_found((job.id, job.arrival_id, job.subject), job.subject, where)
    )


def _is_study(arrival: Arrival, where: StudyFilter) -> bool:
    return (
        (not where.subject or arrival.subject == where.subject)
        and _is_within(arrival.received_at, where)
        and _is_found((arrival.id, arrival.subject), arrival.subject, where)
    )


def _has_jobs(jobs: Sequence[Job], where: StudyFilter) -> bool:
    if where.without_job:
        return not jobs
    return where.jobs == JobFilter() or any(_is_job(job, where.jobs) for job in jobs)


def _is_within(at: datetime, where: JobFilter | StudyFilter) -> bool:
    return (where.since is None or at >= where.since) and (where.until is None or at < where.until)


def _is_found(names: Sequence[str], subject: str, where: JobFilter | StudyFilter) -> bool:
    if not where.text and not where.named:
        return True
    begins = bool(where.text) and any(name.startswith(where.text) for name in names)
    return begins or subject in where.named
