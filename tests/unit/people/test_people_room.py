"""Sessions end by time, tokens never exceed their owner, administrators rule below their nodes only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from bedside.adapters.memory.accounts import MemoryAccounts
from bedside.adapters.memory.clock import ManualClock
from bedside.config.portal import PortalSettings
from bedside.domain.account import Account, AccountState, LinkKind, Profile, email_of
from bedside.domain.person import Person, PersonRole, Post, Right
from bedside.errors import NotFound, NotPermitted, NotSignedIn, TooMany, UsageError
from bedside.people import People
from bedside.people.attempts import PER_ACCOUNT, Attempts, network_of
from bedside.people.entering import WeakPassword
from bedside.people.passwords import Passwords
from bedside.people.tokens import MOST_TOKENS, Scope
from bedside.wiring.people import open_people

PASSWORD = "seven green herons wading"  # pragma: allowlist secret
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ROOT = Post(role=PersonRole.ADMIN)
HEAD = Post(role=PersonRole.ADMIN, node="h")
CT = Post(role=PersonRole.CLINICIAN, node="h.ct")


class Room:
    """The room over memory, with a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        settings = PortalSettings(session_idle_s=600, session_longest_s=3600)
        self.people: People = open_people(MemoryAccounts(), self.clock, settings, Passwords(CHEAP))

    def account(self, name: str, *posts: Post, state: AccountState = AccountState.ACTIVE) -> Account:
        made = Account(
            id=f"id-{name}",
            email=f"{name}@h.example",
            profile=Profile(name=name),
            posts=posts,
            state=state,
            password=self.people.passwords.hash(PASSWORD),
            made_at=self.clock.now(),
        )
        assert self.people.accounts.add(made)
        return made

    def fresh(self, account: Account) -> Account:
        found = self.people.accounts.account(account.id)
        assert found is not None
        return found


@pytest.fixture
def room() -> Room:
    return Room()


# Sessions


def test_a_session_ends_when_nobody_uses_it(room: Room) -> None:
    secret = room.people.sessions.begin(room.account("ana"))
    for _ in range(4):
        room.clock.advance(500)
        assert room.people.sessions.known(secret) is not None
    room.clock.advance(700)
    assert room.people.sessions.known(secret) is None and list(room.people.sessions.of("id-ana")) == []


def test_a_session_ends_however_much_it_is_used(room: Room) -> None:
    secret = room.people.sessions.begin(room.account("ana"))
    for _ in range(7):
        room.clock.advance(500)
        assert room.people.sessions.known(secret) is not None
    room.clock.advance(100)
    assert room.people.sessions.known(secret) is None


def test_a_disabled_account_is_out_at_once(room: Room) -> None:
    room.account("ana", ROOT)
    bo = room.account("bo", CT)
    secret = room.people.sessions.begin(bo)
    _, token = room.people.tokens.make(bo, Scope(name="t"))
    link = room.people.recovery.make(bo)
    room.people.administration.disable(None, bo.id)
    assert room.people.sessions.known(secret) is None
    with pytest.raises(NotSignedIn):
        room.people.tokens.known(token)
    with pytest.raises(NotFound):
        room.people.recovery.look(link)
    room.people.administration.enable(None, bo.id)
    assert room.people.sessions.known(secret) is None, "what ended stays ended"


def test_whoever_takes_an_account_back_ends_what_others_may_have_made(room: Room) -> None:
    ana = room.account("ana", CT)
    secret = room.people.sessions.begin(ana)
    _, token = room.people.tokens.make(ana, Scope(name="t"))
    room.people.recovery.choose(room.people.recovery.make(ana), "nine slow herons wading")
    assert room.people.sessions.known(secret) is None
    with pytest.raises(NotSignedIn):
        room.people.tokens.known(token)


def test_a_password_of_old_costs_is_hashed_anew_when_it_is_used(room: Room) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    room.people.accounts.save(replace(room.account("ana"), password=old))
    assert room.people.entering.enter("ana@h.example", PASSWORD) is not None
    kept = room.people.accounts.by_email("ana@h.example")
    assert kept is not None and kept.password != old and room.people.passwords.fits(kept.password, PASSWORD)


# Tokens


