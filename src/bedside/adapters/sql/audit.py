"""`SqlAudit`: the audit trail in the ledger's database.

One record follows another, so appending takes turns: SQLite's writers do anyway, PostgreSQL's by a lock
that lasts as long as the transaction. That is a fraction of a millisecond, and nothing waits for it but
other notes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import Select, func, insert, or_, select, text

from bedside.adapters.sql.audit_tables import audit
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.types import Words
from bedside.domain.audit import Deed, Record, chained
from bedside.ports.audit import AuditFilter

#: Key of PostgreSQL's advisory lock; any number that no one else uses ("audited" as ASCII).
LOCK_KEY = int.from_bytes(b"audited", "big")
#: Of records fetched at once while walking; between pages no transaction stays open.
PAGE = 1000

_LAST = select(audit).order_by(audit.c.number.desc()).limit(1)


class SqlAudit:
    """A `bedside.ports.audit.AuditTrail` on SQLite or PostgreSQL; safe between threads and processes.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, deed: Deed) -> Record:
        """Put a deed at the trail's end, and return it in its place."""
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            last = connection.execute(_LAST).one_or_none()
            record = chained(deed, None if last is None else _record(last))
            connection.execute(insert(audit), _row(record))
        return record

    def record(self, number: int) -> Record | None:
        """Return one record, or None where the trail is not so long."""
        return self._one(select(audit).where(audit.c.number == number))

    def head(self) -> Record | None:
        """Return the last record, or None where there is none yet."""
        return self._one(_LAST)

    def records(
        self, wanted: AuditFilter, *, limit: int = 100, before: int | None = None
    ) -> Sequence[Record]:
        """Return records, newest first."""
        query = _matching(wanted).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def walk(self, wanted: AuditFilter, *, after: int = 0) -> Iterator[Record]:
        """Give records, oldest first, from the one after a number on; there may be very many."""
        query = _matching(wanted).order_by(audit.c.number).limit(PAGE)
        while True:
            with self._database.read() as connection:
                page = [_record(row) for row in connection.execute(query.where(audit.c.number > after))]
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].number

    def _one(self, query: Select[Any]) -> Record | None:
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)


def _matching(wanted: AuditFilter) -> Select[Any]:
    query = select(audit)
    if wanted.nodes is not None and "" not in wanted.nodes:
        at_or_below = [
            # Not LIKE: SQLite's takes small and capital letters for the same.
            or_(
                audit.c.tenant == node,
                func.substr(audit.c.tenant, 1, len(node) + 1, type_=Words) == f"{node}.",
            )
            for node in wanted.nodes
        ]
        query = query.where(or_(*at_or_below) if at_or_below else audit.c.number < 0)
    if wanted.person:
        query = query.where(audit.c.person == wanted.person)
    if wanted.action:
        noun = f"{wanted.action}."
        query = query.where(
            or_(
                audit.c.action == wanted.action,
                func.substr(audit.c.action, 1, len(noun), type_=Words) == noun,
            )
        )
    if wanted.object:
        query = query.where(audit.c.object == wanted.object)
    if wanted.since:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until:
        query = query.where(audit.c.at < wanted.until)
    return query


def _row(record: Record) -> dict[str, Any]:
    deed = record.deed
    return {
        "number": record.number,
        "at": deed.at,
        "person": deed.person,
        "address": deed.address,
        "action": deed.action,
        "tenant": deed.tenant,
        "object": deed.object,
        "detail": dict(deed.detail),
        "before": record.before,
        "hash": record.hash,
    }


def _record(row: Found[Any]) -> Record:
    deed = Deed(
        at=row.at,
        person=row.person,
        address=row.address,
        action=row.action,
        tenant=row.tenant,
        object=row.object,
        detail=row.detail,
    )
    return Record(number=row.number, deed=deed, before=row.before, hash=row.hash)
