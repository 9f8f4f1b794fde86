"""Figures for operators, grouped by the database: what waits, what ended, what it took and cost.

Times are cut into hours and days of UTC by their text, since the two databases share no function for it;
PostgreSQL's sessions speak UTC (see `engine`), and SQLite keeps UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, case, func, select, true, tuple_, type_coerce

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import arrivals, entries, events, exports, jobs, results
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
from bedside.domain.job import Job, JobEvent, JobState
from bedside.domain.release import Role

#: Lines of the history in which workers are looked for.
NEWEST_LINES = 2000
_LEASED = f"job.{JobEvent.LEASE.value}"
_BADLY = (JobState.DEAD.value, JobState.REJECTED.value)


class SqlFigures:
    """A `bedside.ports.figures.Figures` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def queues(self, scope: Scope, now: datetime) -> Sequence[QueueFigure]:
        """Return what waits, by pool in order of name; pools without a queued job are left out."""
        due = jobs.c.not_before <= now
        query = (
            select(
                jobs.c.pool,
                func.count().label("queued"),
                func.sum(case((due, 1), else_=0)).label("due"),
                func.min(case((due, jobs.c.not_before))).label("waits_since"),
            )
            .where(jobs.c.state == JobState.QUEUED.value, _of(jobs.c.tenant, scope))
            .group_by(jobs.c.pool)
            .order_by(jobs.c.pool)
        )
        return [
            QueueFigure(
                pool=row.pool,
                due=int(row.due),
                delayed=row.queued - int(row.due),
                waits_since=row.waits_since,
            )
            for row in self._rows(query)
        ]

    def states(self, scope: Scope) -> Mapping[JobState, int]:
        """Return how many jobs stand in each state; states without any are left out."""
        query = (
            select(jobs.c.state, func.count().label("jobs"))
            .where(_of(jobs.c.tenant, scope))
            .group_by(jobs.c.state)
        )
        return {JobState(row.state): row.jobs for row in self._rows(query)}

    def ended(self, scope: Scope, *, since: datetime, unit: Unit) -> Sequence[EndedFigure]:
        """Return how many jobs ended how, by piece of time, oldest first; empty pieces are left out."""
        with self._database.read() as connection:
            piece = _piece(connection, jobs.c.ended_at, unit)
            query = (
                select(piece.label("piece"), jobs.c.state, func.count().label("jobs"))
                .where(jobs.c.ended_at >= since, _of(jobs.c.tenant, scope))
                .group_by(piece, jobs.c.state)
                .order_by(piece, jobs.c.state)
            )
            found = connection.execute(query).all()
        return [
            EndedFigure(begin=_begin(row.piece, unit), state=JobState(row.state), jobs=row.jobs)
            for row in found
        ]

    def failures(self, scope: Scope, *, since: datetime) -> Sequence[FailureFigure]:
        """Return why jobs ended dead or rejected, most jobs first."""
        error = jobs.c.failure["error"].as_string()
        groups = (
            select(
                error.label("error"),
                jobs.c.state,
                func.count().label("jobs"),
                func.max(jobs.c.ended_at).label("newest_at"),
                func.max(jobs.c.seq).label("example"),
            )
            .where(jobs.c.ended_at >= since, jobs.c.state.in_(_BADLY), _of(jobs.c.tenant, scope))
            .group_by(error, jobs.c.state, jobs.c.pipeline_version, jobs.c.stage_index)
        )
        with self._database.read() as connection:
            found = connection.execute(groups).all()
            wanted = select(jobs).where(jobs.c.seq.in_([row.example for row in found]))
            examples = {row.seq: rows.job(row) for row in connection.execute(wanted)}
        figures = [
            FailureFigure(
                error=row.error or "",
                state=JobState(row.state),
                pipeline=examples[row.example].pipeline.name,
                stage=examples[row.example].stage.name,
                release=examples[row.example].stage.release,
                jobs=row.jobs,
                newest_at=row.newest_at,
            )
            for row in found
        ]
        return sorted(figures, key=lambda f: (-f.jobs, f.reason, f.state))

    def dead(self, scope: Scope, *, limit: int = 100) -> Sequence[Job]:
        """Return dead jobs, those that died last first."""
        query = (
            select(jobs)
            .where(jobs.c.state == JobState.DEAD.value, _of(jobs.c.tenant, scope))
            .order_by(jobs.c.ended_at.desc(), jobs.c.seq.desc())
            .limit(limit)
        )
        return [rows.job(row) for row in self._rows(query)]

    def in_hand(self, scope: Scope, *, limit: int = 200) -> Sequence[WorkInHand]:
        """Return jobs that workers have in hand, longest first."""
        running = (
            select(jobs)
            .where(jobs.c.state == JobState.RUNNING.value, _of(jobs.c.tenant, scope))
            .order_by(jobs.c.started_at, jobs.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            held = [rows.job(row) for row in connection.execute(running)]
            leased = (
                select(events.c.tenant, events.c.job_id, func.max(events.c.at).label("at"))
                .where(
                    tuple_(events.c.tenant, events.c.job_id).in_([(job.tenant, job.id) for job in held]),
                    events.c.action == _LEASED,
                )
                .group_by(events.c.tenant, events.c.job_id)
            )
            since = {(row.tenant, row.job_id): row.at for row in connection.execute(leased)}
        return [WorkInHand(job=job, leased_at=since.get((job.tenant, job.id))) for job in held]

    def workers(self, scope: Scope) -> Sequence[WorkerSeen]:
        """Return the workers of the newest lines of the history, last seen first."""
        newest = (
            select(events.c.worker, events.c.at, events.c.tenant)
            .order_by(events.c.seq.desc())
            .limit(NEWEST_LINES)
            .subquery()
        )
        last = func.max(newest.c.at).label("at")
        query = (
            select(newest.c.worker, last)
            .where(newest.c.worker != "", _of(newest.c.tenant, scope))
            .group_by(newest.c.worker)
            .order_by(last.desc(), newest.c.worker)
        )
        return [WorkerSeen(worker=row.worker, at=row.at) for row in self._rows(query)]

    def timed(self, scope: Scope, *, since: datetime, limit: int = 1000) -> Sequence[TimedResult]:
        """Return how long the newest delivered results took; those that do not say are left out."""
        query = (
            select(results.c.summary, jobs.c.pipeline_name, jobs.c.created_at, jobs.c.ended_at)
            .join(jobs, (jobs.c.tenant == results.c.tenant) & (jobs.c.id == results.c.job_id))
            .where(
                results.c.created_at >= since,
                results.c.role != Role.SHADOW.value,
                _of(results.c.tenant, scope),
            )
            .order_by(results.c.created_at.desc(), results.c.seq.desc())
            .limit(limit)
        )
        return [
            TimedResult(
                pipeline=row.pipeline_name,
                took_s=(row.ended_at - row.created_at).total_seconds(),
                timings_s=row.summary["timings_s"],
            )
            for row in self._rows(query)
            if row.ended_at is not None and "timings_s" in row.summary
        ]

    def spent(self, scope: Scope, *, since: datetime) -> Sequence[SpentFigure]:
        """Return what results took, shadows included, by day, oldest first; empty days are left out."""
        usd = results.c.summary[("compute", "usd")].as_float()
        seconds = results.c.summary[("compute", "seconds")].as_float()
        with self._database.read() as connection:
            day = _piece(connection, results.c.created_at, Unit.DAY)
            query = (
                select(
                    day.label("day"),
                    func.count().label("results"),
                    func.count(usd).label("priced"),
                    func.coalesce(func.sum(usd), 0.0).label("usd"),
                    func.coalesce(func.sum(seconds), 0.0).label("seconds"),
                )
                .where(results.c.created_at >= since, _of(results.c.tenant, scope))
                .group_by(day)
                .order_by(day)
            )
            found = connection.execute(query).all()
        return [
            SpentFigure(
                day=_begin(row.day, Unit.DAY),
                results=row.results,
                priced=row.priced,
                usd=float(row.usd),
                seconds=float(row.seconds),
            )
            for row in found
        ]

    def rejected_inputs(self, scope: Scope, *, since: datetime) -> int:
        """Return how many drop-box entries could not be used."""
        query = (
            select(func.count())
            .select_from(entries)
            .where(
                entries.c.state == EntryState.REJECTED.value,
                entries.c.seen_at >= since,
                _of(entries.c.tenant, scope),
            )
        )
        return int(self._rows(query)[0][0])

    def failed_exports(self, scope: Scope) -> int:
        """Return how many results the archive did not take, and nobody tries any more."""
        query = (
            select(func.count())
            .select_from(exports)
            .where(exports.c.state == ExportState.FAILED.value, _of(exports.c.tenant, scope))
        )
        return int(self._rows(query)[0][0])

    def arrivals(self, scope: Scope, *, since: datetime | None, limit: int) -> Sequence[ArrivalSeen]:
        """Return DICOM arrivals, those recorded last first; of any age where ``since`` is None."""
        table = arrivals
        query = (
            select(table.c.tenant, table.c.id, table.c.version, table.c.received_at)
            .where(table.c.kind == ArrivalKind.DICOM.value, _of(table.c.tenant, scope))
            .order_by(table.c.seq.desc())
            .limit(limit)
        )
        if since is not None:
            query = query.where(table.c.received_at >= since)
        return [
            ArrivalSeen(tenant=row.tenant, id=row.id, version=row.version, received_at=row.received_at)
            for row in self._rows(query)
        ]

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._database.read() as connection:
            return connection.execute(query).all()


def _of(column: ColumnElement[str], scope: Scope) -> ColumnElement[bool]:
    return true() if scope is None else column.in_(sorted(scope))


def _piece(connection: Connection, column: ColumnElement[Any], unit: Unit) -> ColumnElement[str]:
    """Return the hour or day of a time as text, e.g. ``2026-03-01 08``."""
    if connection.dialect.name == "sqlite":
        return func.substr(type_coerce(column, Text), 1, 13 if unit is Unit.HOUR else 10)
    return func.to_char(column, "YYYY-MM-DD HH24" if unit is Unit.HOUR else "YYYY-MM-DD")


def _begin(piece: str, unit: Unit) -> datetime:
    return datetime.fromisoformat(f"{piece}:00" if unit is Unit.HOUR else piece).replace(tzinfo=UTC)
