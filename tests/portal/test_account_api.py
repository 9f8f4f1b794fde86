"""One's own account by script: the ways to it by links, and what changes how it is opened.

A token that leaked must not become its owner: half of these try.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from starlette.testclient import TestClient

from bedside.adapters.memory.clock import ManualClock
from bedside.domain.account import Account, AccountState
from bedside.domain.person import Right
from bedside.people.tokens import Scope
from bedside.ports.audit import AuditFilter
from bedside.ports.mail import PersonalMail
from portal_accounts import ADMIN, PASSWORD, Clinic, clinic, post
from portal_site import SETTINGS

OTHER = "nine brown otters diving"  # pragma: allowlist secret
ME = "/api/v1/me"
#: Everything that changes how an account is opened: method, path, what is sent besides the proof.
CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("PUT", f"{ME}/email", {"email": "eve@evil.example"}),
    ("PUT", f"{ME}/password", {"password": OTHER}),
    ("POST", f"{ME}/second-factor/begin", {}),
    ("POST", f"{ME}/second-factor/confirm", {}),
    ("POST", f"{ME}/second-factor/recovery", {}),
    ("POST", f"{ME}/second-factor/remove", {}),
    ("POST", f"{ME}/oidc/disconnect", {}),
]
#: Of those, what begins a second factor: it takes no code of one that is there.
BEGINNING = {f"{ME}/second-factor/begin", f"{ME}/second-factor/confirm"}


@dataclass
class Postbox:
    """Keeps mails instead of sending them."""

    mails: list[PersonalMail] = field(default_factory=list)

    def send(self, mail: PersonalMail) -> None:
        self.mails.append(mail)

    def subjects(self, to: str) -> list[str]:
        return [mail.subject for mail in self.mails if mail.to == to]


@dataclass
class Ward:
    """A portal with Ana, her script, her phone and her mail."""

    clinic: Clinic
    clock: ManualClock
    box: Postbox
    secret: str = ""

    @property
    def ana(self) -> Account:
        """Ana's account as it is now."""
        found = self.clinic.people.accounts.account(self._id)
        assert found is not None
        return found

    def __post_init__(self) -> None:
        self._id = self.clinic.account("ana", post("clinician", "default")).id

    def forgive(self) -> None:
        """Forget the tries at Ana's account, as if she came in."""
        self.clinic.app.state.here.attempts.forgive(self.ana.email)

    def script(self, *rights: Right, place: str = "10.9.9.9") -> TestClient:
        """Return a script with a token of Ana's, narrowed where rights are named."""
        _, secret = self.clinic.people.tokens.make(self.ana, Scope(name="script", rights=rights))
        script = self.clinic.browser(place)
        script.headers["Authorization"] = f"Bearer {secret}"
        return script

    def code(self) -> str:
        """Return a code of Ana's phone that was not used yet."""
        self.clock.sleep(30)
        return pyotp.TOTP(self.secret).at(self.clock.now())

    def phone(self) -> list[str]:
        """Set Ana's second factor up; return its recovery codes."""
        seconds = self.clinic.deployment.seconds
        self.secret = seconds.begin(self.ana).secret
        codes = seconds.confirm(self.ana, self.code())
        assert codes is not None
        return codes

    def kept(self) -> object:
        """Return all that says how Ana's account is opened."""
        account, records = self.ana, self.clinic.deployment.records
        return account.email, account.password, records.second_factors.find(account.id)

    def actions(self) -> list[str]:
        return [r.deed.action for r in self.clinic.deployment.records.audit.walk(AuditFilter())]


def ward_in(folder: Path, more: str = "") -> Iterator[Ward]:
    with clinic(folder, SETTINGS + more) as opened:
        clock = opened.deployment.clock = ManualClock(datetime.now(UTC))
        box = opened.deployment.__dict__["mailer"] = Postbox()
        yield Ward(clinic=opened, clock=clock, box=box)


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    yield from ward_in(tmp_path)


def change(
    script: TestClient, which: tuple[str, str, dict[str, str]], proof: dict[str, str]
) -> httpx.Response:
    method, path, body = which
    if path.endswith("confirm"):
        proof = {"code": "123456", **proof}
    elif path.endswith("begin"):
        proof = {"current": proof["current"]}
    return script.request(method, path, json={**body, **proof})


