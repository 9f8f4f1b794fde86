"""A second factor through the whole portal: set up, asked for, each code once, lost, taken, demanded."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyotp
import pytest
from starlette.testclient import TestClient

from bedside.adapters.memory.clock import ManualClock
from bedside.config import load
from bedside.domain.account import Account, Profile
from bedside.domain.person import PersonRole, Post
from bedside.people.passwords import Passwords
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import create_app
from bedside.ports.audit import AuditFilter
from bedside.wiring import Deployment, open_deployment
from bedside.wiring.people import open_people
from portal_accounts import CHEAP

PASSWORD = "four words in a row"  # pragma: allowlist secret
ANNA = Account(
    id="a-1",
    email="anna@x.example",
    profile=Profile(name="Anna"),
    made_at=datetime(2026, 3, 1, tzinfo=UTC),
    posts=(Post(role=PersonRole.CLINICIAN, node="default"),),
)
SETTINGS = (
    '[system]\nroot = "data"\ntenants = ["default"]\n[portal]\nlisten = ""\nurl = "http://testserver"\n'
)


@dataclass(kw_only=True)
class Desk:
    """A portal with its real gate, and Anna's browser and phone."""

    deployment: Deployment
    clock: ManualClock
    browser: TestClient
    secret: str = ""

    def sign_in(self, onward: str = "/") -> httpx.Response:
        self.browser.cookies.clear()
        form = {"email": ANNA.email, "password": PASSWORD, "next": onward}
        return self.browser.post("/sign-in", data=form)

    def code(self) -> str:
        return pyotp.TOTP(self.secret).at(self.clock.now())

    def brings(self, code: str, onward: str = "/") -> httpx.Response:
        return self.browser.post("/sign-in/code", data={"code": code, "next": onward})

    def post(self, path: str, **form: str) -> httpx.Response:
        page = self.browser.get("/me/second-factor").text
        csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        return self.browser.post(f"/me/second-factor/{path}", data={"csrf": csrf, **form})

    def set_up(self) -> list[str]:
        """Set a second factor up, signed in; return the recovery codes."""
        page = self.post("begin", current=PASSWORD).text
        self.read(page)
        return codes_of(self.post("confirm", code=self.code()).text)

    def read(self, page: str) -> None:
        """Take the secret into the phone."""
        assert 'src="data:image/svg+xml' in page
        self.secret = re.findall(r"<code>([A-Z2-7 ]{32,})</code>", page)[0].replace(" ", "")
        uri = re.findall(r'href="(otpauth://[^"]+)"', page)[0]
        assert "anna%40x.example" in uri and f"secret={self.secret}" in uri

    @property
    def is_in(self) -> bool:
        return self.browser.get("/").status_code == 200

    def actions(self) -> list[str]:
        return [r.deed.action for r in self.deployment.records.audit.walk(AuditFilter())]


