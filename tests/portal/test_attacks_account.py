"""What somebody would try at the doors of an account who knows a part of what opens it: each once worked."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from starlette.testclient import TestClient

from bedside.adapters.memory.clock import ManualClock
from bedside.domain.account import Account
from bedside.people.tokens import Scope
from bedside.ports.audit import AuditFilter
from portal_accounts import CHEAP, PASSWORD, Clinic, clinic, post, with_csrf

OTHER = "nine brown otters diving"  # pragma: allowlist secret
ANA = "ana@ward.example"
ME = "/api/v1/me"


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Clinic]:
    with clinic(tmp_path) as opened:
        opened.deployment.clock = ManualClock(datetime.now(UTC))
        opened.account("ana", post("clinician", "default"))
        yield opened


def ana(ward: Clinic) -> Account:
    found = ward.people.accounts.by_email(ANA)
    assert found is not None
    return found


def script(ward: Clinic) -> TestClient:
    """Return a script with a token of Ana's."""
    made = ward.browser()
    made.headers["Authorization"] = f"Bearer {ward.people.tokens.make(ana(ward), Scope(name='all'))[1]}"
    return made


def phone(ward: Clinic) -> str:
    """Set Ana's second factor up; return its secret."""
    seconds, clock = ward.deployment.seconds, ward.deployment.clock
    secret = seconds.begin(ana(ward)).secret
    assert seconds.confirm(ana(ward), pyotp.TOTP(secret).at(clock.now())) is not None
    return secret


@pytest.fixture
def changed_meanwhile(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever's password is checked has another one by then."""
    fits = ward.people.passwords.fits

    def slow(kept: str, password: str) -> bool:
        good: bool = fits(kept, password)
        ward.people.entering.change_password(ana(ward), OTHER)
        return good

    monkeypatch.setattr(ward.people.passwords, "fits", slow)


@pytest.mark.usefixtures("changed_meanwhile")
def test_nobody_is_let_in_by_a_password_that_was_changed_while_it_was_checked(ward: Clinic) -> None:
    browser, said = ward.browser(), {"email": ANA, "password": PASSWORD}
    answer = browser.post("/sign-in", data=said)
    assert answer.headers["location"] == "/sign-in" and not browser.cookies
    assert not ward.people.sessions.of(ana(ward).id)


@pytest.mark.usefixtures("changed_meanwhile")
def test_nobody_gets_a_token_by_a_password_that_was_changed_while_it_was_checked(ward: Clinic) -> None:
    said = {"email": ANA, "current": PASSWORD, "name": "still in"}
    assert ward.browser().post("/api/v1/tokens", json=said).status_code == 401
    assert not ward.people.tokens.of(ana(ward).id)


def test_nobody_comes_halfway_by_a_password_that_was_changed_while_it_was_checked(
    ward: Clinic, request: pytest.FixtureRequest
) -> None:
    phone(ward)
    request.getfixturevalue("changed_meanwhile")
    browser = ward.browser()
    answer = browser.post("/sign-in", data={"email": ANA, "password": PASSWORD})
    assert answer.headers["location"] == "/sign-in" and not browser.cookies


def test_a_password_that_was_changed_meanwhile_proves_nothing(
    ward: Clinic, request: pytest.FixtureRequest
) -> None:
    leaked, old = script(ward), ana(ward)
    request.getfixturevalue("changed_meanwhile")
    changes: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("PUT", "password", {"password": "four red foxes resting"}),  # pragma: allowlist secret
        ("PUT", "email", {"email": "eve@evil.example"}),
        ("POST", "second-factor/begin", {}),
    )
    for method, path, wish in changes:
        ward.people.accounts.save(replace(old, revision=ana(ward).revision))
        answer = leaked.request(method, f"{ME}/{path}", json={"current": PASSWORD, **wish})
        assert answer.status_code == 401 and "secret" not in answer.text, path
        assert CHEAP.verify(ana(ward).password, OTHER) and ana(ward).email == ANA


