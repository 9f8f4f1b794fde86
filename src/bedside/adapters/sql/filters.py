"""From what somebody wants to see to a condition over the tables.

Beginnings of words are ranges on SQLite, whose text is ordered by its bytes, and LIKE on PostgreSQL, whose
order of letters is its locale's.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select, union

from bedside.adapters.sql.schema import arrivals, jobs
from bedside.domain.job import JobState
from bedside.ports import JobFilter, StudyFilter

#: What is found in so few places is looked up there; what is found more often is come across soon.
FEW = 5000
#: States in which there are mostly few.
ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING})
#: Versions are looked for among all jobs this often, and else among those that came since.
ANEW_S = 60.0
_LAST = "\U0010ffff"

Condition = ColumnElement[bool]


def job_conditions(
    connection: Connection, tenant: str, where: JobFilter, versions: "Versions"
) -> list[Condition]:
    """Return what jobs must be: at a few known places, or else all of it in one index."""
    places, left = _few_jobs(connection, tenant, where)
    found = _at(jobs, tenant, places) + left
    if where.states:
        found.append(jobs.c.state.in_(_values(where.states)))
    if where.roles:
        found.append(jobs.c.role.in_(_values(where.roles)))
    if where.pipeline:
        found.append(jobs.c.pipeline_name == where.pipeline)
    if where.release:
        found.append(jobs.c.pipeline_version.in_(versions.running(connection, tenant, where.release)))
    if where.rule:
        found.append(jobs.c.rule == where.rule)
    return found + _between(jobs.c.created_at, where)


def study_conditions(
    connection: Connection, tenant: str, where: StudyFilter, versions: "Versions"
) -> list[Condition]:
    """Return what arrivals must be."""
    places: list[Any] = []
    left: list[Condition] = []
    if where.subject:
        places.append(_where(arrivals, tenant, arrivals.c.subject == where.subject))
    if where.text or where.named:
        each = _words(connection, arrivals, (arrivals.c.id,), where)
        _put(connection, arrivals, tenant, each, places, left)
    if where.without_job:
        left.append(arrivals.c.started == false())
    elif where.jobs != JobFilter():
        _put_jobs(connection, tenant, job_conditions(connection, tenant, where.jobs, versions), places, left)
    found = _at(arrivals, tenant, places) + left + _between(arrivals.c.received_at, where)
    return found if where.all_versions else [*found, _is_newest(tenant)]


def _few_jobs(connection: Connection, tenant: str, where: JobFilter) -> tuple[list[Any], list[Condition]]:
    """Return where the jobs must be, if those are few places; and what else they must be."""
    places: list[Any] = []
    left: list[Condition] = []
    if where.arrival_id:
        places.append(_where(jobs, tenant, jobs.c.arrival_id == where.arrival_id))
    if where.arrivals:
        places.append(_where(jobs, tenant, jobs.c.arrival_id.in_(sorted(where.arrivals))))
    if where.subject:
        places.append(_where(jobs, tenant, jobs.c.subject == where.subject))
    if where.states and where.states <= ACTIVE:  # the head of the line, of all tenants
        active = select(jobs.c.seq).where(jobs.c.state.in_(_values(where.states)))
        if _are_few(connection, active):
            places.append(active)
    if where.text or where.named:
        each = _words(connection, jobs, (jobs.c.id, jobs.c.arrival_id), where)
        _put(connection, jobs, tenant, each, places, left)
    return places, left


def _at(table: Any, tenant: str, places: Sequence[Any]) -> list[Condition]:
    """Return that rows are a tenant's, and at some places where these are known.

    With places known no index that begins with a tenant may be walked: the databases would, to have the
    rows in order.
    """
    if not places:
        return [table.c.tenant == tenant]
    return [func.coalesce(table.c.tenant, "") == tenant, *(table.c.seq.in_(one) for one in places)]


def _put(
    connection: Connection,
    table: Any,
    tenant: str,
    each: Sequence[Condition],
    places: list[Any],
    left: list[Condition],
) -> None:
    """Note one of several conditions: as places if they are few, each found by an index of its own."""
    together = union(*(_where(table, tenant, one) for one in each)).subquery()
    if _are_few(connection, select(together.c.seq)):
        places.append(select(together.c.seq))
    else:
        left.append(or_(*each))


def _put_jobs(
    connection: Connection,
    tenant: str,
    conditions: Sequence[Condition],
    places: list[Any],
    left: list[Condition],
) -> None:
    """Note that one of an arrival's jobs is so: looked up from the jobs if these are few."""
    wanted = select(jobs.c.arrival_id).where(*conditions)
    if _are_few(connection, wanted):
        places.append(_where(arrivals, tenant, arrivals.c.id.in_(wanted)))
    else:
        left.append(_its_jobs(tenant).where(*conditions).exists())


