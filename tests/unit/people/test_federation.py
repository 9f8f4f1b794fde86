"""People of an identity provider: roles by groups count in who rules whom, and two first times are one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.records import MemoryRecords
from bedside.domain.account import AccountState
from bedside.domain.person import Person, PersonRole, Post
from bedside.errors import NotPermitted
from bedside.people.administration import Administration
from bedside.people.federation import Federation
from bedside.ports.identities import LinkedIdentity
from bedside.ports.signing_in import Newcomer

ROOT = Post(role=PersonRole.ADMIN)
WARD = Post(role=PersonRole.ADMIN, node="ward")
ANNA = Newcomer(issuer="https://i.example", subject="s-1", email="anna@x.example", name="Anna")


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def federation(records: MemoryRecords) -> Federation:
    return Federation(records.accounts, records.identities, ManualClock(datetime(2026, 3, 1, tzinfo=UTC)))


def test_an_administrator_of_a_ward_rules_nobody_whom_groups_make_more(
    records: MemoryRecords, federation: Federation
) -> None:
    account, made = federation.enter(replace(ANNA, posts=(ROOT,)))
    assert made and account.is_root_admin
    records.accounts.save(account.given(Post(role=PersonRole.VIEWER, node="ward")))
    administration = Administration(records.accounts)
    ward = Person(subject="p-9", posts=(WARD,))
    with pytest.raises(NotPermitted):
        administration.disable(ward, account.id)
    federation.enter(ANNA)  # no group any more
    other, _ = federation.enter(replace(ANNA, subject="s-2", email="b@x.example", posts=(ROOT,)))
    assert other.is_root_admin and administration.disable(ward, account.id).state is AccountState.DISABLED


def test_two_first_times_at_once_are_one_account(records: MemoryRecords, federation: Federation) -> None:
    class Late(type(records.identities)):  # type: ignore[misc]
        """Somebody else links the number between the look and the link."""

        def link(self, identity: LinkedIdentity) -> bool:
            if not self.raced:
                self.raced = True
                federation.enter(replace(ANNA, email="other@x.example"))
            return bool(records.identities.link(identity))

        def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
            return records.identities.find(issuer, subject)

    late = Late(records.accounts)
    late.raced = False
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    account, _ = Federation(records.accounts, late, clock).enter(ANNA)
    assert account.email == "other@x.example" and account.state is AccountState.ACTIVE
    left = records.accounts.by_email("anna@x.example")
    assert left is not None and left.state is AccountState.DISABLED
