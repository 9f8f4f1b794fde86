"""Lists of studies and jobs as people follow them: newest first, and on from the last one shown.

A list is made in two steps: which rows, from an index that holds all that a list is filtered by; then those
rows. A job's row is long, since it holds its pipeline, and a hundred thousand of them are not read to show
fifty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, bindparam, cast, func, or_, select

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.filters import Versions, job_conditions, study_conditions
from bedside.adapters.sql.schema import arrivals, entries, events, jobs
from bedside.domain.arrival import ArrivalSummary, Entry, EntryState
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.errors import NotFound
from bedside.ports import JobFilter, StudyFilter
from bedside.ports.following import COUNTED_BEFORE

_SUMMARY = (
    arrivals.c.tenant,
    arrivals.c.id,
    arrivals.c.kind,
    arrivals.c.subject,
    arrivals.c.version,
    arrivals.c.instances,
    arrivals.c.size_bytes,
    arrivals.c.received_at,
)


def _before() -> Select[Any]:
    """Return the query of how many jobs are before one in line, each of two kinds counted up to a limit."""
    own = select(jobs.c.seq).where(jobs.c.tenant == bindparam("its_tenant"), jobs.c.id == bindparam("its_id"))
    in_line = and_(jobs.c.state == JobState.QUEUED.value, jobs.c.pool == bindparam("its_pool"))
    priority = bindparam("its_priority", type_=jobs.c.priority.type)
    made_at = bindparam("made_at", type_=jobs.c.created_at.type)
    before = or_(
        jobs.c.created_at < made_at,
        and_(jobs.c.created_at == made_at, jobs.c.seq < own.scalar_subquery()),
    )
    urgent = select(jobs.c.seq).where(in_line, jobs.c.priority > priority)
    earlier = select(jobs.c.seq).where(
        in_line, jobs.c.priority == priority, jobs.c.created_at <= made_at, before
    )
    return select(
        *(
            select(func.count())
            .select_from(one.limit(bindparam("most")).subquery())
            .scalar_subquery()
            .label(name)
            for name, one in (("urgent", urgent), ("earlier", earlier))
        )
    )


_BEFORE = _before()


class Lists:
    """The part of the ledger that people look at."""

    _database: Database
    _versions: Versions

    def studies(
        self, tenant: str, where: StudyFilter, *, limit: int = 100, after: str = ""
    ) -> Sequence[ArrivalSummary]:
        """Return the newest version of each study, last received first."""
        with self._database.read() as connection:
            query: Select[Any] = (
                select(*_SUMMARY)
                .where(*study_conditions(connection, tenant, where, self._versions))
                .order_by(arrivals.c.received_at.desc(), arrivals.c.seq.desc())
                .limit(limit)
            )
            if after:
                query = query.where(_later(connection, arrivals, arrivals.c.received_at, tenant, after))
            return [rows.summary(row) for row in connection.execute(query)]

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
        table = _ENTRIES
        query = (
            select(table)
            .where(table.c.tenant == tenant)
            .order_by(table.c.seen_at.desc(), table.c.seq.desc())
            .limit(limit)
            .offset(offset)
        )
        if states:
            query = query.where(table.c.state.in_(sorted(state.value for state in states)))
        if arrival_id:  # a JSON list of hexadecimal ids, kept as text
            query = query.where(cast(table.c.arrivals, Text).contains(f'"{arrival_id}"', autoescape=True))
        with self._database.read() as connection:
            return [rows.entry(row) for row in connection.execute(query)]

    def jobs(
        self, tenant: str, where: JobFilter, *, limit: int = 100, offset: int = 0, after: str = ""
    ) -> Sequence[Job]:
        """Return jobs, newest first."""
        table = _JOBS
        with self._database.read() as connection:
            order = (table.c.created_at.desc(), table.c.seq.desc())
            which = (
                select(table.c.seq)
                .where(*job_conditions(connection, tenant, where, self._versions))
                .order_by(*order)
                .limit(limit)
                .offset(offset)
            )
            if after:
                which = which.where(_later(connection, table, table.c.created_at, tenant, after))
            shown = connection.execute(which).scalars().all()
            found = connection.execute(select(table).where(table.c.seq.in_(shown)).order_by(*order))
            return [rows.job(row) for row in found]

    def job_counts(self, tenant: str, where: JobFilter) -> Mapping[JobState, int]:
        """Return how many jobs are in each state; what ``where`` says of states is left aside."""
        with self._database.read() as connection:
            conditions = job_conditions(
                connection, tenant, replace(where, states=frozenset()), self._versions
            )
            query = (
                select(_JOBS.c.state, func.count().label("many")).where(*conditions).group_by(_JOBS.c.state)
            )
            return {JobState(row.state): row.many for row in connection.execute(query)}

    def jobs_before(self, job: Job, *, limit: int = COUNTED_BEFORE) -> int:
        """Return how many queued jobs of all tenants are leased before a queued one in its pool."""
        values = {
            "its_tenant": job.tenant,
            "its_id": job.id,
            "its_pool": job.stage.pool,
            "its_priority": job.priority,
            "made_at": job.created_at,
            "most": limit,
        }
        with self._database.read() as connection:
            row = connection.execute(_BEFORE, values).one()
        return min(limit, int(row.urgent) + int(row.earlier))

    def last_event(self) -> int:
        """Return the number of the newest line of the history, 0 where there is none."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(events.c.seq))).scalar_one() or 0

    def news(self, tenant: str, *, after: int, limit: int = 1000) -> Sequence[tuple[int, LedgerEvent]]:
        """Return numbered lines of a tenant's history after one, oldest first."""
        query = (
            select(events)
            .where(events.c.tenant == tenant, events.c.seq > after)
            .order_by(events.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(row.seq, rows.event(row)) for row in connection.execute(query)]


def _later(
    connection: Connection, table: Any, at: ColumnElement[Any], tenant: str, last: str
) -> ColumnElement[bool]:
    """Return what comes after a row in a list that is newest first, or raise `NotFound`."""
    query = select(at, table.c.seq).where(table.c.tenant == tenant, table.c.id == last)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"{table.name.removesuffix('s')} {last}: none in tenant {tenant}")
    # The first part is what an index can begin with, the second says which of equal times.
    return and_(at <= row[0], or_(at < row[0], table.c.seq < row.seq))


#: The tables, where methods of the port hide their names.
_ENTRIES = entries
_JOBS = jobs
