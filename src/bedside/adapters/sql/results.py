"""Results, and which of them is current.

Of one tenant, subject and pipeline version exactly one result is current: the one of the highest
(arrival version, run), and none where the same track has one of a later arrival version. Shadows have
a world of their own. Two jobs of one study that end at once wait for each other, or each would miss
the other's result. What supersedes what is said in `bedside.domain.moves.supersedes`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, literal, or_, select, tuple_, update

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import jobs, results
from bedside.adapters.sql.statements import append, get_job
from bedside.domain import moves
from bedside.domain.job import Job
from bedside.domain.release import Role
from bedside.domain.result import Result


class Results:
    """The part of the ledger that readers of results ask."""

    _database: Database

    def result(self, tenant: str, job_id: str) -> Result | None:
        """Return a job's result, or None while it has none."""
        query = select(results).where(results.c.tenant == tenant, results.c.job_id == job_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else rows.result(row)

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
        query = (
            select(results)
            .where(results.c.tenant == tenant, _is_shadow(shadows))
            .order_by(results.c.created_at.desc(), results.c.seq.desc())
        )
        if subject:
            query = query.where(results.c.subject == subject)
        if current_only:
            query = query.where(results.c.superseded_by == "")
        if limit is not None:
            query = query.limit(limit).offset(offset)
        with self._database.read() as connection:
            return [rows.result(row) for row in connection.execute(query)]


def hold_rivals(connection: Connection, job: Job) -> None:
    """Lock all jobs of the same tenant and subject, always in the same order."""
    query = (
        select(jobs.c.seq)
        .where(jobs.c.tenant == job.tenant, jobs.c.subject == job.subject)
        .order_by(jobs.c.seq)
        .with_for_update()
    )
    connection.execute(query).all()


def add_result(connection: Connection, job: Job, result: Result, now: datetime) -> None:
    """Record a job's result; earlier ones are superseded by it, or it by the latest.

    Its rivals must be held.
    """
    connection.execute(insert(results), rows.result_row(job, result))
    latest = connection.execute(
        select(results.c.job_id)
        .where(_rivals(job), or_(_same(job) & (_rank() > _rank_of(job)), _tracked(job) & _is_later(job)))
        .order_by(results.c.arrival_version.desc(), results.c.run.desc(), results.c.seq)
        .limit(1)
    ).scalar_one_or_none()
    if latest is not None:
        _supersede(connection, job, latest, now)
    earlier = connection.execute(
        select(results.c.job_id)
        .where(
            _rivals(job),
            results.c.superseded_by == "",
            or_(_same(job) & (_rank() < _rank_of(job)), _tracked(job) & _is_earlier(job)),
        )
        .order_by(results.c.seq)
    )
    for job_id in earlier.scalars().all():
        _supersede(connection, get_job(connection, job.tenant, job_id), job.id, now)


def _supersede(connection: Connection, job: Job, by: str, now: datetime) -> None:
    statement = update(results).where(results.c.tenant == job.tenant, results.c.job_id == job.id)
    connection.execute(statement.values(superseded_by=by))
    append(connection, moves.note(job, "result.superseded", now, by))


def _rivals(job: Job) -> ColumnElement[bool]:
    return and_(
        results.c.tenant == job.tenant,
        results.c.subject == job.subject,
        _is_shadow(job.role is Role.SHADOW),
    )


def _is_shadow(shadows: bool) -> ColumnElement[bool]:
    return results.c.role == Role.SHADOW.value if shadows else results.c.role != Role.SHADOW.value


def _same(job: Job) -> ColumnElement[bool]:
    return results.c.pipeline_version == job.pipeline.version


def _tracked(job: Job) -> ColumnElement[bool]:
    """Say that a result is of the same track under another release."""
    return and_(
        results.c.track == job.track,
        literal(job.track != ""),
        results.c.pipeline_version != job.pipeline.version,
    )


def _is_later(job: Job) -> ColumnElement[bool]:
    return results.c.arrival_version > job.arrival_version


def _is_earlier(job: Job) -> ColumnElement[bool]:
    return results.c.arrival_version < job.arrival_version


def _rank() -> Any:
    return tuple_(results.c.arrival_version, results.c.run)


def _rank_of(job: Job) -> Any:
    return tuple_(literal(job.arrival_version), literal(job.run))
