"""`SqlIdentities`: accounts' numbers at identity providers, in the ledger's database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import delete, select

from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.identities_tables import grants, identities
from bedside.adapters.sql.statements import add_once
from bedside.domain.person import Post
from bedside.ports.identities import LinkedIdentity


class SqlIdentities:
    """A `bedside.ports.identities.Identities` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """Return whose account a number opens, or None."""
        query = select(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _identity(row)

    def link(self, identity: LinkedIdentity) -> bool:
        """Join a number with an account; False where it opens one already."""
        values = {
            "issuer": identity.issuer,
            "subject": identity.subject,
            "account": identity.account,
            "linked_at": identity.linked_at,
        }
        with self._database.write() as connection:
            return add_once(connection, identities, values)

    def of(self, account_id: str) -> Sequence[LinkedIdentity]:
        """Return the numbers that open an account, the oldest first."""
        query = select(identities).where(identities.c.account == account_id).order_by(identities.c.seq)
        with self._database.read() as connection:
            return [_identity(row) for row in connection.execute(query)]

    def unlink(self, account_id: str) -> int:
        """Let no number open an account any more, and take what groups gave; return how many there were."""
        with self._database.write() as connection:
            connection.execute(delete(grants).where(grants.c.account == account_id))
            return connection.execute(delete(identities).where(identities.c.account == account_id)).rowcount

    def grant(self, account_id: str, posts: Sequence[Post]) -> None:
        """Let an account have those roles by groups, and no others."""
        with self._database.write() as connection:
            connection.execute(delete(grants).where(grants.c.account == account_id))
            for post in posts:
                values = {"account": account_id, "role": post.role.value, "tenant": post.node}
                add_once(connection, grants, values)  # they may sign in twice at once


def _identity(row: Found[Any]) -> LinkedIdentity:
    return LinkedIdentity(
        issuer=row.issuer, subject=row.subject, account=row.account, linked_at=row.linked_at
    )