def _is_newest(tenant: str) -> Condition:
    later = arrivals.alias()
    return ~(
        select(later.c.seq)
        .where(
            later.c.tenant == tenant,
            later.c.subject == arrivals.c.subject,
            later.c.version > arrivals.c.version,
        )
        .exists()
    )


def _where(table: Any, tenant: str, condition: Condition) -> Select[Any]:
    return select(table.c.seq).where(table.c.tenant == tenant, condition)


def _values(states: Iterable[StrEnum]) -> list[str]:
    return sorted(state.value for state in states)


class Versions:
    """Which releases the versions of pipelines run, as read from a tenant's jobs; looked for anew in a while.

    A version is made of its releases, so that what is known of one stays true.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float, dict[str, frozenset[str]]]] = {}
        self._lock = threading.Lock()

    def running(self, connection: Connection, tenant: str, release: str) -> list[str]:
        """Return the versions, among a tenant's jobs, that run a release in some stage."""
        now = time.monotonic()
        with self._lock:
            newest, since, versions = self._known.get(tenant, (0, now, {}))
        if now - since > ANEW_S:  # numbers of rows that were removed may have been given again
            newest, since = 0, now
        fresh, newest = _versions_after(connection, tenant, newest)
        versions = versions | fresh
        with self._lock:
            self._known[tenant] = (newest, since, versions)
        return sorted(version for version, releases in versions.items() if release in releases)


def _versions_after(
    connection: Connection, tenant: str, newest: int
) -> tuple[dict[str, frozenset[str]], int]:
    """Return the releases of each version of the jobs after one, and the number of the last job."""
    each = (
        select(func.max(jobs.c.seq).label("seq"))
        .where(jobs.c.tenant == tenant, jobs.c.seq > newest)
        .group_by(jobs.c.pipeline_version)
        .subquery()
    )
    query = select(jobs.c.seq, jobs.c.pipeline_version, jobs.c.pipeline).where(
        jobs.c.seq.in_(select(each.c.seq))
    )
    found = connection.execute(query).all()
    releases = {
        row.pipeline_version: frozenset(stage["release"] for stage in row.pipeline["stages"]) for row in found
    }
    return releases, max([newest, *(row.seq for row in found)])


def _between(column: ColumnElement[Any], where: JobFilter | StudyFilter) -> list[Condition]:
    found: list[Condition] = []
    if where.since is not None:
        found.append(column >= where.since)
    if where.until is not None:
        found.append(column < where.until)
    return found


def _words(
    connection: Connection, table: Any, names: Sequence[ColumnElement[str]], where: JobFilter | StudyFilter
) -> list[Condition]:
    """Return what may begin so, and being of the studies named: one of them must be met."""
    each: list[Condition] = []
    if where.text:
        each += [begins(connection, name, where.text) for name in (*names, table.c.subject)]
    if where.named:
        each.append(table.c.subject.in_(sorted(where.named)))
    return each


def _its_jobs(tenant: str) -> Select[Any]:
    return select(jobs.c.seq).where(jobs.c.tenant == tenant, jobs.c.arrival_id == arrivals.c.id)


def _are_few(connection: Connection, query: Select[Any]) -> bool:
    counted = select(func.count()).select_from(query.limit(FEW + 1).subquery())
    return bool(connection.execute(counted).scalar_one() <= FEW)


def begins(connection: Connection, column: ColumnElement[str], text: str) -> Condition:
    """Return that a column begins so, in a way that an index can serve."""
    if connection.dialect.name == "sqlite":
        return and_(column >= text, column < text + _LAST)
    return column.startswith(text, autoescape=True)