def codes_of(page: str) -> list[str]:
    found = re.findall(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>", page)
    assert len(found) == len(set(found)) == 10
    return found


@contextmanager
def desk_in(folder: Path, more: str = "") -> Iterator[Desk]:
    file = folder / "bedside.toml"
    file.write_text(SETTINGS + more)
    settings = load(file, environment={}, flags={}).settings
    deployment = open_deployment(settings)
    clock = deployment.clock = ManualClock(datetime.now(UTC))
    people = open_people(deployment.records.accounts, deployment.clock, settings.portal, Passwords(CHEAP))
    deployment.__dict__["people"] = people
    gate = AccountGate(deployment.people, BearerGate(None), settings.portal)
    account = replace(ANNA, password=deployment.people.passwords.hash(PASSWORD))
    deployment.records.accounts.add(account)
    with TestClient(create_app(deployment, gate), follow_redirects=False) as browser:
        yield Desk(deployment=deployment, clock=clock, browser=browser)
    deployment.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as opened:
        assert opened.sign_in().status_code == 303 and opened.is_in
        yield opened


def test_it_is_asked_for_only_after_a_first_right_code(desk: Desk) -> None:
    assert desk.post("begin", current="not it").status_code == 400
    page = desk.post("begin", current=PASSWORD).text
    desk.read(page)
    assert desk.post("confirm", code="000000").status_code == 400
    assert desk.sign_in().headers["location"] == "/", "nothing is confirmed yet"
    codes = codes_of(desk.post("confirm", code=desk.code()).text)
    kept = desk.deployment.records.second_factors.find("a-1")
    assert kept is not None and len(kept.recovery) == 10 and not set(kept.recovery) & set(codes)
    assert desk.sign_in("/health").headers["location"] == "/sign-in/code?next=%2Fhealth"
    assert not desk.is_in, "the password alone lets nobody in"
    assert desk.browser.get("/api/v1/me/second-factor").status_code == 401
    desk.clock.sleep(30)
    assert desk.brings(desk.code(), "/health").headers["location"] == "/health" and desk.is_in
    assert "You are asked for a code" in desk.browser.get("/me").text
    assert desk.browser.get("/api/v1/me/second-factor").json() == {
        "confirmed": True,
        "needed": False,
        "recovery_codes_left": 10,
    }
    assert desk.actions()[-1] == "session.begun" and "second_factor.confirmed" in desk.actions()


def test_a_code_lets_in_once_and_not_for_long(desk: Desk) -> None:
    desk.set_up()
    desk.sign_in()
    assert desk.brings(desk.code()).status_code == 401, "it confirmed the factor already"
    desk.clock.sleep(30)
    code = desk.code()
    assert desk.brings(code).status_code == 303 and desk.is_in
    desk.sign_in()
    assert desk.brings(code).status_code == 401 and not desk.is_in, "who looked over the shoulder is late"
    desk.clock.sleep(90)
    assert desk.brings(code).status_code == 401
    late = desk.code()
    desk.clock.sleep(30)
    assert desk.brings(late).status_code == 303, "clocks may differ by a step"
    desk.sign_in()
    desk.clock.sleep(16 * 60)
    assert desk.brings(desk.code()).headers["location"] == "/sign-in", "the password was too long ago"


def test_a_recovery_code_lets_in_once_however_it_is_typed(desk: Desk) -> None:
    first, second, *_ = desk.set_up()
    desk.sign_in()
    assert desk.brings(f" {first.upper().replace('-', ' ')} ").status_code == 303 and desk.is_in
    assert "recovery_used" in str(desk.actions())
    assert "left: 9" in desk.browser.get("/me/second-factor").text
    desk.sign_in()
    assert desk.brings(first).status_code == 401 and desk.brings(second).status_code == 303
    desk.clock.sleep(30)
    renewed = codes_of(desk.post("recovery", code=desk.code()).text)
    desk.sign_in()
    assert desk.brings(second).status_code == 401 and desk.brings(renewed[0]).status_code == 303


def test_who_guesses_codes_is_stopped(desk: Desk) -> None:
    desk.set_up()
    desk.sign_in()
    answers = [desk.brings(f"{number:06}").status_code for number in range(12)]
    assert 429 in answers and set(answers) == {401, 429}
    desk.clock.sleep(30)
    desk.sign_in()
    assert desk.brings(desk.code()).status_code == 429, "another password does not start anew"


def test_it_is_removed_by_a_code_and_taken_by_an_administrator(desk: Desk) -> None:
    codes = desk.set_up()
    assert desk.post("remove", code="000000").status_code == 400
    assert desk.post("begin", current=PASSWORD).status_code == 200
    assert desk.deployment.records.second_factors.find("a-1").confirmed_at, "it is not begun anew"  # type: ignore[union-attr]
    assert desk.post("remove", code=codes[0]).headers["location"].endswith("done=removed")
    assert desk.sign_in().headers["location"] == "/" and desk.is_in
    desk.set_up()
    posts = {"root": Post(role=PersonRole.ADMIN), "ward": Post(role=PersonRole.ADMIN, node="ward")}
    for name, post in posts.items():
        admin = replace(ANNA, id=f"a-{name}", email=f"{name}@x.example", posts=(post,))
        desk.deployment.records.accounts.add(admin)
    tokens = {}
    for name in posts:
        account = desk.deployment.records.accounts.account(f"a-{name}")
        assert account is not None
        cookies = {"bedside-session": desk.deployment.people.sessions.begin(account)}
        other = TestClient(desk.browser.app, cookies=cookies, follow_redirects=False)
        csrf = re.findall(r'name="csrf" value="([^"]+)"', other.get("/").text)[0]
        shown = other.get("/admin/people/a-1").text
        assert ("/admin/people/a-1/second-factor/remove" in shown) is (name == "root")
        tokens[name] = other.delete("/api/v1/people/a-1/second-factor", headers={"X-CSRF-Token": csrf})
    assert tokens["ward"].status_code == 404 and tokens["root"].json() == {"was_there": True}
    assert not desk.is_in, "sessions end with it"
    assert desk.sign_in().headers["location"] == "/" and "second_factor.reset" in desk.actions()


def test_a_role_may_demand_it_and_nobody_gets_round(tmp_path: Path) -> None:
    with desk_in(tmp_path, 'second_factor_for = ["clinician"]\n') as desk:
        assert desk.sign_in("/health").headers["location"] == "/sign-in/code?next=%2Fhealth"
        assert not desk.is_in
        page = desk.browser.get("/sign-in/code").text
        assert "Your role demands" in page
        desk.read(page)
        assert desk.brings("000000").status_code == 401 and not desk.is_in
        done = desk.brings(desk.code(), "/health")
        codes_of(done.text)
        assert 'href="/health"' in done.text and desk.is_in
        desk.clock.sleep(30)
        assert desk.post("remove", code=desk.code()).status_code == 400
        assert "cannot be removed" in desk.browser.get("/me/second-factor").text
        desk.browser.cookies.clear()
        assert desk.browser.get("/sign-in/code").headers["location"] == "/sign-in"


def test_a_secret_that_somebody_saw_long_ago_is_not_the_one_that_is_set_up(desk: Desk) -> None:
    assert desk.sign_in().status_code == 303
    seen = desk.post("begin", current=PASSWORD).text
    desk.read(seen)
    first = desk.secret
    desk.read(desk.post("begin", current=PASSWORD).text)
    assert desk.secret == first, "a page that is loaded again does not take it from the phone"
    desk.clock.sleep(16 * 60)
    desk.read(desk.post("begin", current=PASSWORD).text)
    assert desk.secret != first


def test_who_is_halfway_by_a_password_of_before_gets_no_further(desk: Desk) -> None:
    desk.sign_in()
    desk.set_up()
    desk.clock.sleep(30)
    assert desk.sign_in().headers["location"].startswith("/sign-in/code")
    people, account = desk.deployment.people, desk.deployment.records.accounts.account("a-1")
    assert account is not None
    people.entering.change_password(account, "nine grey herons wading")
    assert desk.brings(desk.code()).headers["location"] == "/sign-in" and not desk.is_in
