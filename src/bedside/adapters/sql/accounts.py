"""Accounts with their roles; a change is written only over the revision it was made from."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy import Row as Found

from bedside.adapters.sql.accounts_tables import account_posts as posts
from bedside.adapters.sql.accounts_tables import accounts
from bedside.adapters.sql.credentials import Credentials
from bedside.adapters.sql.identities_tables import grants
from bedside.adapters.sql.statements import add_once
from bedside.adapters.sql.types import Row
from bedside.domain.account import Account, AccountState, AddressTaken, LastAdministrator, Profile
from bedside.domain.person import PersonRole, Post
from bedside.errors import Overtaken
from bedside.ports.accounts import AccountFilter

# Every request asks these, so they are made once.
_BY_ID = select(accounts).where(accounts.c.id == bindparam("its_id"))
_POSTS = union_all(
    *(
        select(
            table.c.account, table.c.role, table.c.tenant, literal(kind).label("granted"), table.c.seq
        ).where(table.c.account.in_(bindparam("ids", expanding=True)))
        for kind, table in enumerate((posts, grants))
    )
).order_by("granted", "seq")


class SqlAccounts(Credentials):
    """A `bedside.ports.accounts.Accounts` on SQLite or PostgreSQL.

    Args:
        database: The ledger's.
    """

    def add(self, account: Account) -> bool:
        """Record a new account; False where its e-mail address has one already."""
        with self._database.write() as connection:
            if not add_once(connection, accounts, _row(account)):
                return False
            _write_posts(connection, account)
            return True

    def account(self, account_id: str) -> Account | None:
        """Return an account, or None."""
        with self._database.read() as connection:
            return self._owner(connection, account_id)

    def by_email(self, email: str) -> Account | None:
        """Return the account of an address, or None."""
        with self._database.read() as connection:
            query = select(accounts).where(accounts.c.email == email)
            return next(iter(self._all(connection, query)), None)

    def save(self, account: Account) -> Account:
        """Record a change of an account; return it with its next revision."""
        after = replace(account, revision=account.revision + 1)
        with self._database.write() as connection:
            # Whoever takes the last administrator away at the same moment waits here, and then sees it.
            admins = self._root_admins(connection, hold=True)
            if account.id in admins and admins == {account.id} and not account.is_root_admin:
                raise LastAdministrator
            taken = select(accounts.c.id).where(accounts.c.email == account.email)
            if connection.execute(taken.where(accounts.c.id != account.id)).first() is not None:
                raise AddressTaken
            changed = connection.execute(
                update(accounts)
                .where(accounts.c.id == account.id, accounts.c.revision == account.revision)
                .values(_changes(after))
            )
            if changed.rowcount != 1:
                raise Overtaken(f"account {account.id}: somebody changed it meanwhile", hint="look again")
            connection.execute(delete(posts).where(posts.c.account == account.id))
            _write_posts(connection, after)
        return after

    def seen(self, account_id: str, at: datetime) -> None:
        """Note that somebody signed in."""
        with self._database.write() as connection:
            connection.execute(update(accounts).where(accounts.c.id == account_id).values(seen_at=at))

    def find(self, which: AccountFilter, *, limit: int, offset: int = 0) -> Sequence[Account]:
        """Return accounts by address."""
        query = select(accounts).where(_chosen(which)).order_by(accounts.c.email, accounts.c.seq)
        with self._database.read() as connection:
            return self._all(connection, query.limit(limit).offset(offset))

    def count(self, which: AccountFilter) -> int:
        """Return how many there are."""
        query = select(func.count()).select_from(accounts).where(_chosen(which))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def has_root_admin(self) -> bool:
        """Whether somebody may let all others in."""
        with self._database.read() as connection:
            return bool(self._root_admins(connection))

    def _root_admins(self, connection: Connection, *, hold: bool = False) -> set[str]:
        query = (
            select(posts.c.account)
            .join(accounts, accounts.c.id == posts.c.account)
            .where(_is_root_admin(posts), accounts.c.state == AccountState.ACTIVE.value)
            .order_by(posts.c.seq)  # all hold them in the same order, or they could wait for one another
        )
        by_groups = (
            select(grants.c.account)
            .join(accounts, accounts.c.id == grants.c.account)
            .where(_is_root_admin(grants), accounts.c.state == AccountState.ACTIVE.value)
        )
        rows = connection.execute(query.with_for_update() if hold else query)
        return {row.account for row in (*rows, *connection.execute(by_groups))}

    def _owner(self, connection: Connection, account_id: str) -> Account | None:
        return next(iter(self._all(connection, _BY_ID, its_id=account_id)), None)

    def _all(self, connection: Connection, query: Select[Any], **values: str) -> list[Account]:
        rows = connection.execute(query, values).all()
        ids = [row.id for row in rows]
        held, granted = _posts(connection, ids)
        return [_account(row, held.get(row.id, ()), granted.get(row.id, ())) for row in rows]


def _is_root_admin(table: Table) -> ColumnElement[bool]:
    return and_(table.c.role == PersonRole.ADMIN.value, table.c.tenant == "")


def _posts(connection: Connection, ids: Sequence[str]) -> tuple[dict[str, list[Post]], dict[str, list[Post]]]:
    """Return roles given here, and by groups, of some accounts; in one statement: every request asks."""
    held: dict[str, list[Post]] = {}
    granted: dict[str, list[Post]] = {}
    for row in connection.execute(_POSTS, {"ids": list(ids)}) if ids else ():
        found = granted if row.granted else held
        found.setdefault(row.account, []).append(Post(role=PersonRole(row.role), node=row.tenant))
    return held, granted


def _chosen(which: AccountFilter) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [true()]
    if which.state is not None:
        wanted.append(accounts.c.state == which.state.value)
    if which.search:
        wanted.append(accounts.c.searched.contains(which.search.casefold(), autoescape=True))
    if which.nodes is not None and "" not in which.nodes:
        at = [
            accounts.c.id.in_(select(table.c.account).where(_below_any(table.c.tenant, which.nodes)))
            for table in (posts, grants)
        ]
        wanted.append(or_(*at, _below_any(accounts.c.wish, which.nodes)))
    return and_(*wanted)


def _below_any(column: ColumnElement[str], nodes: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(_below(column, node) for node in nodes)) if nodes else ~true()


def _below(column: ColumnElement[str], node: str) -> ColumnElement[bool]:
    return or_(column == node, column.startswith(f"{node}.", autoescape=True))


def _write_posts(connection: Connection, account: Account) -> None:
    rows = [{"account": account.id, "role": p.role.value, "tenant": p.node} for p in account.posts]
    if rows:
        connection.execute(insert(posts), rows)


def _row(account: Account) -> Row:
    return {"id": account.id, "made_at": account.made_at, "seen_at": account.seen_at} | _changes(account)


def _changes(account: Account) -> Row:
    profile = account.profile
    return {
        "email": account.email,
        "name": profile.name,
        "department": profile.department,
        "organisation": profile.organisation,
        "profession": profile.profession,
        "phone": profile.phone,
        "language": profile.language,
        "state": account.state.value,
        "wish": account.wish,
        "password": account.password,
        # SQLite knows the small letters of ASCII only.
        "searched": "\n".join((account.email, profile.name, profile.department)).casefold(),
        "revision": account.revision,
    }


def _account(row: Found[Any], held: Sequence[Post], granted: Sequence[Post]) -> Account:
    profile = Profile(
        name=row.name,
        department=row.department,
        organisation=row.organisation,
        profession=row.profession,
        phone=row.phone,
        language=row.language,
    )
    return Account(
        id=row.id,
        email=row.email,
        profile=profile,
        made_at=row.made_at,
        state=AccountState(row.state),
        posts=tuple(held),
        granted=tuple(granted),
        wish=row.wish,
        password=row.password,
        seen_at=row.seen_at,
        revision=row.revision,
    )