def test_a_token_may_what_its_scope_and_its_owner_allow_just_now(room: Room) -> None:
    ana = room.account("ana", CT, Post(role=PersonRole.VIEWER, node="h2"))
    token, secret = room.people.tokens.make(ana, Scope(name="t", rights=(Right.READ,), nodes=("h/ct",)))
    assert secret.startswith("bsd_") and token.key not in secret and secret not in repr(token)
    _, account, person = room.people.tokens.known(secret)
    assert account.id == ana.id and person.may(Right.READ, "h.ct.1")
    assert not person.may(Right.SEND, "h.ct") and not person.may(Right.READ, "h2")
    room.people.accounts.save(room.fresh(ana).taken(CT))
    assert room.people.tokens.known(secret)[2].posts == ()


def test_a_token_for_everything_follows_its_owner(room: Room) -> None:
    ana = room.account("ana", CT)
    _, secret = room.people.tokens.make(ana, Scope(name="t"))
    room.people.accounts.save(room.fresh(ana).given(HEAD))
    assert room.people.tokens.known(secret)[2].may(Right.ADMINISTER, "h.mr")


def test_a_token_expires(room: Room) -> None:
    _, secret = room.people.tokens.make(room.account("ana", CT), Scope(name="t", days=2))
    room.clock.advance(2 * 86400 - 1)
    room.people.tokens.known(secret)
    room.clock.advance(1)
    with pytest.raises(NotSignedIn):
        room.people.tokens.known(secret)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(name="t", rights=(Right.ADMINISTER,)),
        Scope(name="t", nodes=("h2",)),
        Scope(name="t", rights=(Right.SEND,), nodes=("h.mr",)),
    ],
)
def test_nobody_makes_a_token_for_more_than_they_may(room: Room, scope: Scope) -> None:
    ana = room.account("ana", CT, Post(role=PersonRole.VIEWER, node="h.mr"))
    with pytest.raises(NotPermitted):
        room.people.tokens.make(ana, scope)


def test_a_token_makes_no_wider_and_no_longer_one(room: Room) -> None:
    ana = room.account("ana", CT)
    narrow, _ = room.people.tokens.make(ana, Scope(name="t", days=3, rights=(Right.READ,), nodes=("h.ct.1",)))
    child, _ = room.people.tokens.make(ana, Scope(name="c", days=300), by=narrow)
    assert (child.rights, child.nodes, child.expires_at) == (narrow.rights, narrow.nodes, narrow.expires_at)
    for scope in (Scope(name="c", rights=(Right.SEND,)), Scope(name="c", nodes=("h.ct",))):
        with pytest.raises(NotPermitted):
            room.people.tokens.make(ana, scope, by=narrow)


def test_tokens_have_a_name_and_days_and_are_not_without_number(room: Room) -> None:
    ana = room.account("ana", CT)
    for scope in (Scope(name=" "), Scope(name="t", days=0), Scope(name="t", days=366)):
        with pytest.raises(UsageError):
            room.people.tokens.make(ana, scope)
    for _ in range(MOST_TOKENS):
        room.people.tokens.make(ana, Scope(name="t"))
    with pytest.raises(UsageError, match="50 tokens"):
        room.people.tokens.make(ana, Scope(name="t"))
    room.people.tokens.revoke(ana.id, room.people.tokens.of(ana.id)[0].id)
    room.people.tokens.make(ana, Scope(name="t"))


# A person narrowed


@pytest.mark.parametrize(
    ("rights", "nodes", "may", "may_not"),
    [
        ((), (), [(Right.SEND, "h.ct"), (Right.OPERATE, "x")], []),
        ((Right.READ,), (), [(Right.READ, "h.ct")], [(Right.SEND, "h.ct"), (Right.OPERATE, "x")]),
        (
            (),
            ("h",),
            [(Right.SEND, "h.ct"), (Right.OPERATE, "h.mr")],
            [(Right.OPERATE, "x"), (Right.READ, "h")],
        ),
        ((), ("h.ct.1",), [(Right.SEND, "h.ct.1")], [(Right.SEND, "h.ct"), (Right.SEND, "h.ct.10")]),
    ],
)
def test_a_person_narrowed_keeps_what_is_in_both(
    rights: tuple[Right, ...],
    nodes: tuple[str, ...],
    may: list[tuple[Right, str]],
    may_not: list[tuple[Right, str]],
) -> None:
    person = Person(subject="p", posts=(CT, Post(role=PersonRole.ENGINEER))).narrowed(rights, nodes)
    assert all(person.may(*asked) for asked in may) and not any(person.may(*asked) for asked in may_not)
    again = person.narrowed((Right.OPERATE,), ())
    assert not again.may(Right.READ, "h.ct.1"), "narrowing never widens"


