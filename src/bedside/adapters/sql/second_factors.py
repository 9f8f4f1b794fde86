"""`SqlSecondFactors`: second factors in the ledger's database; each use is one statement."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.second_factors_tables import recovery_codes as codes
from bedside.adapters.sql.second_factors_tables import second_factors as factors
from bedside.adapters.sql.statements import add_once
from bedside.domain.second_factor import SecondFactor


class SqlSecondFactors:
    """A `bedside.ports.second_factors.SecondFactors` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, account_id: str) -> SecondFactor | None:
        """Return an account's second factor, confirmed or not, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(factors).where(factors.c.account == account_id)).one_or_none()
            left = connection.execute(
                select(codes.c.hash).where(codes.c.account == account_id).order_by(codes.c.seq)
            ).scalars()
            if row is None:
                return None
            return SecondFactor(
                account=row.account,
                secret=row.secret,
                made_at=row.made_at,
                confirmed_at=row.confirmed_at,
                last_step=row.last_step,
                recovery=tuple(left),
            )

    def begin(self, factor: SecondFactor) -> bool:
        """Record one that is not confirmed, over another such; False where one is confirmed."""
        values = {
            "account": factor.account,
            "secret": factor.secret,
            "made_at": factor.made_at,
            "confirmed_at": None,
            "last_step": 0,
        }
        with self._database.write() as connection:
            connection.execute(
                delete(factors).where(factors.c.account == factor.account, factors.c.confirmed_at.is_(None))
            )
            return add_once(connection, factors, values)

    def confirm(self, account_id: str, *, at: datetime, step: int, recovery: Sequence[str]) -> bool:
        """Confirm the one that was begun by the code of a step; False where none waits for it."""
        waiting = (factors.c.account == account_id, factors.c.confirmed_at.is_(None))
        with self._database.write() as connection:
            changed = connection.execute(
                update(factors).where(*waiting).values(confirmed_at=at, last_step=step)
            )
            if changed.rowcount != 1:
                return False
            _write_codes(connection, account_id, recovery)
            return True

    def use_step(self, account_id: str, step: int) -> bool:
        """Use a confirmed one's code up; False where that or a later one was used before."""
        fresh = (
            factors.c.account == account_id,
            factors.c.confirmed_at.is_not(None),
            factors.c.last_step < step,
        )
        with self._database.write() as connection:
            return connection.execute(update(factors).where(*fresh).values(last_step=step)).rowcount == 1

    def use_recovery(self, account_id: str, code_hash: str) -> bool:
        """Use a recovery code up; False where there is none of this hash any more."""
        its = (codes.c.account == account_id, codes.c.hash == code_hash)
        with self._database.write() as connection:
            return connection.execute(delete(codes).where(*its)).rowcount == 1

    def renew_recovery(self, account_id: str, recovery: Sequence[str]) -> bool:
        """Let those recovery codes work, and no others; False where no factor is confirmed."""
        confirmed = select(factors.c.seq).where(
            factors.c.account == account_id, factors.c.confirmed_at.is_not(None)
        )
        with self._database.write() as connection:
            if connection.execute(confirmed.with_for_update()).first() is None:
                return False
            _write_codes(connection, account_id, recovery)
            return True

    def remove(self, account_id: str) -> bool:
        """Forget it; False where there was none."""
        with self._database.write() as connection:
            connection.execute(delete(codes).where(codes.c.account == account_id))
            return connection.execute(delete(factors).where(factors.c.account == account_id)).rowcount == 1


def _write_codes(connection: Connection, account_id: str, recovery: Sequence[str]) -> None:
    connection.execute(delete(codes).where(codes.c.account == account_id))
    if recovery:
        connection.execute(insert(codes), [{"account": account_id, "hash": code} for code in recovery])