def problem(answer: httpx.Response, status: int) -> str:
    """Return why something was not done."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def link_in(text: str, kind: str) -> str:
    found = re.search(rf"/{kind}/[\w-]{{43}}", text)
    assert found, text
    return found[0]


# Links


def test_a_script_makes_the_first_account(ward: Ward) -> None:
    people, script = ward.clinic.people, ward.clinic.browser()
    stale, secret = people.invitations.first(), people.invitations.first()
    new = {"email": "Root@ward.example", "password": PASSWORD, "profile": {"name": "Root"}}
    problem(script.post(f"/api/v1/first/{stale}", json=new), 404)
    problem(script.post(f"/api/v1/first/{secret}", json=new | {"more": 1}), 422)
    assert "short" in problem(script.post(f"/api/v1/first/{secret}", json=new | {"password": "x"}), 400)
    taken = script.post(f"/api/v1/first/{secret}", json=new | {"email": ward.ana.email})
    assert problem(taken, 400) and not people.accounts.has_root_admin()
    made = script.post(f"/api/v1/first/{secret}", json=new | {"clinician_and_engineer": True})
    assert made.status_code == 201 and made.json()["email"] == "root@ward.example"
    roles = {each["role"]: each["node"] for each in made.json()["posts"]}
    assert roles == {"admin": "", "clinician": "", "engineer": ""}
    assert ward.actions() == ["account.made"] and not script.cookies, "no session begins"
    problem(script.post(f"/api/v1/first/{secret}", json=new | {"email": "b@c.example"}), 404)
    ward.clinic.sign_in("root")


def test_a_script_opens_an_invitation(ward: Ward) -> None:
    invitations, script = ward.clinic.people.invitations, ward.clinic.browser()
    link, secret = invitations.invite("new@ward.example", [post("viewer", "default")], by=None)
    shown = script.get(f"/api/v1/join/{secret}").json()
    assert (shown["email"], shown["posts"]) == (link.email, [{"role": "viewer", "node": "default"}])
    new = {"profile": {"name": "Nia", "department": "CT"}, "password": f" {PASSWORD} "}
    problem(script.post(f"/api/v1/join/{secret}", json=new | {"email": "evil@ward.example"}), 422)
    made = script.post(f"/api/v1/join/{secret}", json=new)
    assert made.status_code == 201 and made.json()["profile"]["department"] == "CT"
    assert made.json()["email"] == link.email and ward.actions() == ["account.made"]
    problem(script.get(f"/api/v1/join/{secret}"), 404)
    problem(script.post(f"/api/v1/join/{secret}", json=new), 404)
    ward.clinic.sign_in("new", f" {PASSWORD} ")


def test_who_has_an_account_accepts_by_a_whole_token_alone(ward: Ward) -> None:
    invite = ward.clinic.people.invitations.invite
    _, secret = invite(ward.ana.email, [post("viewer", "h.ct")], by=None)
    _, others = invite("bo@ward.example", [ADMIN], by=None)
    path = f"/api/v1/join/{secret}"
    new = {"profile": {"name": "Eve"}, "password": OTHER}
    assert "account already" in problem(ward.clinic.browser().post(path, json=new), 400)
    problem(ward.clinic.browser().post(f"{path}/accept"), 401)
    problem(ward.script(Right.READ).post(f"{path}/accept"), 403)
    problem(ward.script().post(f"/api/v1/join/{others}/accept"), 404)
    accepted = ward.script().post(f"{path}/accept")
    assert accepted.status_code == 200 and {"role": "viewer", "node": "h/ct"} in accepted.json()["posts"]
    problem(ward.script().post(f"{path}/accept"), 404)
    assert ward.actions() == ["invitation.accepted"]


def test_asking_for_an_account_says_the_same_for_every_address(tmp_path: Path) -> None:
    for ward in ward_in(tmp_path, "sign_up = true\n"):
        ward.clinic.account("root", ADMIN)
        new = {"profile": {"name": "Nia"}, "password": PASSWORD, "at": "default"}
        asked = [
            ward.clinic.browser().post("/api/v1/join", json=new | {"email": email})
            for email in ("nia@w.example", "nia@w.example", "ana@ward.example")
        ]
        assert [(a.status_code, a.json(), a.headers.get("connection")) for a in asked] == [
            (202, {"by_mail": True}, "close")
        ] * 3
        waiting = ward.clinic.people.accounts.by_email("nia@w.example")
        assert waiting is not None and (waiting.state, waiting.wish) == (AccountState.WAITING, "default")
        told = [(mail.to, "asks" in mail.subject) for mail in ward.box.mails]
        assert told == [("root@ward.example", True), ("nia@w.example", False), ("ana@ward.example", False)]
        assert ward.actions() == ["account.asked"]
        page = {"name": "Nia", "email": "z@w.example", "password": PASSWORD, "again": PASSWORD}
        tries = [ward.clinic.browser().post("/join", data=page).status_code for _ in range(8)]
        assert tries[-1] == 429, "those of the page count, too"
        problem(ward.clinic.browser().post("/api/v1/join", json=new | {"email": "q@w.example"}), 429)


def test_nobody_asks_for_an_account_unless_the_settings_say_so(ward: Ward) -> None:
    new = {"profile": {"name": "Nia"}, "password": PASSWORD, "email": "nia@w.example"}
    problem(ward.clinic.browser().post("/api/v1/join", json=new), 404)
    assert ward.clinic.people.accounts.by_email("nia@w.example") is None


def test_a_forgotten_password_says_the_same_for_every_address(ward: Ward) -> None:
    ward.clinic.account("off", state=AccountState.DISABLED)
    asked = [
        ward.clinic.browser().post("/api/v1/recover", json={"email": email})
        for email in ("ana@ward.example", "off@ward.example", "nobody@ward.example", "no address")
    ]
    assert {(a.status_code, a.text, a.headers.get("connection")) for a in asked} == {
        (202, '{"by_mail":true}', "close")
    }
    assert [mail.to for mail in ward.box.mails] == ["ana@ward.example"]
    assert ward.actions() == ["account.recovery_sent"]
    by_page = [ward.clinic.browser().post("/recover", data={"email": "ana@ward.example"}) for _ in range(9)]
    assert {answer.status_code for answer in by_page} == {200}
    problem(ward.clinic.browser().post("/api/v1/recover", json={"email": " ana@ward.example"}), 429)
    ward.clinic.deployment.__dict__["mailer"] = None
    told = ward.clinic.browser().post("/api/v1/recover", json={"email": "bo@ward.example"})
    assert told.json() == {"by_mail": False}


def test_a_link_to_recover_works_once_and_ends_what_somebody_else_may_have(ward: Ward) -> None:
    browser, script = ward.clinic.sign_in("ana"), ward.script()
    anybody = ward.clinic.browser()
    links = []
    for _ in range(2):
        anybody.post("/api/v1/recover", json={"email": "ana@ward.example"})
        links.append("/api/v1" + link_in(ward.box.mails[-1].text, "recover"))
    _, invitation = ward.clinic.people.invitations.invite("ana@ward.example", [ADMIN], by=None)
    for dead in (links[0], f"/api/v1/recover/{invitation}", "/api/v1/recover/x"):
        problem(anybody.get(dead), 404)
        problem(anybody.post(dead, json={"password": OTHER}), 404)
    assert anybody.get(links[1]).json() == {"email": "ana@ward.example"}
    short = {"password": "tiny"}  # pragma: allowlist secret
    assert "short" in problem(anybody.post(links[1], json=short), 400)
    assert anybody.post(links[1], json={"password": OTHER}).status_code == 204
    assert ward.actions()[-1] == "account.password_changed" and not anybody.cookies
    problem(browser.get(ME), 401)
    problem(script.get(ME), 401)
    problem(anybody.post(links[1], json={"password": PASSWORD}), 404)
    ward.clinic.sign_in("ana", OTHER)


def test_a_link_of_before_does_not_open_what_was_changed_by_script(ward: Ward) -> None:
    links = []
    for changed in ({"email": "a2@ward.example"}, {"password": OTHER}):
        ward.clinic.browser().post("/api/v1/recover", json={"email": ward.ana.email})
        links.append("/api/v1" + link_in(ward.box.mails[-1].text, "recover"))
        assert ward.clinic.browser().get(links[-1]).status_code == 200
        name = next(iter(changed))
        done = ward.script().put(f"{ME}/{name}", json={"current": PASSWORD, **changed})
        assert done.status_code < 300
        problem(ward.clinic.browser().post(links[-1], json={"password": PASSWORD}), 404)
    assert links[0] != links[1]


def test_a_page_of_another_site_sends_nothing_on_the_ways_in(ward: Ward) -> None:
    browser = ward.clinic.browser()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        for path, body in (
            ("recover", {"email": "ana@ward.example"}),
            ("recover/x", {"password": OTHER}),
            ("join", {"email": "e@x.example", "password": OTHER, "profile": {"name": "E"}}),
            ("join/x", {"password": OTHER, "profile": {"name": "E"}}),
            ("first/x", {"email": "e@x.example", "password": OTHER, "profile": {"name": "E"}}),
        ):
            problem(browser.post(f"/api/v1/{path}", json=body, headers=headers), 403)
    assert not ward.box.mails


# The first token


def test_a_script_gets_from_the_first_link_to_a_colleague_without_a_browser(ward: Ward) -> None:
    secret, script = ward.clinic.people.invitations.first(), ward.clinic.browser()
    new = {"email": "root@ward.example", "password": PASSWORD, "profile": {"name": "Root"}}
    script.post(f"/api/v1/first/{secret}", json=new)
    wish = {"email": new["email"], "current": PASSWORD, "name": "set-up", "days": 1}
    made = script.post("/api/v1/tokens", json=wish)
    assert made.status_code == 201 and not script.cookies
    script.headers["Authorization"] = f"Bearer {made.json()['token']}"
    colleague = {"email": "nia@ward.example", "posts": [{"role": "clinician", "node": "default"}]}
    link = script.post("/api/v1/people/invitations", json=colleague).json()["link"]
    script.post("/api/v1" + link_in(link, "join"), json={"profile": {"name": "Nia"}, "password": OTHER})
    narrow = wish | {"email": "nia@ward.example", "current": OTHER, "rights": ["read"]}
    made = script.post("/api/v1/tokens", json=narrow).json()
    nia = ward.clinic.browser()
    nia.headers["Authorization"] = f"Bearer {made['token']}"
    assert nia.get(ME).json()["rights"] == {"read": ["default"]}
    assert "no right" in problem(script.post("/api/v1/tokens", json=narrow | {"rights": ["operate"]}), 403)
    assert ward.actions().count("token.made") == 2


def test_a_first_token_takes_all_that_signing_in_does(ward: Ward) -> None:
    ward.clinic.account("off", state=AccountState.DISABLED)
    ward.clinic.account("new", state=AccountState.WAITING)
    browser, wish = ward.clinic.browser(), {"name": "x", "current": PASSWORD}
    said = {
        problem(browser.post("/api/v1/tokens", json=wish | {"email": f"{who}@ward.example", **more}), 401)
        for who, more in (("off", {}), ("new", {}), ("none", {}), ("ana", {"current": OTHER}))
    }
    assert len(said) == 1 and ward.actions() == ["session.refused"] * 4
    ana = wish | {"email": " Ana@ward.example"}
    codes = ward.phone()
    assert "needed" in problem(browser.post("/api/v1/tokens", json=ana), 403)
    problem(browser.post("/api/v1/tokens", json=ana | {"code": "000000"}), 403)
    assert browser.post("/api/v1/tokens", json=ana | {"code": codes[0]}).status_code == 201
    problem(browser.post("/api/v1/tokens", json=ana | {"code": codes[0]}), 403)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    problem(browser.post("/api/v1/tokens", json=ana | {"code": codes[1]}, headers=elsewhere), 403)
    for _ in range(10):
        problem(browser.post("/api/v1/tokens", json=ana | {"current": OTHER}), 401)
    problem(browser.post("/api/v1/tokens", json=ana | {"code": codes[1]}), 429)
    form = {"email": "ana@ward.example", "password": PASSWORD}
    assert ward.clinic.browser("10.7.7.7").post("/sign-in", data=form).status_code == 429
    assert len(ward.clinic.people.tokens.of(ward.ana.id)) == 1


def test_a_first_token_is_no_way_round_a_second_factor_that_a_role_demands(tmp_path: Path) -> None:
    for ward in ward_in(tmp_path, 'second_factor_for = ["clinician"]\n'):
        wish = {"name": "x", "current": PASSWORD, "email": ward.ana.email}
        assert "demands" in problem(ward.clinic.browser().post("/api/v1/tokens", json=wish), 403)
        ward.phone()
        wish["code"] = ward.code()
        assert ward.clinic.browser().post("/api/v1/tokens", json=wish).status_code == 201


# A second factor


def test_a_script_sets_a_second_factor_up_renews_and_removes_it(ward: Ward) -> None:
    script, proof = ward.script(), {"current": PASSWORD}
    begun = script.post(f"{ME}/second-factor/begin", json=proof).json()
    assert f"secret={begun['secret']}" in begun["uri"] and begun["uri"].startswith("otpauth://totp/")
    assert script.post(f"{ME}/second-factor/begin", json=proof).json() == begun
    ward.secret = begun["secret"]
    problem(script.post(f"{ME}/second-factor/confirm", json=proof | {"code": "000000"}), 403)
    assert not script.get(f"{ME}/second-factor").json()["confirmed"]
    first = script.post(f"{ME}/second-factor/confirm", json=proof | {"code": ward.code()}).json()
    assert len(set(first["recovery_codes"])) == 10
    assert script.get(f"{ME}/second-factor").json() == {
        "confirmed": True,
        "needed": False,
        "recovery_codes_left": 10,
    }
    problem(script.post(f"{ME}/second-factor/begin", json=proof), 400)
    renewed = script.post(
        f"{ME}/second-factor/recovery", json=proof | {"code": first["recovery_codes"][0]}
    ).json()["recovery_codes"]
    assert not set(renewed) & set(first["recovery_codes"]) and len(renewed) == 10
    problem(script.post(f"{ME}/second-factor/remove", json=proof | {"code": first["recovery_codes"][1]}), 403)
    gone = script.post(f"{ME}/second-factor/remove", json=proof | {"code": renewed[0].upper()})
    assert gone.status_code == 204 and not script.get(f"{ME}/second-factor").json()["confirmed"]
    problem(script.post(f"{ME}/second-factor/remove", json=proof), 400)
    problem(script.post(f"{ME}/second-factor/recovery", json=proof), 400)
    assert ward.actions() == [
        "second_factor.confirmed",
        "second_factor.recovery_used",
        "second_factor.recovery_renewed",
        "proof.refused",
        "second_factor.recovery_used",
        "second_factor.removed",
    ]


def test_the_trail_is_that_of_the_pages(ward: Ward) -> None:
    codes = ward.phone()
    browser = ward.clinic.browser()
    browser.post("/sign-in", data={"email": "ana@ward.example", "password": PASSWORD})
    browser.post("/sign-in/code", data={"code": codes[0]})
    csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.get("/me/second-factor").text)[0]
    before, form = len(ward.actions()), {"csrf": csrf}
    browser.post("/me/second-factor/recovery", data=form | {"code": codes[1]})
    browser.post("/me/second-factor/remove", data=form | {"code": ward.code()})
    by_page, codes = ward.actions()[before:], ward.phone()
    before, proof, script = len(ward.actions()), {"current": PASSWORD}, ward.script()
    script.post(f"{ME}/second-factor/recovery", json=proof | {"code": codes[1]})
    script.post(f"{ME}/second-factor/remove", json=proof | {"code": ward.code()})
    assert ward.actions()[before:] == by_page and len(by_page) == 3


def test_a_second_factor_that_a_role_demands_is_not_removed(tmp_path: Path) -> None:
    for ward in ward_in(tmp_path, 'second_factor_for = ["clinician"]\n'):
        ward.phone()
        proof = {"current": PASSWORD, "code": ward.code()}
        assert "demands" in problem(ward.script().post(f"{ME}/second-factor/remove", json=proof), 400)
        assert ward.script().post(f"{ME}/second-factor/recovery", json=proof).status_code == 200, (
            "the code was not used up for nothing"
        )


def test_the_owner_is_told_as_by_the_pages(ward: Ward) -> None:
    script, browser = ward.script(), ward.clinic.sign_in("ana")
    assert script.put(f"{ME}/email", json={"current": PASSWORD, "email": "a2@w.example"}).status_code == 200
    assert script.put(f"{ME}/password", json={"current": PASSWORD, "password": OTHER}).status_code == 204
    assert len(ward.box.subjects("ana@ward.example")) == 1 and len(ward.box.subjects("a2@w.example")) == 1
    problem(browser.get(ME), 401)
    root = ward.clinic.enter("root", ADMIN)
    waiting = ward.clinic.account("new", state=AccountState.WAITING, language="es")
    posts = {"posts": [{"role": "viewer", "node": "default"}]}
    assert root.post(f"/api/v1/people/{waiting.id}/approve", json=posts).status_code == 200
    told = ward.box.mails[-1]
    assert (told.to, told.subject) == ("new@ward.example", "Su cuenta de bedside")


def test_other_browsers_are_signed_out_by_script(ward: Ward) -> None:
    one, two = ward.clinic.sign_in("ana"), ward.clinic.sign_in("ana")
    problem(ward.script(Right.READ).delete(f"{ME}/sessions"), 403)
    assert one.delete(f"{ME}/sessions").json() == {"ended": 1}
    problem(two.get(ME), 401)
    assert ward.script().delete(f"{ME}/sessions").json() == {"ended": 1}
    problem(one.get(ME), 401)
    assert ward.actions()[-1] == "session.others_ended"


# Whoever means harm


def test_a_token_that_leaked_changes_nothing_by_itself(ward: Ward) -> None:
    script, before = ward.script(), ward.kept()
    for which in CHANGES:
        for proof in ({"current": ""}, {"current": OTHER}, {"current": f"{PASSWORD} "}):
            assert "another one" in problem(change(script, which, proof), 403), which
        problem(script.request(which[0], which[1], json=which[2]), 422)
        ward.forgive()
    assert ward.kept() == before and not ward.box.mails
    assert ward.actions() == ["proof.refused"] * (3 * len(CHANGES))


def test_a_browser_left_open_changes_nothing_by_the_api_either(ward: Ward) -> None:
    browser, before = ward.clinic.sign_in("ana"), ward.kept()
    for which in CHANGES:
        problem(change(browser, which, {"current": OTHER}), 403)
    ward.forgive()
    del browser.headers["X-CSRF-Token"]
    for which in CHANGES:
        assert "token of its session" in problem(change(browser, which, {"current": PASSWORD}), 403)
    assert ward.kept() == before


@pytest.mark.parametrize(
    "which", [c for c in CHANGES if c[1] not in BEGINNING], ids=lambda w: w[1].removeprefix(ME)
)
def test_token_and_password_are_not_enough_where_a_code_is_asked_for(
    ward: Ward, which: tuple[str, str, dict[str, str]]
) -> None:
    ward.phone()
    used, script = ward.code(), ward.script()
    assert ward.clinic.deployment.seconds.accept(ward.ana, used) == "app"
    before = ward.kept()
    for code, said in (("", "needed"), ("000000", "wrong"), (used, "wrong"), ("aaaaa-aaaaa", "wrong")):
        assert said in problem(change(script, which, {"current": PASSWORD, "code": code}), 403)
    assert ward.kept() == before and not ward.box.mails
    good = {"current": PASSWORD, "code": ward.code()}
    done = change(script, which, good)
    assert done.status_code < 300, done.text
    again = ward.script().put(f"{ME}/email", json={**good, "email": "b@c.example"})
    if not which[1].endswith(("password", "remove")):
        assert "wrong" in problem(again, 403), "a code is good for one change"


def test_a_factor_that_is_there_is_not_begun_anew_by_whoever_has_the_password(ward: Ward) -> None:
    ward.phone()
    before, script = ward.kept(), ward.script()
    problem(script.post(f"{ME}/second-factor/begin", json={"current": PASSWORD}), 400)
    proof: dict[str, Any] = {"current": PASSWORD, "code": ward.code()}
    problem(script.post(f"{ME}/second-factor/confirm", json=proof), 403)
    assert ward.kept() == before


def test_a_narrowed_token_learns_nothing_and_uses_nothing_up(ward: Ward) -> None:
    codes = ward.phone()
    before, script = ward.kept(), ward.script(Right.READ)
    said = {
        problem(change(script, which, {"current": current, "code": codes[0]}), 403)
        for which in CHANGES
        for current in (PASSWORD, OTHER)
    }
    assert len(said) == 1 and "less than the whole account" in said.pop(), "right and wrong are told alike"
    assert ward.kept() == before
    form = {"email": "ana@ward.example", "password": PASSWORD}
    entered = ward.clinic.browser().post("/sign-in", data=form)
    assert entered.headers["location"].startswith("/sign-in/code"), "its tries keep nobody out"


def test_who_guesses_here_has_guessed_at_the_door(ward: Ward) -> None:
    form = {"email": "ana@ward.example", "password": PASSWORD}
    for number, which in enumerate(CHANGES):
        script = ward.script(place=f"10.8.{number}.1")
        for _ in range(10):
            problem(change(script, which, {"current": OTHER}), 403)
        answer = change(script, which, {"current": PASSWORD})
        problem(answer, 429)
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert ward.clinic.browser("10.7.7.7").post("/sign-in", data=form).status_code == 429
        ward.forgive()


def test_who_guesses_at_the_door_has_guessed_here(ward: Ward) -> None:
    form = {"email": "ana@ward.example", "password": OTHER}
    for number in range(10):
        assert ward.clinic.browser(f"10.6.{number}.1").post("/sign-in", data=form).status_code == 401
    for which in CHANGES:
        problem(change(ward.script(), which, {"current": PASSWORD}), 429)


def test_who_guesses_much_from_one_place_is_stopped_at_every_account(ward: Ward) -> None:
    script = ward.script()
    for number in range(30):
        if number % 9 == 0:  # the owner came in, so that it is not the account's count
            ward.clinic.sign_in("ana")
        problem(change(script, CHANGES[0], {"current": OTHER}), 403)
    form = {"email": "bo@ward.example", "password": OTHER}
    assert ward.clinic.browser("10.9.9.9").post("/sign-in", data=form).status_code == 429
    assert ward.clinic.browser("10.9.9.8").post("/sign-in", data=form).status_code == 401


def test_codes_are_guessed_no_oftener_here_than_at_the_door(ward: Ward) -> None:
    codes = ward.phone()
    script = ward.script()
    for number in range(10):
        wrong = {"current": PASSWORD, "code": f"{number:06}"}
        problem(script.post(f"{ME}/second-factor/recovery", json=wrong), 403)
    problem(script.post(f"{ME}/second-factor/remove", json={"current": PASSWORD, "code": codes[0]}), 429)
    browser = ward.clinic.browser("10.7.7.7")
    browser.post("/sign-in", data={"email": "ana@ward.example", "password": PASSWORD})
    assert browser.post("/sign-in/code", data={"code": codes[0]}).status_code == 429


def test_the_page_that_begins_a_second_factor_is_no_second_door_for_passwords(ward: Ward) -> None:
    browser = ward.clinic.sign_in("ana")
    for _ in range(10):
        assert browser.post("/me/second-factor/begin", data={"current": OTHER}).status_code == 400
    form = {"email": "ana@ward.example", "password": PASSWORD}
    assert ward.clinic.browser("10.7.7.7").post("/sign-in", data=form).status_code == 429


def test_pages_that_ask_for_less_take_no_token(ward: Ward) -> None:
    codes, before = ward.phone(), ward.kept()
    script = ward.script()
    for path, form in (
        ("email", {"current": PASSWORD, "email": "eve@evil.example"}),
        ("password", {"current": PASSWORD, "password": OTHER, "again": OTHER}),
        ("second-factor/begin", {"current": PASSWORD}),
        ("second-factor/confirm", {"code": codes[0]}),
        ("second-factor/recovery", {"code": codes[0]}),
        ("second-factor/remove", {"code": codes[0]}),
        ("oidc/disconnect", {}),
    ):
        answer = script.post(f"/me/{path}", data=form)
        assert answer.status_code == 403 and "takes no token" in answer.text, path
    assert ward.kept() == before and not script.cookies


def test_who_asks_for_many_addresses_is_stopped(ward: Ward) -> None:
    ward.clinic.account("bo")
    wish = {"current": PASSWORD, "email": "bo@ward.example"}
    told = [ward.script().put(f"{ME}/email", json=wish).status_code for _ in range(31)]
    assert told == [400] * 30 + [429]


def test_an_administrators_token_is_not_its_owner_either(ward: Ward) -> None:
    root = ward.clinic.people.accounts.save(ward.ana.given(ADMIN))
    codes, other = ward.phone(), ward.clinic.account("bo", post("viewer", "default"))
    script = ward.script()
    assert "your own account" in problem(script.post(f"/api/v1/people/{root.id}/reset"), 403)
    assert "your own account" in problem(script.delete(f"/api/v1/people/{root.id}/second-factor"), 403)
    browser = ward.clinic.browser()
    browser.post("/sign-in", data={"email": root.email, "password": PASSWORD})
    browser.post("/sign-in/code", data={"code": codes[0]})
    before = ward.kept()
    page = browser.get(f"/admin/people/{root.id}").text
    assert "/reset" not in page and "/second-factor/remove" not in page and 'href="/me"' in page
    csrf = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0]}
    for path in ("reset", "second-factor/remove"):
        assert browser.post(f"/admin/people/{root.id}/{path}", data=csrf).status_code == 403
    assert ward.kept() == before
    assert script.post(f"/api/v1/people/{other.id}/reset").status_code == 201