# Administrators


def test_an_administrator_rules_at_and_below_their_nodes(room: Room) -> None:
    admin = room.people.administration
    by = room.account("head", HEAD).person
    room.account("root", ROOT)
    inside = room.account("in", CT)
    outside = room.account("out", Post(role=PersonRole.VIEWER, node="h2"))
    both = room.account("both", CT, Post(role=PersonRole.VIEWER, node="h2"))
    seen = {account.id for account in admin.page(by, limit=9).accounts}
    assert seen == {"id-head", "id-in", "id-both"} and admin.page(by, limit=1).total == 3
    assert admin.give(by, inside.id, Post(role=PersonRole.ADMIN, node="h.ct")).posts[-1].node == "h.ct"
    for deed in (
        lambda: admin.give(by, inside.id, Post(role=PersonRole.VIEWER, node="h2")),
        lambda: admin.give(by, inside.id, ROOT),
        lambda: admin.take(by, both.id, Post(role=PersonRole.VIEWER, node="h2")),
        lambda: admin.disable(by, both.id),
    ):
        with pytest.raises(NotPermitted):
            deed()
    for deed in (
        lambda: admin.look(by, outside.id),
        lambda: admin.give(by, outside.id, CT),
        lambda: admin.disable(by, outside.id),
        lambda: admin.look(by, "id-root"),
    ):
        with pytest.raises(NotFound):
            deed()
    assert admin.take(by, both.id, CT).posts == (Post(role=PersonRole.VIEWER, node="h2"),)
    assert admin.disable(by, inside.id).state is AccountState.DISABLED


@pytest.mark.parametrize(
    "deed", [lambda admin: admin.take(None, "id-ana", ROOT), lambda admin: admin.disable(None, "id-ana")]
)
def test_the_last_administrator_stays(room: Room, deed: Callable[[object], object]) -> None:
    room.account("ana", ROOT)
    room.account("head", HEAD)
    with pytest.raises(UsageError, match="last administrator"):
        deed(room.people.administration)
    room.account("bo", ROOT)
    deed(room.people.administration)


def test_links_of_a_kind_open_nothing_of_another(room: Room) -> None:
    ana = room.account("ana", ROOT)
    recovery = room.people.recovery.make(ana)
    for look in (room.people.invitations.look, room.people.invitations.look_first):
        with pytest.raises(NotFound):
            look(recovery)
    room.clock.advance(3600)
    with pytest.raises(NotFound):
        room.people.recovery.look(recovery)
    assert room.people.accounts.links(LinkKind.RECOVERY), "it is swept later"


def test_a_refused_password_does_not_use_its_link_up(room: Room) -> None:
    link = room.people.recovery.make(room.account("ana", ROOT))
    with pytest.raises(WeakPassword):
        room.people.recovery.choose(link, "short")
    room.people.recovery.choose(link, "nine brown otters diving")
    with pytest.raises(NotFound):
        room.people.recovery.choose(link, "nine brown otters diving")


# Attempts, addresses


def test_tries_are_counted_by_account_and_by_network(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts()
    for number in range(PER_ACCOUNT.amount):
        attempts.count(f"10.0.0.{number}", "Ana@h.example")
    with pytest.raises(TooMany) as told:
        attempts.count("10.0.1.1", " ana@H.example")
    assert 0 < told.value.retry_after_s <= timedelta(minutes=15).total_seconds()
    attempts.forgive("ana@h.example")
    attempts.count("10.0.1.1", "ana@h.example")
    assert (
        network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::") != network_of("2001:db8:1:3::")
    )
    assert network_of("::ffff:10.0.0.1") != network_of("::ffff:10.0.0.2")


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a b@c.d", "a@b c", "a\n@b.c", "<a@b.c>", f"{'a' * 251}@b.c"]
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        email_of(text)
    assert len(text) < 3 or text not in str(refused.value)
