"""From what somebody wants to see to a condition over the tables.

Beginnings of words are ranges on SQLite, whose text is ordered by its bytes, and LIKE on PostgreSQL, whose
order of letters is its locale's.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, union

from bedside.adapters.sql.schema import arrivals, jobs
from bedside.ports import JobFilter, StudyFilter

#: What is found in so few places is looked up there; what is found more often is come across soon.
FEW = 5000
_LAST = "\U0010ffff"

Condition = ColumnElement[bool]


def job_conditions(connection: Connection, tenant: str, where: JobFilter) -> list[Condition]:
    """Return what jobs must be, all of it in one index but the words searched for."""
    found: list[Condition] = [jobs.c.tenant == tenant]
    if where.states:
        found.append(jobs.c.state.in_(sorted(state.value for state in where.states)))
    if where.roles:
        found.append(jobs.c.role.in_(sorted(role.value for role in where.roles)))
    if where.arrival_id:
        found.append(jobs.c.arrival_id == where.arrival_id)
    if where.arrivals:
        found.append(jobs.c.arrival_id.in_(sorted(where.arrivals)))
    if where.subject:
        found.append(jobs.c.subject == where.subject)
    if where.pipeline:
        found.append(jobs.c.pipeline_name == where.pipeline)
    if where.release:
        found.append(jobs.c.pipeline_version.in_(versions_running(connection, tenant, where.release)))
    if where.rule:
        found.append(jobs.c.rule == where.rule)
    found += _between(jobs.c.created_at, where)
    if where.text or where.named:
        found.append(_words(connection, jobs, tenant, (jobs.c.id, jobs.c.arrival_id), where))
    return found


def study_conditions(connection: Connection, tenant: str, where: StudyFilter) -> list[Condition]:
    """Return what arrivals must be."""
    found: list[Condition] = [arrivals.c.tenant == tenant]
    if where.subject:
        found.append(arrivals.c.subject == where.subject)
    if not where.all_versions:
        later = arrivals.alias()
        found.append(
            ~select(later.c.seq)
            .where(
                later.c.tenant == tenant,
                later.c.subject == arrivals.c.subject,
                later.c.version > arrivals.c.version,
            )
            .exists()
        )
    found += _between(arrivals.c.received_at, where)
    if where.text or where.named:
        found.append(_words(connection, arrivals, tenant, (arrivals.c.id,), where))
    if where.without_job:
        found.append(~_its_jobs(tenant).exists())
    elif where.jobs != JobFilter():
        found.append(_with_jobs(connection, tenant, where.jobs))
    return found


def versions_running(connection: Connection, tenant: str, release: str) -> list[str]:
    """Return the versions of pipelines, among a tenant's jobs, that run a release in some stage."""
    each = (
        select(func.max(jobs.c.seq).label("seq"))
        .where(jobs.c.tenant == tenant)
        .group_by(jobs.c.pipeline_version)
        .subquery()
    )
    query = select(jobs.c.pipeline_version, jobs.c.pipeline).where(jobs.c.seq.in_(select(each.c.seq)))
    return [
        row.pipeline_version
        for row in connection.execute(query)
        if release in {stage["release"] for stage in row.pipeline["stages"]}
    ]


def _between(column: ColumnElement[Any], where: JobFilter | StudyFilter) -> list[Condition]:
    found: list[Condition] = []
    if where.since is not None:
        found.append(column >= where.since)
    if where.until is not None:
        found.append(column < where.until)
    return found


def _words(
    connection: Connection,
    table: Any,
    tenant: str,
    names: Sequence[ColumnElement[str]],
    where: JobFilter | StudyFilter,
) -> Condition:
    """Return what must begin so, or be of the studies named."""
    each: list[Condition] = []
    if where.text:
        each += [begins(connection, name, where.text) for name in (*names, table.c.subject)]
    if where.named:
        each.append(table.c.subject.in_(sorted(where.named)))
    # Each by an index of its own; one condition with OR would be tried on every row.
    places = union(*(select(table.c.seq).where(table.c.tenant == tenant, one) for one in each)).subquery()
    if _are_few(connection, select(places.c.seq)):
        return _one_of(table.c.seq, select(places.c.seq))
    return or_(*each)


def _with_jobs(connection: Connection, tenant: str, where: JobFilter) -> Condition:
    """Return that one of an arrival's jobs is so."""
    conditions = job_conditions(connection, tenant, where)
    wanted = select(jobs.c.arrival_id).where(*conditions)
    if _are_few(connection, wanted):
        return _one_of(arrivals.c.id, wanted)
    return _its_jobs(tenant).where(*conditions).exists()


def _its_jobs(tenant: str) -> Select[Any]:
    return select(jobs.c.seq).where(jobs.c.tenant == tenant, jobs.c.arrival_id == arrivals.c.id)


def _are_few(connection: Connection, query: Select[Any]) -> bool:
    counted = select(func.count()).select_from(query.limit(FEW + 1).subquery())
    return bool(connection.execute(counted).scalar_one() <= FEW)


def _one_of(column: ColumnElement[Any], query: Select[Any]) -> Condition:
    return column.in_(query)


def begins(connection: Connection, column: ColumnElement[str], text: str) -> Condition:
    """Return that a column begins so, in a way that an index can serve."""
    if connection.dialect.name == "sqlite":
        return and_(column >= text, column < text + _LAST)
    return column.startswith(text, autoescape=True)
