"""What every part of the ledger writes with: find a job, record its move, append to the history.

A move is written by one statement that names the state and the fence it starts from, and its line of
history goes with it in the same transaction; there is no other way to change a job.
"""

from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bedside.adapters.sql import rows
from bedside.adapters.sql.schema import events, jobs
from bedside.adapters.sql.types import Row
from bedside.domain.job import Job, LedgerEvent
from bedside.domain.moves import Move
from bedside.errors import ErrorCode, NotFound, Unavailable, told

_ONE_JOB = select(jobs).where(jobs.c.tenant == bindparam("its_tenant"), jobs.c.id == bindparam("its_id"))
_ONE_JOB_HELD = _ONE_JOB.with_for_update()
_CHANGE = update(jobs).where(
    jobs.c.tenant == bindparam("its_tenant"),
    jobs.c.id == bindparam("its_id"),
    jobs.c.state == bindparam("from_state"),
    jobs.c.fence == bindparam("from_fence"),
)


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT, which each database spells through its own class."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def add_once(connection: Connection, table: Table, values: Row) -> bool:
    """Insert a row, and say whether it was new; one that breaks a unique constraint is left alone."""
    statement = upsert(connection, table).on_conflict_do_nothing().inline()
    # without being asked, SQLAlchemy forgets the row count of an INSERT on PostgreSQL
    inserted = connection.execute(statement, values, execution_options={"preserve_rowcount": True})
    return inserted.rowcount == 1


def find_job(connection: Connection, tenant: str, job_id: str, *, hold: bool = False) -> Job | None:
    """Return a job, or None.

    Args:
        connection: In a transaction.
        tenant: Whose.
        job_id: Which.
        hold: Keep others from changing it until the transaction ends.
    """
    statement = _ONE_JOB_HELD if hold else _ONE_JOB
    row = connection.execute(statement, {"its_tenant": tenant, "its_id": job_id}).one_or_none()
    return None if row is None else rows.job(row)


def get_job(connection: Connection, tenant: str, job_id: str, *, hold: bool = False) -> Job:
    """Return a job, or raise `NotFound`."""
    job = find_job(connection, tenant, job_id, hold=hold)
    if job is None:
        raise NotFound(
            f"job {job_id}: none in tenant {tenant}",
            hint="bedside job list",
            told=told(ErrorCode.JOB_MISSING),
        )
    return job


def change(connection: Connection, before: Job, after: Job) -> None:
    """Write a job's new values, if it still stands where it was read.

    Raises:
        Unavailable: It does not: somebody wrote past the locks.
    """
    where: dict[str, Any] = {
        "its_tenant": before.tenant,
        "its_id": before.id,
        "from_state": before.state.value,
        "from_fence": before.fence,
    }
    if connection.execute(_CHANGE, rows.job_changes(after) | where).rowcount != 1:
        raise Unavailable(f"job {before.id}: it changed while it was being changed", hint="try again")


def record(connection: Connection, move: Move) -> Job:
    """Write a move and its line of history; return the job after it."""
    change(connection, move.before, move.after)
    append(connection, move.line)
    return move.after


def append(connection: Connection, line: LedgerEvent) -> None:
    """Append a line to the history."""
    connection.execute(insert(events), rows.event_row(line))
