"""What every place for accounts keeps to: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.accounts import MemoryAccounts
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.accounts import SqlAccounts
from bedside.adapters.sql.accounts_tables import account_posts, accounts, api_tokens, links, sessions
from bedside.domain.account import Account, AccountState, ApiToken, Link, LinkKind, Profile, Session
from bedside.domain.person import PersonRole, Post, Right
from bedside.errors import Overtaken, UsageError
from bedside.ports.accounts import AccountFilter, Accounts
from ledger_samples import T0
from services import PostgresServer

ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))
ROOT = Post(role=PersonRole.ADMIN)
EVERY = AccountFilter()


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def make(name: str, *posts: Post, state: AccountState = AccountState.ACTIVE, **more: str) -> Account:
    return Account(
        id=f"id-{name}",
        email=f"{name}@ward.example",
        profile=Profile(name=name.title(), department=more.pop("department", "")),
        posts=posts,
        state=state,
        made_at=T0,
        **more,
    )


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", ON_A_SERVER])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Accounts]:
    if request.param == "memory":
        yield MemoryAccounts()
        return
    if request.param == "postgresql":
        ledger: SqlLedger = request.getfixturevalue("on_postgresql")
        with ledger._database.write() as connection:
            for table in (accounts, account_posts, sessions, api_tokens, links):
                connection.execute(delete(table))
        yield ledger.records.accounts
        return
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    yield ledger.records.accounts
    ledger.close()


@pytest.mark.parametrize("adapter", [MemoryAccounts, SqlAccounts])
def test_adapters_have_the_signatures_of_the_port(adapter: type) -> None:
    methods = {name: method for name, method in vars(Accounts).items() if not name.startswith("_")}
    assert len(methods) > 20
    for name, method in methods.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(method), name


def test_every_value_of_an_account_comes_back(kept: Accounts) -> None:
    profile = Profile(
        name="Ñuria", department="CT", organisation="H", profession="MD", phone="+34 1", language="es"
    )
    made = replace(
        make(
            "nuria",
            ROOT,
            Post(role=PersonRole.CLINICIAN, node="h.ct"),
            password="hash",  # pragma: allowlist secret
            wish="h",
        ),
        profile=profile,
    )
    assert kept.add(made) and kept.account(made.id) == made and kept.by_email(made.email) == made
    assert kept.account("nobody") is None and kept.by_email("nobody@ward.example") is None
    kept.seen(made.id, at(1))
    assert kept.account(made.id) == replace(made, seen_at=at(1))


def test_an_address_has_one_account(kept: Accounts) -> None:
    assert kept.add(make("ana")) and kept.add(make("bo"))
    assert not kept.add(replace(make("ana"), id="another"))
    with pytest.raises(UsageError, match="another account"):
        kept.save(replace(make("bo"), email="ana@ward.example"))


def test_a_change_is_written_over_the_revision_it_was_made_from(kept: Accounts) -> None:
    viewer = Post(role=PersonRole.VIEWER, node="h")
    kept.add(make("ana", viewer))
    first = kept.account("id-ana")
    assert first is not None
    after = kept.save(first.taken(viewer).given(Post(role=PersonRole.CLINICIAN, node="h")))
    assert kept.account("id-ana") == after and after.revision == first.revision + 1
    with pytest.raises(Overtaken):
        kept.save(first)
    with pytest.raises(Overtaken):
        kept.save(make("never-added"))


def test_the_last_administrator_of_the_root_stays(kept: Accounts) -> None:
    assert not kept.has_root_admin()
    kept.add(make("ana", ROOT))
    kept.add(make("off", ROOT, state=AccountState.DISABLED))
    kept.add(make("sub", Post(role=PersonRole.ADMIN, node="h")))
    assert kept.has_root_admin()
    ana = make("ana", ROOT)
    for change in (ana.taken(ROOT), replace(ana, state=AccountState.DISABLED)):
        with pytest.raises(UsageError, match="last administrator"):
            kept.save(change)
    kept.add(make("bo", ROOT))
    assert kept.save(ana.taken(ROOT)).posts == ()
    assert kept.has_root_admin()


def test_two_administrators_who_resign_at_once_leave_one(kept: Accounts) -> None:
    people = [make("ana", ROOT), make("bo", ROOT)]
    for person in people:
        kept.add(person)
    together, failed = threading.Barrier(2), []

    def resign(person: Account) -> None:
        together.wait()
        try:
            kept.save(person.taken(ROOT))
        except UsageError:
            failed.append(person)

    threads = [threading.Thread(target=resign, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1 and kept.has_root_admin()


def test_accounts_are_found_by_node_text_and_state(kept: Accounts) -> None:
    kept.add(make("ana", Post(role=PersonRole.VIEWER, node="h.ct"), department="Óptica"))
    kept.add(make("bo", Post(role=PersonRole.VIEWER, node="h2")))
    kept.add(make("cy", state=AccountState.WAITING, wish="h.mr"))
    kept.add(make("di", ROOT))

    def names(**which: object) -> list[str]:
        chosen = AccountFilter(**which)  # type: ignore[arg-type]
        found = [account.id.removeprefix("id-") for account in kept.find(chosen, limit=9)]
        assert len(found) == kept.count(chosen)
        return found

    assert names() == names(nodes=("",)) == ["ana", "bo", "cy", "di"]
    assert names(nodes=("h",)) == ["ana", "cy"] and names(nodes=("h.ct", "h2")) == ["ana", "bo"]
    assert names(nodes=()) == [] and names(nodes=("h.c",)) == []
    assert names(search="óptica") == ["ana"] and names(search="BO@") == ["bo"] and names(search="%") == []
    assert names(state=AccountState.WAITING) == ["cy"] and names(state=AccountState.DISABLED) == []
    assert [a.id for a in kept.find(EVERY, limit=2, offset=1)] == ["id-bo", "id-cy"]


def test_sessions_are_known_by_their_key_and_end(kept: Accounts) -> None:
    kept.add(make("ana"))
    made = [
        Session(
            id=f"s{number}",
            key=f"k{number}",
            account="id-ana",
            made_at=T0,
            used_at=at(number),
            expires_at=at(60),
        )
        for number in range(3)
    ]
    for session in made:
        kept.add_session(replace(session, agent="Firefox, Linux") if session.id == "s0" else session)
    found = kept.session("k1")
    assert found is not None and found == (made[1], make("ana"))
    assert kept.session("none") is None
    assert [session.id for session in kept.sessions("id-ana")] == ["s2", "s1", "s0"]
    kept.touch_session("s0", at(9))
    assert kept.sessions("id-ana")[0] == replace(made[0], used_at=at(9), agent="Firefox, Linux")
    assert kept.end_sessions("id-other", only="s1") == 0
    assert kept.end_sessions("id-ana", only="s1") == 1 and kept.session("k1") is None
    assert kept.end_sessions("id-ana", but="s2") == 1
    assert [session.id for session in kept.sessions("id-ana")] == ["s2"]
    assert kept.end_sessions("id-ana") == 1


def test_tokens_are_known_by_their_key_and_end(kept: Accounts) -> None:
    kept.add(make("ana"))
    wide = ApiToken(id="t1", key="k1", account="id-ana", name="all", made_at=T0, expires_at=at(60))
    scope = {"rights": (Right.READ, Right.SEND), "nodes": ("h.ct", "h2")}
    narrow = replace(wide, id="t2", key="k2", name="few", **scope)
    kept.add_token(wide)
    kept.add_token(narrow)
    assert list(kept.tokens("id-ana")) == [narrow, wide]
    found = kept.token("k2")
    assert found is not None and found[0] == narrow and found[1].id == "id-ana"
    kept.touch_token("t1", at(5))
    assert kept.tokens("id-ana")[1].used_at == at(5)
    assert kept.end_tokens("id-ana", only="t1") == 1 and kept.token("k1") is None
    assert kept.end_tokens("id-ana") == 1 and list(kept.tokens("id-ana")) == []


def test_a_link_is_taken_once(kept: Accounts) -> None:
    posts = (ROOT, Post(role=PersonRole.CLINICIAN, node="h.ct"))
    link = Link(
        id="l1",
        key="k1",
        kind=LinkKind.INVITATION,
        email="new@ward.example",
        posts=posts,
        made_by="id-ana",
        made_at=T0,
        expires_at=at(60),
    )
    kept.add_link(link)
    recovery = replace(link, id="l2", key="k2", kind=LinkKind.RECOVERY, account="id-ana", made_by="")
    kept.add_link(recovery)
    assert kept.link("k1") == link and kept.link("none") is None
    assert [found.id for found in kept.links(LinkKind.INVITATION)] == ["l1"]
    assert kept.take_link("l1") and not kept.take_link("l1") and kept.link("k1") is None
    assert kept.end_links(LinkKind.RECOVERY, account="id-bo") == 0
    assert kept.end_links(LinkKind.RECOVERY, account="id-ana") == 1
    kept.add_link(replace(link, id="l3", key="k3"))
    assert kept.end_links(LinkKind.INVITATION, made_by="id-bo") == 0
    assert kept.end_links(LinkKind.INVITATION, made_by="id-ana") == 1


def test_what_expired_is_forgotten(kept: Accounts) -> None:
    kept.add(make("ana"))
    for number, minutes in enumerate((10, 20)):
        key, until = f"k{number}", at(minutes)
        kept.add_session(Session(id=key, key=key, account="id-ana", made_at=T0, used_at=T0, expires_at=until))
        kept.add_token(ApiToken(id=key, key=key, account="id-ana", name="n", made_at=T0, expires_at=until))
        kept.add_link(Link(id=key, key=key, kind=LinkKind.FIRST, made_at=T0, expires_at=until))
    assert kept.sweep(at(10)) == 3
    assert [found.id for found in kept.sessions("id-ana")] == ["k1"]
    assert [found.id for found in kept.tokens("id-ana")] == ["k1"] and kept.link("k0") is None
    assert kept.sweep(at(10)) == 0


def test_a_forgotten_tenant_takes_the_roles_in_it_along(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    there, below = Post(role=PersonRole.VIEWER, node="h"), Post(role=PersonRole.VIEWER, node="h.ct")
    ledger.records.accounts.add(make("ana", there, below, ROOT))
    ledger.forget_tenant("h")
    found = ledger.records.accounts.account("id-ana")
    assert found is not None and found.posts == (below, ROOT)
    ledger.close()
