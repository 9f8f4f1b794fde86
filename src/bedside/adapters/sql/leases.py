"""What a worker may do to a job it holds; all of it is refused once its fence is not the newest."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.exports import add_export
from bedside.adapters.sql.results import add_result, hold_rivals
from bedside.adapters.sql.statements import change, find_job, record
from bedside.domain import moves
from bedside.domain.export import first_export
from bedside.domain.job import Failure, Job, Lease
from bedside.domain.result import Result
from bedside.errors import UsageError


class Leases:
    """The part of the ledger that workers write under a lease."""

    _database: Database

    def extend(self, lease: Lease, *, now: datetime, lease_s: float, progress: float, doing: str) -> Lease:
        """Beat the heart: move the end of the lease, and note progress."""
        with self._held(lease) as (connection, before):
            after = moves.extend(before, now=now, lease_s=lease_s, progress=progress, doing=doing)
            change(connection, before, after)
        return rows.lease(after)

    def advance(self, lease: Lease, *, now: datetime) -> Job:
        """Move the job to the queue of its next stage, attempts counted anew."""
        with self._held(lease) as (connection, job):
            return record(connection, moves.advance(job, now))

    def complete(self, lease: Lease, result: Result, *, now: datetime, archive: bool = False) -> Job:
        """End the job well and make its result current, or superseded where a later one is there."""
        if (result.tenant, result.job_id) != (lease.job.tenant, lease.job.id):
            raise UsageError(f"job {lease.job.id}: the result is of job {result.job_id}")
        with self._database.write() as connection:
            hold_rivals(connection, lease.job)
            job = record(connection, moves.complete(_check(connection, lease), now))
            add_result(connection, job, result, now)
            if archive:
                add_export(connection, first_export(job.tenant, job.id, result.prefix, now))
            return job

    def fail(self, lease: Lease, failure: Failure, *, now: datetime, retry_at: datetime | None) -> Job:
        """End the attempt badly: queued again for ``retry_at``, or DEAD where that is None."""
        with self._held(lease) as (connection, job):
            return record(connection, moves.fail(job, failure, now=now, retry_at=retry_at))

    def reject(self, lease: Lease, failure: Failure, *, now: datetime) -> Job:
        """End the job: its input cannot be read correctly."""
        with self._held(lease) as (connection, job):
            return record(connection, moves.reject(job, failure, now))

    def give_back(self, lease: Lease, *, now: datetime) -> Job:
        """Return the job to its queue at once; the attempt does not count."""
        with self._held(lease) as (connection, job):
            return record(connection, moves.give_back(job, now))

    @contextmanager
    def _held(self, lease: Lease) -> Iterator[tuple[Connection, Job]]:
        """Run a transaction with the job under a lease that still holds, or raise `StaleLease`."""
        with self._database.write() as connection:
            yield connection, _check(connection, lease)


def _check(connection: Connection, lease: Lease) -> Job:
    found = find_job(connection, lease.job.tenant, lease.job.id, hold=True)
    lost = moves.stale(lease, found)
    if lost is not None or found is None:
        raise lost or AssertionError("a lease holds only for a job that exists")
    return found
