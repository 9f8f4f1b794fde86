"""Arrivals and the drop-box entries that brought them."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import arrivals, entries
from bedside.adapters.sql.statements import add_once, upsert
from bedside.domain.arrival import Arrival, Entry, EntryState, numbered
from bedside.errors import ErrorCode, NotFound, Unavailable, told

#: Each failed try means that another process recorded a version of the same study just then.
TRIES = 20


class Arrivals:
    """The part of the ledger about what was received."""

    _database: Database

    def add_arrival(self, arrival: Arrival, *, after: int | None = None) -> Arrival:
        """Record an arrival as its subject's next version, or return the one recorded before.

        The newest version is looked at first and the unique constraint decides: of two that read the
        same newest one, the second to write fails there, looks again, and finds itself overtaken.
        """
        for _ in range(TRIES):
            with self._database.write() as connection:
                known = _find(connection, arrival.tenant, arrival.id)
                if known is not None:
                    return known
                newest = _newest(connection, arrival.tenant, arrival.subject)
                recorded = numbered(arrival, newest=newest, after=after)
                if add_once(connection, arrivals, rows.arrival_row(recorded)):
                    found = _find(connection, arrival.tenant, arrival.id)
                    assert found is not None
                    return found
        raise Unavailable(f"arrival {arrival.id}: {TRIES} other versions came in between", hint="try again")

    def arrival(self, tenant: str, arrival_id: str) -> Arrival:
        """Return one arrival with its files, or raise `NotFound`."""
        with self._database.read() as connection:
            found = _find(connection, tenant, arrival_id)
        if found is None:
            raise NotFound(
                f"arrival {arrival_id}: none in tenant {tenant}", told=told(ErrorCode.STUDY_MISSING)
            )
        return found

    def newest_arrival(self, tenant: str, subject: str) -> Arrival | None:
        """Return the highest version of a subject."""
        query = (
            select(arrivals)
            .where(arrivals.c.tenant == tenant, arrivals.c.subject == subject)
            .order_by(arrivals.c.version.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else rows.arrival(row)

    def put_entry(self, entry: Entry) -> None:
        """Record a drop-box entry, or replace its state, arrivals and reason."""
        values = rows.entry_row(entry)
        replaced = {name: values[name] for name in ("state", "arrivals", "reason")}
        with self._database.write() as connection:
            statement = upsert(connection, entries).values(values)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["tenant", "id"], set_=replaced)
            )

    def entry(self, tenant: str, entry_id: str) -> Entry | None:
        """Return a drop-box entry."""
        query = select(entries).where(entries.c.tenant == tenant, entries.c.id == entry_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else rows.entry(row)

    def unsettled_entries(self, tenant: str) -> Sequence[Entry]:
        """Return entries in state TAKEN, oldest first."""
        query = (
            select(entries)
            .where(entries.c.tenant == tenant, entries.c.state == EntryState.TAKEN.value)
            .order_by(entries.c.seen_at, entries.c.seq)
        )
        with self._database.read() as connection:
            return [rows.entry(row) for row in connection.execute(query)]


def _find(connection: Connection, tenant: str, arrival_id: str) -> Arrival | None:
    query = select(arrivals).where(arrivals.c.tenant == tenant, arrivals.c.id == arrival_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else rows.arrival(row)


def _newest(connection: Connection, tenant: str, subject: str) -> int:
    query = select(func.max(arrivals.c.version)).where(
        arrivals.c.tenant == tenant, arrivals.c.subject == subject
    )
    return connection.execute(query).scalar_one() or 0
