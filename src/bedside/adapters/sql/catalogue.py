"""The catalogue, in the ledger's database.

A source is put in several transactions, each of which leaves a catalogue that is right as far as it goes;
what is under way in another process is put again to the same end.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union_all,
)

from bedside.adapters.sql import catalogue_rows as rows
from bedside.adapters.sql import catalogue_writing as writing
from bedside.adapters.sql.catalogue_search import searched
from bedside.adapters.sql.catalogue_tables import (
    catalogue_instances,
    catalogue_series,
    catalogue_sources,
    catalogue_studies,
)
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import arrivals, results
from bedside.domain.arrival import ArrivalKind
from bedside.domain.catalogue import (
    Catalogued,
    Found,
    Instance,
    Layout,
    Series,
    Source,
    SourceKind,
    Study,
)
from bedside.domain.release import Role
from bedside.ports.catalogue import Head, Lacking, Search

_STUDIES, _SERIES, _INSTANCES = catalogue_studies, catalogue_series, catalogue_instances
_LIGHT = [column for column in _INSTANCES.c if column.name not in {"metadata", "layout"}]
#: Asked for at once; databases take no more parameters in one statement.
_AT_ONCE = 500


class SqlCatalogue:
    """A `bedside.ports.catalogue.Catalogue` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Head:
        """Return how far arrivals and results have come."""
        with self._database.read() as connection:
            arrival = connection.execute(select(func.max(arrivals.c.seq))).scalar_one()
            result = connection.execute(select(func.max(results.c.seq))).scalar_one()
        return Head(arrival=arrival or 0, result=result or 0)

    def behind(self, since: Head, *, limit: int = 100) -> Sequence[tuple[str, str]]:
        """Return (tenant, Study Instance UID) of studies that lack something, newest first."""
        of_arrivals = select(arrivals.c.tenant, arrivals.c.subject, arrivals.c.received_at.label("at")).where(
            arrivals.c.seq > since.arrival, _newest_dicom(), ~_is_done(arrivals, SourceKind.ARRIVAL)
        )
        done = _is_done(results, SourceKind.RESULT)
        of_results = select(results.c.tenant, results.c.subject, results.c.created_at.label("at")).where(
            results.c.seq > since.result,
            _delivered(),
            or_(
                and_(results.c.superseded_by == "", ~done),
                and_(results.c.superseded_by != "", _is_there(results, SourceKind.RESULT)),
            ),
        )
        both = union_all(of_arrivals, of_results).subquery()
        query = (
            select(both.c.tenant, both.c.subject)
            .group_by(both.c.tenant, both.c.subject)
            .order_by(func.max(both.c.at).desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(row.tenant, row.subject) for row in connection.execute(query)]

    def lacking(self, tenant: str, study_uid: str) -> Lacking:
        """Return what one study lacks."""
        with self._database.read() as connection:
            newest = connection.execute(
                select(
                    arrivals.c.id,
                    arrivals.c.version,
                    arrivals.c.kind,
                    _is_done(arrivals, SourceKind.ARRIVAL).label("done"),
                )
                .where(arrivals.c.tenant == tenant, arrivals.c.subject == study_uid)
                .order_by(arrivals.c.version.desc())
                .limit(1)
            ).all()
            written = connection.execute(
                select(
                    results.c.job_id,
                    results.c.prefix,
                    results.c.superseded_by,
                    _is_done(results, SourceKind.RESULT).label("done"),
                    _is_there(results, SourceKind.RESULT).label("there"),
                )
                .where(results.c.tenant == tenant, results.c.subject == study_uid, _delivered())
                .order_by(results.c.seq)
            ).all()
        wanted = [
            _source(tenant, study_uid, SourceKind.ARRIVAL, row.id, row.version)
            for row in newest
            if row.kind == ArrivalKind.DICOM.value and not row.done
        ]
        withdrawn = []
        for row in written:
            source = _source(tenant, study_uid, SourceKind.RESULT, row.job_id, 0, row.prefix)
            if row.superseded_by and row.there:
                withdrawn.append(source)
            elif not row.superseded_by and not row.done:
                wanted.append(source)
        return Lacking(wanted=tuple(wanted), withdrawn=tuple(withdrawn))

    def put(self, source: Source, instances: Iterable[Catalogued], *, done: bool, problem: str = "") -> bool:
        """Add instances of a source, or replace those of lower or the same rank."""
        brought = list(instances)
        with self._database.write() as connection:
            if not _is_known(connection, source):
                return False
            writing.hold(connection, source, brought)
            if brought:
                writing.put(connection, source, brought)
                writing.count(connection, source.tenant, source.study_uid)
            writing.mark(connection, source, done=done, problem=problem)
        return True

    def withdraw(self, source: Source) -> None:
        """Remove a source's instances, and what is empty without them."""
        with self._database.write() as connection:
            writing.hold(connection, source, ())
            connection.execute(
                delete(_INSTANCES).where(
                    _INSTANCES.c.tenant == source.tenant,
                    _INSTANCES.c.kind == source.kind.value,
                    _INSTANCES.c.source_id == source.id,
                )
            )
            connection.execute(
                delete(catalogue_sources).where(
                    catalogue_sources.c.tenant == source.tenant,
                    catalogue_sources.c.kind == source.kind.value,
                    catalogue_sources.c.id == source.id,
                )
            )
            writing.count(connection, source.tenant, source.study_uid)

    def study(self, tenant: str, study_uid: str) -> Study | None:
        """Return a study, or None where nothing of it is catalogued."""
        return self.studies(tenant, [study_uid]).get(study_uid)

    def studies(self, tenant: str, study_uids: Iterable[str]) -> Mapping[str, Study]:
        """Return those of some studies that are catalogued, by UID."""
        wanted, found = sorted(set(study_uids)), {}
        with self._database.read() as connection:
            for first in range(0, len(wanted), _AT_ONCE):
                query = select(_STUDIES).where(
                    _STUDIES.c.tenant == tenant, _STUDIES.c.study_uid.in_(wanted[first : first + _AT_ONCE])
                )
                found.update({row.study_uid: rows.study(row) for row in connection.execute(query)})
        return found

    def series(self, tenant: str, study_uid: str) -> Sequence[Series]:
        """Return a study's series, in order of Series Number."""
        query = (
            select(_SERIES)
            .where(_SERIES.c.tenant == tenant, _SERIES.c.study_uid == study_uid)
            .order_by(_SERIES.c.number, _SERIES.c.seq)
        )
        with self._database.read() as connection:
            return [rows.series(row) for row in connection.execute(query)]

    def instances(self, tenant: str, study_uid: str, series_uid: str = "") -> Sequence[Instance]:
        """Return instances of a study or of one series, in order of Instance Number."""
        query = _in_order(select(*_LIGHT), tenant, study_uid, series_uid)
        with self._database.read() as connection:
            return [rows.instance(row) for row in connection.execute(query)]

    def instance(
        self, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> tuple[Instance, Layout] | None:
        """Return an instance and where its bytes lie, or None where it is not there."""
        query = _in_order(
            select(*_LIGHT, _INSTANCES.c.layout), tenant, study_uid, series_uid, sop_instance_uid
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (rows.instance(row), rows.layout(row.layout))

    def metadata(
        self, tenant: str, study_uid: str, series_uid: str = "", sop_instance_uid: str = ""
    ) -> Sequence[tuple[Instance, bytes]]:
        """Return the metadata of instances, as `instances`."""
        query = _in_order(
            select(*_LIGHT, _INSTANCES.c.metadata.label("packed")),
            tenant,
            study_uid,
            series_uid,
            sop_instance_uid,
        )
        with self._database.read() as connection:
            return [(rows.instance(row), rows.unpacked(row.packed)) for row in connection.execute(query)]

    def search(self, tenant: str, search: Search) -> Sequence[Found]:
        """Return what meets a search: newest study first, then by series and instance number."""
        with self._database.read() as connection:
            return searched(connection, tenant, search)


def _in_order(query: Any, tenant: str, study_uid: str, series_uid: str, sop_instance_uid: str = "") -> Any:
    query = query.where(_INSTANCES.c.tenant == tenant, _INSTANCES.c.study_uid == study_uid)
    if series_uid:
        query = query.where(_INSTANCES.c.series_uid == series_uid)
    if sop_instance_uid:
        return query.where(_INSTANCES.c.sop_instance_uid == sop_instance_uid)
    return query.order_by(_INSTANCES.c.series_uid, _INSTANCES.c.number, _INSTANCES.c.seq)


def _source(tenant: str, study_uid: str, kind: SourceKind, id_: str, rank: int, prefix: str = "") -> Source:
    return Source(tenant=tenant, study_uid=study_uid, kind=kind, id=id_, rank=rank, prefix=prefix)


def _newest_dicom() -> ColumnElement[bool]:
    later = arrivals.alias("later")
    return and_(
        arrivals.c.kind == ArrivalKind.DICOM.value,
        ~exists().where(
            later.c.tenant == arrivals.c.tenant,
            later.c.subject == arrivals.c.subject,
            later.c.version > arrivals.c.version,
        ),
    )


def _delivered() -> ColumnElement[bool]:
    """Say that a result is of DICOM, and no shadow's."""
    of_dicom = exists().where(
        arrivals.c.tenant == results.c.tenant,
        arrivals.c.id == results.c.arrival_id,
        arrivals.c.kind == ArrivalKind.DICOM.value,
    )
    return and_(results.c.role != Role.SHADOW.value, of_dicom)


def _is_there(table: Any, kind: SourceKind, done: bool | None = None) -> ColumnElement[bool]:
    """Say that a source is marked; correlated, by its id in ``table``."""
    id_ = table.c.id if kind is SourceKind.ARRIVAL else table.c.job_id
    conditions = [
        catalogue_sources.c.tenant == table.c.tenant,
        catalogue_sources.c.kind == kind.value,
        catalogue_sources.c.id == id_,
    ]
    if done is not None:
        conditions.append(catalogue_sources.c.done == done)
    return exists().where(*conditions)


def _is_done(table: Any, kind: SourceKind) -> ColumnElement[bool]:
    return _is_there(table, kind, done=True)


def _is_known(connection: Connection, source: Source) -> bool:
    """Whether the ledger still has what brought the instances: a tenant may be removed meanwhile."""
    if source.kind is SourceKind.ARRIVAL:
        found = exists().where(arrivals.c.tenant == source.tenant, arrivals.c.id == source.id)
    else:
        found = exists().where(
            results.c.tenant == source.tenant, results.c.job_id == source.id, results.c.superseded_by == ""
        )
    return bool(connection.execute(select(found)).scalar_one())
