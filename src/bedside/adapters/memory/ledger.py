"""The ledger in this process's memory, for unit tests: lost at exit, safe between threads.

It keeps plain dictionaries under one lock and asks `bedside.domain.moves` what becomes of a job, as
the SQL ledger does; the contract suite and a state machine hold the two together.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bedside.adapters.memory.following import MemoryFollowing, newest_first
from bedside.adapters.memory.tenants import Key
from bedside.domain import moves
from bedside.domain.arrival import Arrival, Entry, EntryState, numbered
from bedside.domain.export import OPEN, Export, ExportState, first_export
from bedside.domain.job import COMPARED, Failure, Job, JobState, Lease, LedgerEvent
from bedside.domain.pipeline import Decision, Release
from bedside.domain.release import Comparison, Promotion, Role
from bedside.domain.result import Result
from bedside.domain.serial import pipeline_from_json, pipeline_to_json, plain
from bedside.domain.tenant import Tenant
from bedside.errors import ErrorCode, NotFound, UsageError, told


class MemoryLedger(MemoryFollowing):
    """A `bedside.ports.Ledger` that lives as long as the object."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tenants: dict[str, Tenant] = {}
        self._arrivals: dict[Key, Arrival] = {}
        self._entries: dict[Key, Entry] = {}
        self._decisions: dict[tuple[str, str, str, str], Decision] = {}
        self._releases: dict[str, Release] = {}
        self._names: dict[str, str] = {}
        self._promotions: list[Promotion] = []
        self._comparisons: dict[Key, Comparison] = {}
        self._jobs: dict[Key, Job] = {}  # in order of enqueueing, which breaks ties
        self._results: dict[Key, Result] = {}
        self._exports: dict[Key, Export] = {}
        self._events: dict[int, LedgerEvent] = {}
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        """Do nothing: there is no schema."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _of_tenants(self) -> list[dict[Any, Any]]:
        return [
            self._arrivals,
            self._entries,
            self._decisions,
            self._comparisons,
            self._jobs,
            self._results,
            self._exports,
        ]

    # Arrivals and what brought them

    def add_arrival(self, arrival: Arrival, *, after: int | None = None) -> Arrival:
        """Record an arrival as its subject's next version, or return the one recorded before."""
        with self._lock:
            if known := self._arrivals.get((arrival.tenant, arrival.id)):
                return known
            found = self.newest_arrival(arrival.tenant, arrival.subject)
            recorded = numbered(arrival, newest=found.version if found else 0, after=after)
            self._arrivals[arrival.tenant, arrival.id] = recorded
            return recorded

    def arrival(self, tenant: str, arrival_id: str) -> Arrival:
        """Return one arrival, or raise `NotFound`."""
        with self._lock:
            found = self._arrivals.get((tenant, arrival_id))
        if found is None:
            raise NotFound(
                f"arrival {arrival_id}: none in tenant {tenant}", told=told(ErrorCode.STUDY_MISSING)
            )
        return found

    def newest_arrival(self, tenant: str, subject: str) -> Arrival | None:
        """Return the highest version of a subject."""
        with self._lock:
            versions = [a for a in self._arrivals.values() if (a.tenant, a.subject) == (tenant, subject)]
        return max(versions, key=lambda a: a.version, default=None)

    def put_entry(self, entry: Entry) -> None:
        """Record a drop-box entry, or replace its state, arrivals and reason."""
        with self._lock:
            known = self._entries.setdefault((entry.tenant, entry.id), entry)
            self._entries[entry.tenant, entry.id] = replace(
                known, state=entry.state, arrivals=entry.arrivals, reason=entry.reason
            )

    def entry(self, tenant: str, entry_id: str) -> Entry | None:
        """Return a drop-box entry."""
        with self._lock:
            return self._entries.get((tenant, entry_id))

    def unsettled_entries(self, tenant: str) -> Sequence[Entry]:
        """Return entries in state TAKEN, oldest first."""
        with self._lock:
            taken = [e for e in self._entries.values() if e.tenant == tenant and e.state is EntryState.TAKEN]
        return sorted(taken, key=lambda e: e.seen_at)

    # Rules' decisions and releases

    def add_decisions(self, decisions: Iterable[Decision]) -> None:
        """Record decisions; a newer one of the same arrival, rule and pipeline takes the place."""
        kept = [replace(d, values=plain(d.values, f"values of rule {d.rule}")) for d in decisions]
        with self._lock:
            for decision in kept:
                key = (decision.tenant, decision.arrival_id, decision.rule, decision.pipeline)
                self._decisions[key] = decision

    def decisions(self, tenant: str, arrival_id: str) -> Sequence[Decision]:
        """Return an arrival's decisions in rule order of recording."""
        with self._lock:
            return [d for d in self._decisions.values() if (d.tenant, d.arrival_id) == (tenant, arrival_id)]

    def add_release(self, release: Release) -> None:
        """Record a release; one recorded before under the same digest stays."""
        with self._lock:
            self._releases.setdefault(release.digest, release)

    def releases(self) -> Sequence[Release]:
        """Return all releases, newest first."""
        with self._lock:
            known = list(self._releases.values())
        return newest_first(known, lambda release: release.added_at)

    def name_release(self, name: str, digest: str, now: datetime) -> None:  # noqa: ARG002 - kept by SQL
        """Let a name mean a release from now on."""
        with self._lock:
            self._names[name] = digest

    def release_names(self) -> Mapping[str, str]:
        """Return the digest of each name."""
        with self._lock:
            return dict(self._names)

    # Promotions and trials

    def add_promotion(self, promotion: Promotion) -> None:
        """Append a promotion; it is in force at once."""
        with self._lock:
            self._promotions.append(promotion)

    def promotions(self, *, pipeline: str = "", stage: str = "") -> Sequence[Promotion]:
        """Return promotions in every role, newest first."""
        with self._lock:
            return [
                p
                for p in reversed(self._promotions)
                if (not pipeline or p.pipeline == pipeline) and (not stage or p.stage == stage)
            ]

    def standing(self) -> Sequence[Promotion]:
        """Return the newest promotion of each pipeline, stage and role, in order of recording."""
        newest: dict[tuple[str, str, Role], Promotion] = {}
        with self._lock:
            for promotion in self._promotions:
                key = (*promotion.place, promotion.role)
                newest.pop(key, None)
                newest[key] = promotion
        return list(newest.values())

    def put_comparison(self, comparison: Comparison) -> None:
        """Record how a shadow's result compares, or replace what was recorded of that shadow."""
        with self._lock:
            self._comparisons[comparison.tenant, comparison.shadow_job] = comparison

    def comparisons(self, tenant: str, *, pipeline: str = "", release: str = "") -> Sequence[Comparison]:
        """Return comparisons, newest first."""
        with self._lock:
            wanted = [
                c
                for c in self._comparisons.values()
                if c.tenant == tenant
                and (not pipeline or c.pipeline == pipeline)
                and (not release or c.release == release)
            ]
        return newest_first(wanted, lambda comparison: comparison.compared_at)

    def uncompared(self, *, limit: int = 100) -> Sequence[Job]:
        """Return ended shadows that were not compared since, oldest first, cancelled ones left out."""
        with self._lock:
            ended = [
                job
                for job in self._jobs.values()
                if job.role is Role.SHADOW and job.state in COMPARED and not self._is_compared(job)
            ]
        return sorted(ended, key=lambda job: job.created_at)[:limit]

    def _is_compared(self, job: Job) -> bool:
        known = self._comparisons.get((job.tenant, job.id))
        return known is not None and (job.ended_at is None or known.compared_at >= job.ended_at)

    # Jobs

    def enqueue(self, job: Job) -> tuple[Job, bool]:
        """Add a job, or return the one of the same tenant and id, and whether it is new."""
        kept = replace(job, pipeline=pipeline_from_json(pipeline_to_json(job.pipeline)))
        with self._lock:
            if known := self._jobs.get((job.tenant, job.id)):
                return known, False
            self._add(kept, "job.enqueue", kept.created_at)
            return kept, True

    def rerun(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Add the next run of an ended job, queued, and return it."""
        with self._lock:
            identity = self.job(tenant, job_id).identity
            runs = [j for j in self._jobs.values() if (j.tenant, j.identity) == (tenant, identity)]
            again = moves.next_run(max(runs, key=lambda j: j.run), now)
            self._add(again, "job.rerun", now)
            return again

    def lease(self, *, pools: Sequence[str], worker: str, now: datetime, lease_s: float) -> Lease | None:
        """Take the job to do next in ``pools`` (none named: in every pool)."""
        with self._lock:
            due = [
                job
                for job in self._jobs.values()
                if job.state is JobState.QUEUED
                and job.not_before <= now
                and (not pools or job.stage.pool in pools)
            ]
            if not due:
                return None
            first = min(due, key=lambda job: (-job.priority, job.created_at))
            job = self._apply(moves.lease(first, worker=worker, now=now, lease_s=lease_s))
        assert job.lease_until is not None
        return Lease(job=job, worker=worker, fence=job.fence, until=job.lease_until)

    def extend(self, lease: Lease, *, now: datetime, lease_s: float, progress: float, doing: str) -> Lease:
        """Beat the heart: move the end of the lease, and note progress."""
        with self._lock:
            held = self._held(lease)
            job = moves.extend(held, now=now, lease_s=lease_s, progress=progress, doing=doing)
            self._jobs[job.tenant, job.id] = job
        assert job.lease_until is not None
        return replace(lease, job=job, until=job.lease_until)

    def advance(self, lease: Lease, *, now: datetime) -> Job:
        """Move the job to the queue of its next stage, attempts counted anew."""
        with self._lock:
            return self._apply(moves.advance(self._held(lease), now))

    def complete(self, lease: Lease, result: Result, *, now: datetime, archive: bool = False) -> Job:
        """End the job well and make its result current, or superseded where a later one is there."""
        if (result.tenant, result.job_id) != (lease.job.tenant, lease.job.id):
            raise UsageError(f"job {lease.job.id}: the result is of job {result.job_id}")
        kept = replace(result, summary=plain(result.summary, "summary"), superseded_by="")
        with self._lock:
            job = self._apply(moves.complete(self._held(lease), now))
            later = [other for other in self._rivals(job) if moves.supersedes(other, job)]
            if later:
                kept = replace(kept, superseded_by=max(later, key=_rank).id)
                self._note_superseded(job, kept.superseded_by, now)
            for other in self._rivals(job):
                earlier = self._results[other.tenant, other.id]
                if moves.supersedes(job, other) and not earlier.superseded_by:
                    self._results[other.tenant, other.id] = replace(earlier, superseded_by=job.id)
                    self._note_superseded(other, job.id, now)
            self._results[job.tenant, job.id] = kept
            if archive:
                self.put_export(first_export(job.tenant, job.id, result.prefix, now))
            return job

    def fail(self, lease: Lease, failure: Failure, *, now: datetime, retry_at: datetime | None) -> Job:
        """End the attempt badly: queued again for ``retry_at``, or DEAD where that is None."""
        with self._lock:
            return self._apply(moves.fail(self._held(lease), failure, now=now, retry_at=retry_at))

    def reject(self, lease: Lease, failure: Failure, *, now: datetime) -> Job:
        """End the job: its input cannot be read correctly."""
        with self._lock:
            return self._apply(moves.reject(self._held(lease), failure, now))

    def give_back(self, lease: Lease, *, now: datetime) -> Job:
        """Return the job to its queue at once; the attempt does not count."""
        with self._lock:
            return self._apply(moves.give_back(self._held(lease), now))

    def expire(self, now: datetime) -> Sequence[Job]:
        """Queue again, or bury after the last attempt, all jobs whose lease ran out; return them."""
        with self._lock:
            lost = [
                job
                for job in self._jobs.values()
                if job.state is JobState.RUNNING and job.lease_until is not None and job.lease_until <= now
            ]
            return [self._apply(moves.expire(job, now)) for job in lost]

    def cancel(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Stop a queued or running job. Raises `UsageError` for one that has ended."""
        with self._lock:
            return self._apply(moves.cancel(self.job(tenant, job_id), now))

    def redrive(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Queue a dead or cancelled job again with fresh attempts. Raises `UsageError` otherwise."""
        with self._lock:
            return self._apply(moves.redrive(self.job(tenant, job_id), now))

    def set_priority(self, tenant: str, job_id: str, priority: int, now: datetime) -> Job:
        """Change a queued job's priority. Raises `UsageError` for one that is not queued."""
        with self._lock:
            job = moves.prioritise(self.job(tenant, job_id), priority)
            self._jobs[tenant, job_id] = job
            self._note(job, "job.priority", now, str(priority))
            return job

    def job(self, tenant: str, job_id: str) -> Job:
        """Return one job, or raise `NotFound`."""
        with self._lock:
            found = self._jobs.get((tenant, job_id))
        if found is None:
            raise NotFound(
                f"job {job_id}: none in tenant {tenant}",
                hint="bedside job list",
                told=told(ErrorCode.JOB_MISSING),
            )
        return found

    def depth(self) -> Mapping[str, int]:
        """Return the number of queued jobs per pool, delayed ones included."""
        with self._lock:
            queued = [job.stage.pool for job in self._jobs.values() if job.state is JobState.QUEUED]
        return dict(Counter(queued))

    # Exports to the archive

    def put_export(self, export: Export) -> bool:
        """Record an export's next revision; False where another worker was faster."""
        with self._lock:
            known = self._exports.get((export.tenant, export.job_id))
            if (known.revision + 1 if known else 0) != export.revision:
                return False
            self._exports[export.tenant, export.job_id] = export
            return True

    def export(self, tenant: str, job_id: str) -> Export | None:
        """Return a job's export, or None where it has none."""
        with self._lock:
            return self._exports.get((tenant, job_id))

    def due_exports(self, now: datetime, *, limit: int = 100) -> Sequence[Export]:
        """Return exports of all tenants in which something is to be done now, longest due first."""
        with self._lock:
            due = [e for e in self._exports.values() if e.state in OPEN and e.not_before <= now]
        return sorted(due, key=lambda export: export.not_before)[:limit]

    def exports(
        self, tenant: str, *, states: frozenset[ExportState] = frozenset(), limit: int = 100
    ) -> Sequence[Export]:
        """Return exports, newest first; no state named is any."""
        with self._lock:
            wanted = [
                e for e in self._exports.values() if e.tenant == tenant and (not states or e.state in states)
            ]
        return newest_first(wanted, lambda export: export.created_at)[:limit]

    # Results and history

    def result(self, tenant: str, job_id: str) -> Result | None:
        """Return a job's result, or None while it has none."""
        with self._lock:
            return self._results.get((tenant, job_id))

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
        """Return results, newest first; by default delivered ones that nothing superseded."""
        with self._lock:
            wanted = [
                result
                for key, result in self._results.items()
                if result.tenant == tenant
                and not (subject and self._jobs[key].subject != subject)
                and not (current_only and result.superseded_by)
                and (self._jobs[key].role is Role.SHADOW) == shadows
            ]
        found = newest_first(wanted, lambda result: result.created_at)
        return found if limit is None else found[offset : offset + limit]

    def add_event(self, event: LedgerEvent) -> None:
        """Append a line to the history."""
        with self._lock:
            self._append(event)

    def events(self, tenant: str, *, job_id: str = "", arrival_id: str = "") -> Sequence[LedgerEvent]:
        """Return the history of a job or an arrival (neither named: the tenant's), oldest first."""
        with self._lock:
            return [
                event
                for event in self._events.values()
                if event.tenant == tenant
                and (not job_id or event.job_id == job_id)
                and (not arrival_id or event.arrival_id == arrival_id)
            ]

    def _add(self, job: Job, action: str, now: datetime) -> None:
        self._jobs[job.tenant, job.id] = job
        self._note(job, action, now)

    def _held(self, lease: Lease) -> Job:
        """Return the job under a lease that still holds, or raise `StaleLease`."""
        found = self._jobs.get((lease.job.tenant, lease.job.id))
        lost = moves.stale(lease, found)
        if lost is not None or found is None:
            raise lost or AssertionError("a lease holds only for a job that exists")
        return found

    def _apply(self, move: moves.Move) -> Job:
        self._jobs[move.after.tenant, move.after.id] = move.after
        self._append(move.line)
        return move.after

    def _note(self, job: Job, action: str, now: datetime, detail: str = "") -> None:
        self._append(moves.note(job, action, now, detail))

    def _append(self, line: LedgerEvent) -> None:
        self._events[next(self._numbers)] = line

    def _note_superseded(self, job: Job, by: str, now: datetime) -> None:
        self._note(job, "result.superseded", now, by)

    def _rivals(self, job: Job) -> list[Job]:
        """Return the other jobs with a result of the same tenant and subject."""
        owners = [self._jobs[key] for key in self._results]
        return [o for o in owners if (o.tenant, o.subject) == (job.tenant, job.subject) and o.id != job.id]


def _rank(job: Job) -> tuple[int, int]:
    """Return what decides which of the later results is named."""
    return (job.arrival_version, job.run)
