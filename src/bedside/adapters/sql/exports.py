"""Exports to the archive; a change is written only over the revision it was made from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy import Row as Found

from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import exports
from bedside.adapters.sql.statements import add_once
from bedside.adapters.sql.types import Row
from bedside.domain.export import OPEN, Export, ExportState, StudyPart


class Exports:
    """The part of the ledger that knows what is on its way into the archive."""

    _database: Database

    def put_export(self, export: Export) -> bool:
        """Record an export's next revision; False where another worker was faster."""
        with self._database.write() as connection:
            if export.revision == 0:
                return add_export(connection, export)
            statement = update(_EXPORTS).where(
                _EXPORTS.c.tenant == export.tenant,
                _EXPORTS.c.job_id == export.job_id,
                _EXPORTS.c.revision == export.revision - 1,
            )
            return connection.execute(statement.values(_row(export))).rowcount == 1

    def export(self, tenant: str, job_id: str) -> Export | None:
        """Return a job's export, or None where it has none."""
        query = select(_EXPORTS).where(_EXPORTS.c.tenant == tenant, _EXPORTS.c.job_id == job_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _export(row)

    def due_exports(self, now: datetime, *, limit: int = 100) -> Sequence[Export]:
        """Return exports of all tenants in which something is to be done now, longest due first."""
        query = (
            select(_EXPORTS)
            .where(_EXPORTS.c.state.in_(sorted(state.value for state in OPEN)), _EXPORTS.c.not_before <= now)
            .order_by(_EXPORTS.c.not_before, _EXPORTS.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_export(row) for row in connection.execute(query)]

    def exports(
        self, tenant: str, *, states: frozenset[ExportState] = frozenset(), limit: int = 100
    ) -> Sequence[Export]:
        """Return exports, newest first; no state named is any."""
        query = (
            select(_EXPORTS)
            .where(_EXPORTS.c.tenant == tenant)
            .order_by(_EXPORTS.c.created_at.desc(), _EXPORTS.c.seq.desc())
            .limit(limit)
        )
        if states:
            query = query.where(_EXPORTS.c.state.in_(sorted(state.value for state in states)))
        with self._database.read() as connection:
            return [_export(row) for row in connection.execute(query)]


def add_export(connection: Connection, export: Export) -> bool:
    """Record a new export, and say whether it was new."""
    return add_once(connection, _EXPORTS, _row(export))


def _row(export: Export) -> Row:
    return {
        "tenant": export.tenant,
        "job_id": export.job_id,
        "prefix": export.prefix,
        "state": export.state.value,
        "revision": export.revision,
        "sending": export.sending,
        "attempts": export.attempts,
        "ticket": export.ticket,
        "not_before": export.not_before,
        "study": export.study.value,
        "stored": export.stored,
        "refused": [list(pair) for pair in export.refused],
        "reason": export.reason,
        "created_at": export.created_at,
        "changed_at": export.changed_at,
    }


def _export(row: Found[Any]) -> Export:
    return Export(
        tenant=row.tenant,
        job_id=row.job_id,
        prefix=row.prefix,
        state=ExportState(row.state),
        revision=row.revision,
        sending=row.sending,
        attempts=row.attempts,
        ticket=row.ticket,
        not_before=row.not_before,
        study=StudyPart(row.study),
        stored=row.stored,
        refused=tuple((instance, reason) for instance, reason in row.refused),
        reason=row.reason,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


#: The table, where a method of the port hides its name.
_EXPORTS = exports
