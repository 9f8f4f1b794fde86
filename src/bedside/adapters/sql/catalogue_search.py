"""Searching the catalogue: from matches to one statement."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, true

from bedside.adapters.sql import catalogue_rows as rows
from bedside.adapters.sql.catalogue_tables import catalogue_instances, catalogue_series, catalogue_studies
from bedside.domain.catalogue import Found
from bedside.domain.matching import Match
from bedside.domain.searchable import MODALITIES, Level
from bedside.ports.catalogue import Search

_TABLES = {
    Level.STUDY: catalogue_studies,
    Level.SERIES: catalogue_series,
    Level.INSTANCE: catalogue_instances,
}
_HEAVY = frozenset({"metadata", "layout"})
#: Of one value there are few studies, and an index finds them.
_FEW = frozenset({"patient_id", "accession_number", "series_uid", "sop_instance_uid"})
#: Asked for at once; databases take no more parameters in one statement.
_AT_ONCE = 500
#: What a pattern begins with that stands for itself.
_PLAIN = re.compile(r"[\w \n]+")


def searched(connection: Connection, tenant: str, search: Search) -> Sequence[Found]:
    """Return what meets a search."""
    levels = [Level.STUDY, Level.SERIES, Level.INSTANCE][: list(Level).index(search.level) + 1]
    tables = [_TABLES[level] for level in levels]
    query = select(*(column for column in tables[-1].c if column.name not in _HEAVY)).where(
        *(table.c.tenant == tenant for table in tables)
    )
    for above, table in pairwise(tables):
        query = query.where(*_joined(above, table))
    if search.study_uid:
        query = query.where(*(table.c.study_uid == search.study_uid for table in tables))
    if search.series_uid:
        query = query.where(*(table.c.series_uid == search.series_uid for table in tables[1:]))
    query = query.where(*(_condition(match, tenant, search.level) for match in search.matches))
    query = query.order_by(*_order(search)).limit(search.limit).offset(search.offset)
    return _found(connection, tenant, search.level, connection.execute(query).all())


def _joined(above: Table, table: Table) -> list[ColumnElement[bool]]:
    shared = ["study_uid"] if above is catalogue_studies else ["study_uid", "series_uid"]
    return [above.c[name] == table.c[name] for name in shared]


def _order(search: Search) -> list[Any]:
    level, (studies, series, instances) = search.level, _TABLES.values()
    date: ColumnElement[str] = studies.c.study_date
    if any(match.one_of and match.field.name in _FEW for match in search.matches):
        # As it is, SQLite would walk all studies by date rather than sort the few that are one patient's.
        date = func.coalesce(date, "")
    order: list[Any] = [date.desc(), studies.c.study_time.desc(), studies.c.seq.desc()]
    if level is not Level.STUDY:
        order += [series.c.number, series.c.seq]
    if level is Level.INSTANCE:
        order += [instances.c.number, instances.c.seq]
    return order


def _condition(match: Match, tenant: str, level: Level) -> ColumnElement[bool]:
    if match.field == MODALITIES:
        return _within(catalogue_series, match, tenant)
    table = _TABLES[match.field.level]
    assert list(Level).index(match.field.level) <= list(Level).index(level)
    condition = _meets(table.c[match.field.name], match)
    if match.one_of and table is not catalogue_studies and match.field.name in _FEW:
        return and_(condition, _within(table, match, tenant))
    return condition


def _within(table: Table, match: Match, tenant: str) -> ColumnElement[bool]:
    """Say that something in the study meets a match."""
    other = table.alias(f"any_{match.field.name}")
    found = select(other.c.study_uid).where(
        other.c.tenant == tenant, _meets(other.c[match.field.name], match)
    )
    return catalogue_studies.c.study_uid.in_(found)


def _meets(column: ColumnElement[str], match: Match) -> ColumnElement[bool]:
    if match.one_of:
        return column.in_(match.one_of) if len(match.one_of) > 1 else column == match.one_of[0]
    if match.pattern:
        # Tried first, since SQLite asks Python about each regular expression.
        plain = _PLAIN.match(match.pattern.removeprefix("^"))
        begins = column.contains(plain[0], autoescape=True) if plain else true()
        return and_(begins, column.regexp_match(match.pattern))
    bounds = [column != ""]
    if match.low:
        bounds.append(column >= match.low)
    if match.high:
        bounds.append(column <= match.high)
    return and_(*bounds)


def _found(connection: Connection, tenant: str, level: Level, hits: Sequence[Any]) -> list[Found]:
    """Return hits with what they lie in: read once each, since many hits lie in one."""
    if level is Level.STUDY:
        return [Found(study=rows.study(hit)) for hit in hits]
    uids = sorted({hit.study_uid for hit in hits})
    studies = {row.study_uid: rows.study(row) for row in _of(connection, catalogue_studies, tenant, uids)}
    if level is Level.SERIES:
        return [Found(study=studies[hit.study_uid], series=rows.series(hit)) for hit in hits]
    series = {
        (row.study_uid, row.series_uid): rows.series(row)
        for row in _of(connection, catalogue_series, tenant, uids)
    }
    return [
        Found(
            study=studies[hit.study_uid],
            series=series[hit.study_uid, hit.series_uid],
            instance=rows.instance(hit),
        )
        for hit in hits
    ]


def _of(connection: Connection, table: Table, tenant: str, study_uids: Sequence[str]) -> Iterator[Any]:
    for first in range(0, len(study_uids), _AT_ONCE):
        some = study_uids[first : first + _AT_ONCE]
        yield from connection.execute(
            select(table).where(table.c.tenant == tenant, table.c.study_uid.in_(some))
        )
