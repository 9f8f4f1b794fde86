"""Writing into the catalogue: rows of instances, and what follows from them for their series and study."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, false, func, or_, select, update

from bedside.adapters.sql import catalogue_rows as rows
from bedside.adapters.sql.catalogue_tables import (
    catalogue_instances,
    catalogue_series,
    catalogue_sources,
    catalogue_studies,
)
from bedside.adapters.sql.statements import add_once, upsert
from bedside.adapters.sql.types import Row
from bedside.domain.catalogue import Catalogued, Source, next_revision

_STUDIES, _SERIES, _INSTANCES = catalogue_studies, catalogue_series, catalogue_instances


def hold(connection: Connection, source: Source, brought: Sequence[Catalogued]) -> None:
    """Lock the study until the transaction ends; made where it is missing and something is brought."""
    if brought:
        empty = {"modalities": [], "series": 0, "instances": 0, "revision": 0}
        add_once(connection, _STUDIES, rows.study_row(source, brought[0]) | empty)
    connection.execute(
        select(_STUDIES.c.seq)
        .where(_STUDIES.c.tenant == source.tenant, _STUDIES.c.study_uid == source.study_uid)
        .with_for_update()
    ).all()


def put(connection: Connection, source: Source, brought: Sequence[Catalogued]) -> None:
    """Write instances, their series and their study over those of lower or the same rank."""
    row = rows.study_row(source, brought[0])
    connection.execute(
        update(_STUDIES)
        .where(
            _STUDIES.c.tenant == source.tenant,
            _STUDIES.c.study_uid == source.study_uid,
            _STUDIES.c.rank <= source.rank,
        )
        .values(row)
    )
    series = {one.described.series_uid: rows.series_row(source, one) for one in reversed(brought)}
    _write(connection, _SERIES, ("tenant", "study_uid", "series_uid"), list(series.values()))
    instances = {one.described.sop_instance_uid: rows.instance_row(source, one) for one in brought}
    _write(connection, _INSTANCES, ("tenant", "study_uid", "sop_instance_uid"), list(instances.values()))


def _write(connection: Connection, table: Any, unique: tuple[str, ...], values: list[Row]) -> None:
    """Insert rows, or replace those of lower or the same rank."""
    statement = upsert(connection, table)
    replaced = {name: statement.excluded[name] for name in values[0] if name not in (*unique, "instances")}
    statement = statement.on_conflict_do_update(
        index_elements=list(unique), set_=replaced, where=table.c.rank <= statement.excluded.rank
    )
    connection.execute(statement, values)


def count(connection: Connection, tenant: str, study_uid: str) -> None:
    """Bring counts and modalities of a study up to date, and remove what is empty."""
    mine = (_INSTANCES.c.tenant == tenant, _INSTANCES.c.study_uid == study_uid)
    counted = connection.execute(
        select(_INSTANCES.c.series_uid, func.count()).where(*mine).group_by(_INSTANCES.c.series_uid)
    ).all()
    of_study = (_SERIES.c.tenant == tenant, _SERIES.c.study_uid == study_uid)
    there = [uid for uid, _ in counted]
    connection.execute(
        delete(_SERIES).where(*of_study, _SERIES.c.series_uid.not_in(there) if there else ~false())
    )
    for uid, count in counted:
        connection.execute(
            update(_SERIES).where(*of_study, _SERIES.c.series_uid == uid).values(instances=count)
        )
    its = (_STUDIES.c.tenant == tenant, _STUDIES.c.study_uid == study_uid)
    if not counted:
        connection.execute(delete(_STUDIES).where(*its))
        return
    before = connection.execute(select(_STUDIES.c.revision).where(*its)).scalar_one()
    modalities = connection.execute(select(_SERIES.c.modality).where(*of_study).distinct()).scalars()
    connection.execute(
        update(_STUDIES)
        .where(*its)
        .values(
            modalities=sorted(modality for modality in modalities if modality),
            series=len(counted),
            instances=sum(count for _, count in counted),
            revision=next_revision(before, time.time()),
        )
    )


def mark(connection: Connection, source: Source, *, done: bool, problem: str) -> None:
    """Write how far a source is in the catalogue; one that was done stays so."""
    values: Row = {
        "tenant": source.tenant,
        "kind": source.kind.value,
        "id": source.id,
        "study_uid": source.study_uid,
        "done": done,
        "problem": problem,
    }
    statement = upsert(connection, catalogue_sources).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant", "kind", "id"],
            set_={"done": or_(catalogue_sources.c.done, statement.excluded.done), "problem": problem},
        )
    )
