"""Jobs as a queue: adding, taking the next one, taking back what was lost, and a person's orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, false, func, select, true, update

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import arrivals, jobs
from bedside.adapters.sql.statements import add_once, append, change, get_job, record
from bedside.domain import moves
from bedside.domain.job import Job, JobState, Lease
from bedside.errors import UsageError


def _due(*more: Any) -> Select[Any]:
    """Return the query of the job to do next; of two callers at once, each gets its own."""
    return (
        select(jobs)
        .where(jobs.c.state == bindparam("queued"), *more, jobs.c.not_before <= bindparam("now"))
        .order_by(jobs.c.priority.desc(), jobs.c.created_at, jobs.c.seq)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


_DUE = _due()
_STARTED = (
    update(arrivals)
    .where(
        arrivals.c.tenant == bindparam("its_tenant"),
        arrivals.c.id == bindparam("its_arrival"),
        arrivals.c.started == false(),
    )
    .values(started=true())
)
_DUE_IN_POOL = _due(jobs.c.pool == bindparam("its_pool"))


class Queue:
    """The part of the ledger that says which job is next."""

    _database: Database

    def enqueue(self, job: Job) -> tuple[Job, bool]:
        """Add a job, or return the one of the same tenant and id, and whether it is new."""
        with self._database.write() as connection:
            new = add_once(connection, jobs, rows.job_row(job))
            if new:
                connection.execute(_STARTED, {"its_tenant": job.tenant, "its_arrival": job.arrival_id})
                append(connection, moves.note(job, "job.enqueue", job.created_at))
            return get_job(connection, job.tenant, job.id), new

    def rerun(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Add the next run of an ended job, queued, and return it."""
        with self._database.write() as connection:
            named = get_job(connection, tenant, job_id)
            query = (
                select(jobs)
                .where(jobs.c.tenant == tenant, jobs.c.identity == named.identity)
                .order_by(jobs.c.run.desc())
                .limit(1)
            )
            again = moves.next_run(rows.job(connection.execute(query).one()), now)
            if not add_once(connection, jobs, rows.job_row(again)):
                hint = f"bedside job watch {again.id}"
                raise UsageError(f"job {again.id}: another call added it just now", hint=hint)
            append(connection, moves.note(again, "job.rerun", now))
            return get_job(connection, tenant, again.id)

    def lease(self, *, pools: Sequence[str], worker: str, now: datetime, lease_s: float) -> Lease | None:
        """Take the job to do next in ``pools`` (none named: in every pool)."""
        with self._database.write() as connection:
            job = _first_due(connection, pools, now)
            if job is None:
                return None
            move = moves.lease(job, worker=worker, now=now, lease_s=lease_s)
            return rows.lease(record(connection, move))

    def expire(self, now: datetime) -> Sequence[Job]:
        """Queue again, or bury after the last attempt, all jobs whose lease ran out; return them."""
        query = (
            select(jobs)
            .where(jobs.c.state == JobState.RUNNING.value, jobs.c.lease_until <= now)
            .order_by(jobs.c.seq)
        )
        with self._database.read() as connection:  # the usual answer, without a lock
            if connection.execute(query.limit(1)).one_or_none() is None:
                return []
        with self._database.write() as connection:
            lost = [rows.job(row) for row in connection.execute(query.with_for_update(skip_locked=True))]
            return [record(connection, moves.expire(job, now)) for job in lost]

    def cancel(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Stop a queued or running job. Raises `UsageError` for one that has ended."""
        with self._database.write() as connection:
            return record(connection, moves.cancel(get_job(connection, tenant, job_id, hold=True), now))

    def redrive(self, tenant: str, job_id: str, now: datetime) -> Job:
        """Queue a dead or cancelled job again with fresh attempts. Raises `UsageError` otherwise."""
        with self._database.write() as connection:
            return record(connection, moves.redrive(get_job(connection, tenant, job_id, hold=True), now))

    def set_priority(self, tenant: str, job_id: str, priority: int, now: datetime) -> Job:
        """Change a queued job's priority. Raises `UsageError` for one that is not queued."""
        with self._database.write() as connection:
            before = get_job(connection, tenant, job_id, hold=True)
            after = moves.prioritise(before, priority)
            change(connection, before, after)
            append(connection, moves.note(after, "job.priority", now, str(priority)))
            return after

    def job(self, tenant: str, job_id: str) -> Job:
        """Return one job, or raise `NotFound`."""
        with self._database.read() as connection:
            return get_job(connection, tenant, job_id)

    def depth(self) -> Mapping[str, int]:
        """Return the number of queued jobs per pool, delayed ones included."""
        query = (
            select(jobs.c.pool, func.count().label("queued"))
            .where(jobs.c.state == JobState.QUEUED.value)
            .group_by(jobs.c.pool)
        )
        with self._database.read() as connection:
            return {row.pool: row.queued for row in connection.execute(query)}


def _first_due(connection: Connection, pools: Sequence[str], now: datetime) -> Job | None:
    """Ask each pool's queue for its head, each by its index, and take the best of them."""
    common = {"queued": JobState.QUEUED.value, "now": now}
    asked: list[tuple[Select[Any], dict[str, object]]] = [
        (_DUE_IN_POOL, common | {"its_pool": pool}) for pool in pools
    ] or [(_DUE, common)]
    heads = [row for query, values in asked for row in connection.execute(query, values)]
    first = min(heads, key=lambda row: (-row.priority, row.created_at, row.seq), default=None)
    return None if first is None else rows.job(first)
