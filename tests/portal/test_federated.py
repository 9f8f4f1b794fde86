"""Signing in by an identity provider, through the whole portal: who comes in, by which roles, who not."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from bedside.config import load
from bedside.domain.account import Account, AccountState, Profile
from bedside.domain.person import PersonRole, Post, Right
from bedside.people.passwords import Passwords
from bedside.people.tokens import Scope
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import create_app
from bedside.ports.audit import AuditFilter
from bedside.wiring import Deployment, open_deployment
from bedside.wiring.identity import open_api_identity
from bedside.wiring.people import open_people
from issuer_login import CLIENT_ID, CLIENT_SECRET, User
from issuer_server import LocalIssuer, run_issuer
from ledger_samples import T0
from portal_accounts import CHEAP

BACK = "/sign-in/oidc/callback"
ADDRESS = "http://testserver"
ADMINISTRATOR = Post(role=PersonRole.ADMIN)
ANNA = {"email": "anna@x.example", "name": "Anna B.", "groups": ["default:clinician"]}


@dataclass(kw_only=True)
class Desk:
    """A portal with its real gate, a provider, and one browser."""

    deployment: Deployment
    issuer: LocalIssuer
    browser: TestClient

    def go(self, user: str = "anna", password: str = "pw", onward: str = "/") -> httpx.Response:
        """Begin here, sign in there, and come back."""
        begun = self.browser.get("/sign-in/oidc", params={"next": onward})
        assert begun.status_code == 303, begun.text
        return self.back(begun.headers["location"], user, password)

    def back(self, url: str, user: str = "anna", password: str = "pw") -> httpx.Response:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        form = {**asked, "user": user, "password": password}
        return self.browser.get(httpx.post(url.partition("?")[0], data=form).headers["location"])

    def me(self) -> Account:
        secret = self.browser.cookies.get("bedside-session")
        known = self.deployment.people.sessions.known(secret or "")
        assert known is not None, "nobody is signed in"
        return known.account

    @property
    def is_in(self) -> bool:
        return self.browser.get("/").status_code == 200

    def refused(self) -> str:
        last = self.deployment.records.audit.records(AuditFilter(action="session.refused"), limit=1)
        return last[0].deed.detail["reason"] if last else ""


@contextmanager
def desk_in(folder: Path, issuer: LocalIssuer) -> Iterator[Desk]:
    secret = folder / "secret"
    secret.write_text(CLIENT_SECRET)
    file = folder / "bedside.toml"
    file.write_text(
        f'[system]\nroot = "data"\ntenants = ["default"]\n[portal]\nlisten = ""\nurl = "{ADDRESS}"\n'
        f'[identity]\nissuer = "{issuer.url}"\nclients = ["scripts"]\nclient_id = "{CLIENT_ID}"\n'
        f'client_secret_file = "{secret}"\nbutton = "Hospital card"\n'
    )
    settings = load(file, environment={}, flags={}).settings
    deployment = open_deployment(settings)
    people = open_people(deployment.records.accounts, deployment.clock, settings.portal, Passwords(CHEAP))
    deployment.__dict__["people"] = people
    known = partial(deployment.federation.account, issuer.url)
    scripts = BearerGate(open_api_identity(settings, deployment.clock), known)
    gate = AccountGate(deployment.people, scripts, settings.portal)
    app = create_app(deployment, gate)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as browser:
        yield Desk(deployment=deployment, issuer=issuer, browser=browser)
    deployment.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with run_issuer() as issuer:
        issuer.login.backs.add(ADDRESS + BACK)
        issuer.login.users["anna"] = User(password="pw", sub="s-1", claims=dict(ANNA))
        with desk_in(tmp_path, issuer) as opened:
            yield opened


def test_a_newcomer_gets_an_account_and_the_roles_of_their_groups(desk: Desk) -> None:
    page = desk.browser.get("/sign-in", params={"next": "/me"}).text
    assert "Hospital card" in page and 'href="/sign-in/oidc?next=/me"' in page
    answer = desk.go(onward="/health")
    assert (answer.status_code, answer.headers["location"]) == (303, "/health")
    account = desk.me()
    assert (account.email, account.profile.name, account.password) == ("anna@x.example", "Anna B.", "")
    assert account.person.posts == (Post(role=PersonRole.CLINICIAN, node="default"),)
    assert "default" in desk.browser.get("/").text
    assert "by your groups" in desk.browser.get("/me").text
    assert desk.browser.get("/api/v1/me").json()["granted"] == [{"role": "clinician", "node": "default"}]
    actions = [r.deed.action for r in desk.deployment.records.audit.walk(AuditFilter(person=account.id))]
    assert actions == ["account.made", "session.begun"]
    assert "anna" not in str(list(desk.deployment.records.audit.walk(AuditFilter())))


def test_a_way_that_is_too_long_for_a_cookie_is_not_kept(desk: Desk) -> None:
    assert desk.go(onward="/" + "x" * 5000).headers["location"] == "/" and desk.is_in


def test_the_next_time_it_is_the_same_account_with_the_groups_of_then(desk: Desk) -> None:
    desk.go()
    first = desk.me()
    accounts = desk.deployment.records.accounts
    accounts.save(first.given(Post(role=PersonRole.VIEWER, node="elsewhere")))
    desk.issuer.login.users["anna"].claims.update(email="new@x.example", groups=["engineer"])
    desk.go()
    again = desk.me()
    assert (again.id, again.email) == (first.id, "anna@x.example"), "an address is theirs to change"
    assert {post.group for post in again.person.posts} == {"elsewhere:viewer", "engineer"}
    desk.issuer.login.users["anna"].claims.update(groups=[])
    desk.go()
    assert {post.group for post in desk.me().person.posts} == {"elsewhere:viewer"}


def test_without_an_address_there_somebody_has_one_that_no_mail_goes_to(desk: Desk) -> None:
    desk.issuer.login.users["anna"].claims = {"groups": []}
    desk.go()
    assert desk.me().email.endswith("@without-address.invalid")


def test_only_the_browser_that_was_sent_is_let_in(desk: Desk) -> None:
    begun = desk.browser.get("/sign-in/oidc")
    url = begun.headers["location"]
    forged = re.sub(r"state=[^&]+", "state=forged", url)
    assert desk.back(forged).status_code == 401 and not desk.is_in
    assert "another one" in desk.refused()
    url = desk.browser.get("/sign-in/oidc").headers["location"]
    desk.browser.cookies.delete("bedside-errand")
    assert desk.back(url).status_code == 401 and not desk.is_in, "the cookie is another browser's"
    assert "not begun in this browser" in desk.refused()
    assert desk.browser.get(BACK).status_code == 401
    assert desk.browser.get(BACK, params={"state": "x" * 5000}).status_code == 422


def test_a_code_lets_in_once(desk: Desk) -> None:
    begun = desk.browser.get("/sign-in/oidc")
    errand = desk.browser.cookies["bedside-errand"]
    answer = desk.back(begun.headers["location"])
    assert answer.status_code == 303 and desk.is_in
    back = str(answer.request.url)
    assert "bedside-errand" not in desk.browser.cookies, "the errand has ended"
    desk.browser.cookies.clear()
    desk.browser.cookies.set("bedside-errand", errand)
    assert desk.browser.get(back).status_code == 401 and not desk.is_in
    assert "does not take the code" in desk.refused()


def test_a_wrong_nonce_another_audience_and_an_expired_token_are_refused(desk: Desk) -> None:
    for wrong in ({"nonce": "x"}, {"aud": "scripts"}, {"exp": int(time.time()) - 120}):
        desk.issuer.login.token_claims = wrong
        assert desk.go().status_code == 401 and not desk.is_in, wrong
        assert "token" in desk.refused()
    assert not desk.deployment.records.identities.find(desk.issuer.url, "s-1")


def test_who_stops_there_is_told_and_who_is_down_too(desk: Desk) -> None:
    answer = desk.go(password="wrong")
    assert answer.status_code == 401 and "stopped it" in answer.text
    url = desk.browser.get("/sign-in/oidc").headers["location"]
    wrong = desk.browser.get(BACK, params={"state": parse_qs(urlsplit(url).query)["state"][0], "code": "x",
                                           "iss": "https://another.example"})  # fmt: skip
    assert wrong.status_code == 401 and "another issuer" in desk.refused()
    url = desk.browser.get("/sign-in/oidc").headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    form = {**asked, "user": "anna", "password": "pw"}  # pragma: allowlist secret
    back = httpx.post(url.partition("?")[0], data=form).headers["location"]
    desk.issuer.silent = True
    answer = desk.browser.get(back)
    assert answer.status_code == 503 and "does not answer" in answer.text and not desk.is_in


def test_the_provider_opens_no_account_by_an_address_alone(desk: Desk) -> None:
    accounts = desk.deployment.records.accounts
    passwords = desk.deployment.people.passwords
    old = Account(
        id="a-1",
        email="anna@x.example",
        profile=Profile(name="Anna"),
        made_at=T0,
        posts=(Post(role=PersonRole.ADMIN),),
        password=passwords.hash("a very long password"),
    )
    accounts.add(old)
    answer = desk.go()
    assert answer.status_code == 401 and "not connected yet" in answer.text and not desk.is_in
    assert desk.browser.post("/me/oidc").status_code in {303, 401}, "nobody is signed in"
    form = {"email": "anna@x.example", "password": "a very long password"}  # pragma: allowlist secret
    assert desk.browser.post("/sign-in", data=form).status_code == 303
    page = desk.browser.get("/me/oidc").text
    assert "not connected" in page
    csrf = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0]}
    assert desk.browser.post("/me/oidc").status_code == 403, "another site could have sent it"
    page = desk.browser.post("/me/oidc", data=csrf).text
    url = re.findall(r'href="([^"]+/authorize[^"]+)"', page)[0].replace("&amp;", "&")
    assert desk.back(url).headers["location"] == "/me/oidc"
    assert "is connected" in desk.browser.get("/me/oidc").text
    desk.browser.cookies.clear()
    desk.go()
    assert (desk.me().id, len(desk.me().person.posts)) == ("a-1", 2)
    page = desk.browser.get("/me/oidc").text
    csrf = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0]}
    desk.browser.post("/me/oidc/disconnect", data=csrf)
    assert desk.me().person.posts == (Post(role=PersonRole.ADMIN),)
    desk.browser.cookies.clear()
    assert desk.go().status_code == 401


def test_a_way_to_connect_that_another_account_began_connects_nobody(desk: Desk) -> None:
    for number in (1, 2):
        account = Account(
            id=f"a-{number}", email=f"p{number}@x.example", profile=Profile(name="P"), made_at=T0
        )
        desk.deployment.records.accounts.add(account)
    sessions = desk.deployment.people.sessions

    def become(number: int) -> None:
        account = desk.deployment.records.accounts.account(f"a-{number}")
        assert account is not None
        desk.browser.cookies.set("bedside-session", sessions.begin(account))

    become(1)
    csrf = re.findall(r'name="csrf" value="([^"]+)"', desk.browser.get("/me/oidc").text)[0]
    page = desk.browser.post("/me/oidc", data={"csrf": csrf}).text
    url = re.findall(r'href="([^"]+/authorize[^"]+)"', page)[0].replace("&amp;", "&")
    desk.browser.cookies.delete("bedside-session")
    become(2)
    assert desk.back(url).status_code == 401
    assert not desk.deployment.records.identities.find(desk.issuer.url, "s-1")


def test_a_disabled_account_stays_out_and_one_without_a_password_keeps_its_way_in(desk: Desk) -> None:
    desk.go()
    account = desk.me()
    csrf = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', desk.browser.get("/me/oidc").text)[0]}
    kept = desk.browser.post("/me/oidc/disconnect", data=csrf)
    assert kept.status_code == 400 and "no password" in kept.text
    desk.deployment.records.accounts.save(replace(account, state=AccountState.DISABLED))
    desk.browser.cookies.clear()
    answer = desk.go()
    assert answer.status_code == 401 and "not active" in answer.text and not desk.is_in


def test_a_token_of_the_provider_is_its_owners_account_and_ends_with_it(desk: Desk) -> None:
    token = desk.issuer.token(["default:viewer"], sub="s-1", aud="scripts")
    headers = {"Authorization": f"Bearer {token}"}
    desk.browser.get("/api/v1/tenants/default/results/none", headers=headers)
    desk.go()
    account = desk.me()
    desk.browser.cookies.clear()
    given = account.given(Post(role=PersonRole.ADMIN, node="ward"))
    account = desk.deployment.records.accounts.save(given)
    assert desk.browser.get("/api/v1/audit", headers=headers).status_code == 200, "roles given here count"
    (deed,) = [r.deed for r in desk.deployment.records.audit.records(AuditFilter(action="audit"))]
    assert deed.person == account.id, "and in the trail it is one person"
    desk.deployment.records.accounts.save(replace(account, state=AccountState.DISABLED))
    assert desk.browser.get("/api/v1/audit", headers=headers).status_code == 401
    other = desk.issuer.token(["default:viewer"], sub="s-9", aud="scripts")
    tenants = desk.browser.get("/api/v1/tenants", headers={"Authorization": f"Bearer {other}"}).json()
    assert [tenant["rights"] for tenant in tenants] == [["read"]]


def test_signing_out_offers_to_sign_out_there_too(desk: Desk) -> None:
    desk.go()
    csrf = re.findall(r'name="csrf" value="([^"]+)"', desk.browser.get("/").text)[0]
    answer = desk.browser.post("/sign-out", data={"csrf": csrf})
    assert not desk.is_in
    page = desk.browser.get(answer.headers["location"]).text
    assert 'href="/sign-out/oidc"' in page
    away = desk.browser.get("/sign-out/oidc").headers["location"]
    assert away.startswith(f"{desk.issuer.url}/logout?") and "testserver%2Fsign-in" in away


def test_a_token_that_leaked_joins_no_stranger_with_its_owners_account(desk: Desk) -> None:
    owner = Account(
        id="a-1", email="o@x.example", profile=Profile(name="O"), made_at=T0, posts=(ADMINISTRATOR,)
    )
    desk.deployment.records.accounts.add(owner)
    scope = Scope(name="figures", rights=(Right.OPERATE,))
    _, secret = desk.deployment.people.tokens.make(owner, scope)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert desk.browser.post("/me/oidc", headers=bearer).status_code == 403
    assert desk.browser.post("/me/oidc/disconnect", headers=bearer).status_code == 403
    # The errand is in the browser's hands: it is forged as if the page had answered.
    begun = desk.browser.get("/sign-in/oidc")
    kept = json.loads(base64.urlsafe_b64decode(desk.browser.cookies["bedside-errand"].strip('"')))
    forged = base64.urlsafe_b64encode(json.dumps(kept | {"purpose": "connect", "account": "a-1"}).encode())
    desk.browser.cookies.clear()
    desk.browser.cookies.set("bedside-errand", forged.decode())
    desk.browser.headers.update(bearer)
    assert desk.back(begun.headers["location"]).status_code == 401
    assert not desk.deployment.federation.of("a-1")


def test_an_invitation_by_a_token_of_the_provider_ends_with_its_makers_rights(desk: Desk) -> None:
    desk.issuer.login.users["anna"].claims.update(groups=["admin"])
    desk.go()
    account = desk.me()
    desk.browser.cookies.clear()
    token = desk.issuer.token(["admin"], sub="s-1", aud="scripts")
    wish = {"email": "bo@x.example", "posts": [{"role": "admin"}]}
    made = desk.browser.post(
        "/api/v1/people/invitations", json=wish, headers={"Authorization": f"Bearer {token}"}
    )
    link = urlsplit(made.json()["link"]).path
    assert desk.browser.get(link).status_code == 200
    desk.deployment.records.identities.grant(account.id, ())
    assert desk.browser.get(link).status_code == 404
