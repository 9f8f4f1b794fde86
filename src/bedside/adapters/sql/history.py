"""Decisions and the append-only history: what was decided, and what happened."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from bedside.adapters.sql import rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import decisions, events
from bedside.adapters.sql.statements import append, upsert
from bedside.domain.job import LedgerEvent
from bedside.domain.pipeline import Decision


class History:
    """The part of the ledger that answers "why"."""

    _database: Database

    def add_decisions(self, decisions: Iterable[Decision]) -> None:
        """Record decisions; a newer one of the same arrival, rule and pipeline takes the place."""
        values = [rows.decision_row(decision) for decision in decisions]
        if not values:
            return
        with self._database.write() as connection:
            for row in values:
                connection.execute(
                    upsert(connection, _DECISIONS)
                    .values(row)
                    .on_conflict_do_update(
                        index_elements=list(_DECISION_KEY),
                        set_={name: value for name, value in row.items() if name not in _DECISION_KEY},
                    )
                )

    def decisions(self, tenant: str, arrival_id: str) -> Sequence[Decision]:
        """Return an arrival's decisions in rule order of recording."""
        table = _DECISIONS
        query = (
            select(table)
            .where(table.c.tenant == tenant, table.c.arrival_id == arrival_id)
            .order_by(table.c.seq)
        )
        with self._database.read() as connection:
            return [rows.decision(row) for row in connection.execute(query)]

    def add_event(self, event: LedgerEvent) -> None:
        """Append a line to the history. Job moves append their own."""
        with self._database.write() as connection:
            append(connection, event)

    def events(self, tenant: str, *, job_id: str = "", arrival_id: str = "") -> Sequence[LedgerEvent]:
        """Return the history of a job or an arrival (neither named: the tenant's), oldest first."""
        query = select(events).where(events.c.tenant == tenant).order_by(events.c.seq)
        if job_id:
            query = query.where(events.c.job_id == job_id)
        if arrival_id:
            query = query.where(events.c.arrival_id == arrival_id)
        with self._database.read() as connection:
            return [rows.event(row) for row in connection.execute(query)]


#: The table, where a parameter named by the port hides it.
_DECISIONS = decisions
_DECISION_KEY = ("tenant", "arrival_id", "rule", "pipeline")