@pytest.mark.parametrize("by_link", [True, False])
def test_who_had_the_old_password_does_not_know_the_second_factor_of_the_new_one(
    ward: Clinic, by_link: bool
) -> None:
    begin, leaked = f"{ME}/second-factor/begin", script(ward)
    seen = leaked.post(begin, json={"current": PASSWORD}).json()["secret"]
    if by_link:
        link = ward.people.recovery.make(ana(ward))
        changed = ward.browser().post(f"/api/v1/recover/{link}", json={"password": OTHER})
    else:
        changed = leaked.put(f"{ME}/password", json={"current": PASSWORD, "password": OTHER})
    assert changed.status_code == 204
    owner = script(ward)
    own = owner.post(begin, json={"current": OTHER}).json()["secret"]
    assert own != seen
    proof = {"current": OTHER, "code": pyotp.TOTP(own).at(ward.deployment.clock.now())}
    assert owner.post(f"{ME}/second-factor/confirm", json=proof).status_code == 200


def test_who_sends_all_guesses_at_once_gets_no_more_of_them(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Event()

    def slow(kept: str, password: str) -> bool:
        together.wait(10)
        return False

    def guess(number: int) -> int:
        said = {"email": f"a{number}@ward.example", "current": OTHER, "name": "guess"}
        return ward.browser().post("/api/v1/tokens", json=said).status_code

    monkeypatch.setattr(ward.people.passwords, "fits", slow)
    with ThreadPoolExecutor(50) as pool:
        told = [pool.submit(guess, number) for number in range(50)]
        while sum(one.done() for one in told) < 20:
            time.sleep(0.01)
        together.set()
        told_to = Counter(one.result() for one in told)
    assert told_to == {401: 30, 429: 20}
    assert (
        guess(50) == 429 and ward.browser("10.4.4.4").post("/sign-in", data={"email": ANA}).status_code == 401
    )


def test_a_name_that_cannot_be_printed_is_no_name_of_a_token(ward: Clinic) -> None:
    browser, said = ward.sign_in("ana"), {"email": ANA, "current": PASSWORD}
    for name in ("a\x00b", "a\r\nb", "\x00", "a\u202eb"):
        assert browser.post("/me/tokens", data={"token_name": name}).status_code == 422, repr(name)
        assert browser.post(f"{ME}/tokens", json={"name": name}).status_code == 400, repr(name)
        assert browser.post("/api/v1/tokens", json={**said, "name": name}).status_code == 400, repr(name)
    assert not ward.people.tokens.of(ana(ward).id)


def test_a_page_that_hides_where_it_is_from_is_another_site(ward: Clinic) -> None:
    said = {"email": ANA, "current": PASSWORD, "name": "x"}
    hidden = {"Origin": "null"}
    assert ward.browser().post("/api/v1/tokens", json=said, headers=hidden).status_code == 403
    assert ward.browser().post("/sign-in", data={"email": ANA}, headers=hidden).status_code == 403


def test_a_link_to_an_address_of_before_that_was_being_written_opens_nothing(ward: Clinic) -> None:
    before = ana(ward)
    ward.people.entering.readdress(before, "ana@home.example")
    late = ward.people.recovery.make(before)  # as `ask` does, which had found the account a moment ago
    told = ward.browser().post(f"/api/v1/recover/{late}", json={"password": OTHER})
    assert told.status_code == 404


def test_the_trail_says_that_somebody_guesses_with_a_token_or_in_a_browser_left_open(ward: Clinic) -> None:
    phone(ward)
    leaked, wrong = script(ward), {"current": PASSWORD, "code": "000000"}
    leaked.put(f"{ME}/email", json={"current": OTHER, "email": "eve@evil.example"})
    leaked.post(f"{ME}/second-factor/remove", json=wrong)
    secret = ward.people.sessions.begin(ana(ward))
    browser = ward.browser()
    browser.cookies.set("bedside-session", secret)
    with_csrf(browser)
    browser.post("/me/password", data={"current": OTHER, "password": OTHER, "again": OTHER})
    browser.post("/me/second-factor/remove", data={"code": "000000"})
    found = [record.deed for record in ward.deployment.records.audit.walk(AuditFilter())]
    assert [deed.detail["by"] for deed in found if deed.action == "proof.refused"] == [
        "password",
        "code",
        "password",
        "code",
    ]
    assert {deed.person for deed in found} == {deed.object for deed in found} == {ana(ward).id}
