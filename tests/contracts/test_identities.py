"""What every list of identities keeps: a number opens one account; groups give roles besides others."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.identities import MemoryIdentities
from bedside.adapters.memory.records import MemoryRecords
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.identities import SqlIdentities
from bedside.adapters.sql.schema import metadata
from bedside.domain.account import Account, Profile
from bedside.domain.person import PersonRole, Post, Right
from bedside.ports.accounts import AccountFilter
from bedside.ports.identities import Identities, LinkedIdentity
from bedside.ports.records import Records
from contracts.test_ledger import KINDS, on_postgresql  # noqa: F401 - a fixture
from ledger_samples import T0, at

ANNA = Account(id="a1", email="anna@x.example", profile=Profile(name="Anna"), made_at=T0)
POST = Post(role=PersonRole.CLINICIAN, node="hospital.ct")
ROOT = Post(role=PersonRole.ADMIN)


@pytest.fixture(params=[kind for kind in KINDS if kind != "memory that hints"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield shared.records
        return
    made = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield made.records
    made.close()


@pytest.mark.parametrize("adapter", [MemoryIdentities, SqlIdentities])
def test_adapters_have_the_signatures_of_the_port(adapter: type) -> None:
    methods = {name: method for name, method in vars(Identities).items() if not name.startswith("_")}
    assert len(methods) == 5
    for name, method in methods.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(method), name


def linked(subject: str = "s-1", account: str = "a1", issuer: str = "https://i.example") -> LinkedIdentity:
    return LinkedIdentity(issuer=issuer, subject=subject, account=account, linked_at=T0)


def test_a_number_opens_one_account_and_another_issuers_is_another(kept: Records) -> None:
    identities = kept.identities
    assert identities.find("https://i.example", "s-1") is None
    assert identities.link(linked())
    assert identities.find("https://i.example", "s-1") == linked()
    assert not identities.link(linked(account="a2")), "it opens a1"
    assert identities.link(linked(issuer="https://j.example", account="a2"))
    assert identities.link(linked(subject="s-2"))
    assert [each.subject for each in identities.of("a1")] == ["s-1", "s-2"]
    assert identities.unlink("a1") == 2 and list(identities.of("a1")) == []
    assert identities.find("https://j.example", "s-1") is not None


def test_groups_give_roles_besides_those_given_here(kept: Records) -> None:
    accounts = kept.accounts
    accounts.add(ANNA.given(Post(role=PersonRole.VIEWER)))
    kept.identities.grant("a1", [POST, POST])
    found = accounts.account("a1")
    assert found is not None and (found.granted, len(found.posts)) == ((POST,), 1)
    assert found.person.may(Right.SEND, "hospital.ct") and found.person.may(Right.READ, "clinic")
    in_ct = accounts.find(AccountFilter(nodes=("hospital",)), limit=9)
    assert [account.id for account in in_ct] == ["a1"]
    after = accounts.save(found.taken(Post(role=PersonRole.VIEWER)))
    again = accounts.account("a1")
    assert again is not None and (again.granted, again.posts, again.revision) == ((POST,), (), after.revision)
    kept.identities.grant("a1", [])
    assert not accounts.find(AccountFilter(nodes=("hospital",)), limit=9)


def test_an_administrator_by_groups_is_one_and_goes_with_the_link(kept: Records) -> None:
    accounts = kept.accounts
    accounts.add(ANNA)
    accounts.add(
        Account(id="a2", email="b@x.example", profile=Profile(name="B"), made_at=at(1), posts=(ROOT,))
    )
    kept.identities.grant("a1", [ROOT])
    second = accounts.account("a2")
    assert second is not None
    accounts.save(second.taken(ROOT))  # there is another one
    assert accounts.has_root_admin()
    kept.identities.unlink("a1")
    assert not accounts.has_root_admin()
