"""What people are known by: sessions, tokens, one-time links. Only hashes of secrets are here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy import Row as Found

from bedside.adapters.sql.accounts_tables import api_tokens, links, sessions
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.types import Row
from bedside.domain.account import Account, ApiToken, Link, LinkKind, Session
from bedside.domain.person import PersonRole, Post, Right

# Every request asks one of these, so they are made once.
_SESSION = select(sessions).where(sessions.c.key == bindparam("its_key"))
_TOKEN = select(api_tokens).where(api_tokens.c.key == bindparam("its_key"))


class Credentials:
    """The part of accounts that lets somebody in.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def _owner(self, connection: Connection, account_id: str) -> Account | None:
        raise NotImplementedError

    # Sessions

    def add_session(self, session: Session) -> None:
        """Record a session."""
        values = {name: getattr(session, name) for name in sessions.c.keys() if name != "seq"}  # noqa: SIM118
        self._add(sessions, values)

    def session(self, key: str) -> tuple[Session, Account] | None:
        """Return a session and whose it is, expired or not."""
        with self._database.read() as connection:
            row = connection.execute(_SESSION, {"its_key": key}).one_or_none()
            account = self._owner(connection, row.account) if row else None
        return (_session(row), account) if row and account else None

    def touch_session(self, session_id: str, at: datetime) -> None:
        """Note that a session is used."""
        self._touch(sessions, session_id, at)

    def sessions(self, account_id: str) -> Sequence[Session]:
        """Return an account's sessions, the one used last first."""
        query = select(sessions).where(sessions.c.account == account_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(sessions.c.used_at.desc(), sessions.c.seq.desc())).all()
        return [_session(row) for row in rows]

    def end_sessions(self, account_id: str, *, only: str = "", but: str = "") -> int:
        """End an account's sessions; return how many there were."""
        statement = delete(sessions).where(sessions.c.account == account_id)
        if only:
            statement = statement.where(sessions.c.id == only)
        if but:
            statement = statement.where(sessions.c.id != but)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    # Tokens

    def add_token(self, token: ApiToken) -> None:
        """Record a token."""
        values = {name: getattr(token, name) for name in api_tokens.c.keys() if name != "seq"}  # noqa: SIM118
        values |= {"rights": [right.value for right in token.rights], "nodes": list(token.nodes)}
        self._add(api_tokens, values)

    def token(self, key: str) -> tuple[ApiToken, Account] | None:
        """Return a token and whose it is, expired or not."""
        with self._database.read() as connection:
            row = connection.execute(_TOKEN, {"its_key": key}).one_or_none()
            account = self._owner(connection, row.account) if row else None
        return (_token(row), account) if row and account else None

    def touch_token(self, token_id: str, at: datetime) -> None:
        """Note that a token is used."""
        self._touch(api_tokens, token_id, at)

    def tokens(self, account_id: str) -> Sequence[ApiToken]:
        """Return an account's tokens, the newest first."""
        query = select(api_tokens).where(api_tokens.c.account == account_id).order_by(api_tokens.c.seq.desc())
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def end_tokens(self, account_id: str, *, only: str = "") -> int:
        """End an account's tokens, or the one with an id; return how many there were."""
        statement = delete(api_tokens).where(api_tokens.c.account == account_id)
        if only:
            statement = statement.where(api_tokens.c.id == only)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    # One-time links

    def add_link(self, link: Link) -> None:
        """Record a link."""
        values = {name: getattr(link, name) for name in links.c.keys() if name != "seq"}  # noqa: SIM118
        held = [{"role": post.role.value, "node": post.node} for post in link.posts]
        self._add(links, values | {"kind": link.kind.value, "posts": held})

    def link(self, key: str) -> Link | None:
        """Return a link that was not taken, expired or not."""
        with self._database.read() as connection:
            row = connection.execute(select(links).where(links.c.key == key)).one_or_none()
        return None if row is None else _link(row)

    def take_link(self, link_id: str) -> bool:
        """Use a link up; False where somebody did so before."""
        with self._database.write() as connection:
            return connection.execute(delete(links).where(links.c.id == link_id)).rowcount == 1

    def links(self, kind: LinkKind) -> Sequence[Link]:
        """Return all links of a kind that were not taken, the newest first."""
        query = select(links).where(links.c.kind == kind.value).order_by(links.c.seq.desc())
        with self._database.read() as connection:
            return [_link(row) for row in connection.execute(query)]

    def end_links(self, kind: LinkKind, *, account: str = "", made_by: str = "") -> int:
        """End links of a kind, those for or by an account where one is given; return how many."""
        statement = delete(links).where(links.c.kind == kind.value)
        if account:
            statement = statement.where(links.c.account == account)
        if made_by:
            statement = statement.where(links.c.made_by == made_by)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount

    # All

    def sweep(self, now: datetime) -> int:
        """Forget what expired: sessions, tokens and links; return how many."""
        with self._database.write() as connection:
            ended = [
                delete(table).where(table.c.expires_at <= now) for table in (sessions, api_tokens, links)
            ]
            return sum(connection.execute(statement).rowcount for statement in ended)

    def _add(self, table: Table, values: Row) -> None:
        with self._database.write() as connection:
            connection.execute(insert(table).values(values))

    def _touch(self, table: Table, row_id: str, at: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.id == row_id).values(used_at=at))


def _session(row: Found[Any]) -> Session:
    return Session(
        id=row.id,
        key=row.key,
        account=row.account,
        made_at=row.made_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
        agent=row.agent,
    )


def _token(row: Found[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        key=row.key,
        account=row.account,
        name=row.name,
        made_at=row.made_at,
        expires_at=row.expires_at,
        rights=tuple(Right(right) for right in row.rights),
        nodes=tuple(row.nodes),
        used_at=row.used_at,
    )


def _link(row: Found[Any]) -> Link:
    return Link(
        id=row.id,
        key=row.key,
        kind=LinkKind(row.kind),
        email=row.email,
        account=row.account,
        posts=tuple(Post(role=PersonRole(post["role"]), node=post["node"]) for post in row.posts),
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
    )
