"""Administrators of people, by page and by script: who sees whom, who gives what, who stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bedside.domain.account import AccountState
from bedside.ports.audit import AuditFilter
from portal_accounts import ADMIN, PASSWORD, Clinic, clinic, post

SETTINGS = """
[system]
root = "data"
tenants = ["h.ct", "h.mr", "other"]

[portal]
listen = ""
url = "http://bedside.example"
"""
OTHER = "nine brown otters diving"  # pragma: allowlist secret


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Clinic]:
    with clinic(tmp_path, SETTINGS) as opened:
        yield opened


def token(ward: Clinic, browser: TestClient, **scope: object) -> TestClient:
    """Return a script with a token that somebody made for it."""
    made = browser.post("/api/v1/me/tokens", json={"name": "script", **scope})
    assert made.status_code == 201, made.text
    script = ward.browser()
    script.headers["Authorization"] = f"Bearer {made.json()['token']}"
    return script


def deeds(ward: Clinic) -> list[tuple[str, str, str]]:
    records = ward.deployment.records.audit.walk(AuditFilter())
    return [(r.deed.action, r.deed.tenant, r.deed.object) for r in records]


def test_an_administrator_of_a_node_sees_and_changes_its_people_only(ward: Clinic) -> None:
    ward.account("root", ADMIN)
    inside = ward.account("inside", post("viewer", "h.ct"))
    outside = ward.account("outside", post("viewer", "other"))
    head = ward.enter("head", post("admin", "h"))
    page = head.get("/admin/people").text
    assert "inside@ward.example" in page and "outside@" not in page and "root@" not in page
    assert head.get(f"/admin/people/{outside.id}").status_code == 404
    shown = head.get(f"/admin/people/{inside.id}").text
    assert '<option value="h.mr">' in shown and 'value="other"' not in shown and 'value=""' not in shown
    give = f"/admin/people/{inside.id}/give"
    assert head.post(give, data={"role": "clinician", "node": "h.mr"}).status_code == 303
    for node in ("", "other", "nowhere", "../x"):
        refused = head.post(give, data={"role": "admin", "node": node})
        assert refused.status_code == 422 and "You may not do that" in refused.text, node
    take = f"/admin/people/{inside.id}/take"
    assert head.post(take, data={"role": "viewer", "node": "h.ct"}).status_code == 303
    gone = head.post(take, data={"role": "clinician", "node": "h.mr"})
    assert gone.headers["location"] == "/admin/people?done=taken", "with the last role they are out of sight"
    assert [deed for deed in deeds(ward) if deed[0].startswith("role.")] == [
        ("role.given", "h.mr", inside.id),
        ("role.taken", "h.ct", inside.id),
        ("role.taken", "h.mr", inside.id),
    ]


def test_somebody_with_roles_elsewhere_is_not_disabled_by_a_node(ward: Clinic) -> None:
    both = ward.account("both", post("viewer", "h.ct"), post("viewer", "other"))
    head = ward.enter("head", post("admin", "h"))
    assert "beyond what you administer" in head.get(f"/admin/people/{both.id}").text
    assert head.post(f"/admin/people/{both.id}/disable").status_code == 422
    assert head.post(f"/admin/people/{both.id}/reset").status_code == 403
    root = ward.enter("root", ADMIN)
    assert root.post(f"/admin/people/{both.id}/disable").status_code == 303
    found = ward.people.accounts.account(both.id)
    assert found is not None and found.state is AccountState.DISABLED
    assert root.post(f"/admin/people/{both.id}/enable").status_code == 303


def test_nobody_takes_the_last_administrator_of_everything_away(ward: Clinic) -> None:
    root = ward.enter("root", ADMIN)
    ward.account("head", post("admin", "h"))
    mine = ward.people.accounts.by_email("root@ward.example")
    assert mine is not None
    for path, form in (("take", {"role": "admin", "node": ""}), ("disable", {})):
        answer = root.post(f"/admin/people/{mine.id}/{path}", data=form)
        assert answer.status_code == 422 and "last administrator" in answer.text
    script = token(ward, root)
    assert script.post(f"/api/v1/people/{mine.id}/disable").status_code == 400
    assert ward.people.accounts.has_root_admin()


@pytest.mark.parametrize("role", ["viewer", "clinician", "engineer"])
def test_nobody_else_gets_to_these_pages(ward: Clinic, role: str) -> None:
    account = ward.account("other", post("viewer", "h.ct"))
    browser = ward.enter("x", post(role, "h"))
    for path in ("/admin/people", "/admin/people/invite", f"/admin/people/{account.id}", "/api/v1/people"):
        assert browser.get(path).status_code == 403, path
    for path in ("give", "take", "disable", "enable", "approve", "reset"):
        form = {"role": "admin", "node": ""}
        assert browser.post(f"/admin/people/{account.id}/{path}", data=form).status_code == 403, path
    assert "/admin/people" not in browser.get("/").text


def test_a_link_for_a_new_password_is_made_for_whoever_cannot_get_mail(ward: Clinic) -> None:
    bo = ward.account("bo", post("viewer", "h.ct"))
    head = ward.enter("head", post("admin", "h"))
    page = head.post(f"/admin/people/{bo.id}/reset").text
    assert "http://bedside.example/recover/" in page and "by a way that nobody else reads" in page
    path = page.partition("http://bedside.example")[2].partition("<")[0].strip()
    answer = ward.browser().post(path, data={"password": OTHER, "again": OTHER})
    assert answer.status_code == 303
    ward.sign_in("bo", OTHER)


def test_lists_are_searched_and_turned(ward: Clinic) -> None:
    for number in range(53):
        ward.account(f"n{number:02}", post("viewer", "h.ct"))
    head = ward.enter("head", post("admin", "h"))
    first, second = head.get("/admin/people").text, head.get("/admin/people?page=2").text
    assert "Page 1 of 2" in first and "n00@" not in second and "n49@" in second and "Accounts: 54" in first
    found = head.get("/admin/people", params={"search": "N07", "state": "active"}).text
    assert "n07@" in found and "n08@" not in found
    assert "Nobody fits" in head.get("/admin/people?search=%25").text
    assert head.get("/admin/people?page=-5&state=x").status_code == 200


# Scripts


def test_a_script_does_what_the_pages_do(ward: Clinic) -> None:
    script = token(ward, ward.enter("root", ADMIN))
    new = {"email": "new@ward.example", "posts": [{"role": "clinician", "node": "h/ct"}]}
    made = script.post("/api/v1/people/invitations", json=new)
    assert made.status_code == 201 and made.json()["link"].startswith("http://bedside.example/join/")
    assert [each["email"] for each in script.get("/api/v1/people/invitations").json()] == ["new@ward.example"]
    path = made.json()["link"].removeprefix("http://bedside.example")
    ward.browser().post(path, data={"name": "New", "password": PASSWORD, "again": PASSWORD})
    listed = script.get("/api/v1/people", params={"search": "new"}).json()
    assert listed["total"] == 1
    one = listed["accounts"][0]
    assert one["posts"] == [{"role": "clinician", "node": "h/ct"}] and "password" not in one
    base = f"/api/v1/people/{one['id']}"
    given = script.post(f"{base}/posts", json={"role": "engineer", "node": ""})
    assert {"role": "engineer", "node": ""} in given.json()["posts"]
    left = script.delete(f"{base}/posts", params={"role": "clinician", "node": "h/ct"})
    assert left.json()["posts"] == [{"role": "engineer", "node": ""}]
    assert script.post(f"{base}/disable").json()["state"] == "disabled"
    assert script.post(f"{base}/enable").json()["state"] == "active"
    assert "/recover/" in script.post(f"{base}/reset").json()["link"]
    assert script.get(base).json()["state"] == "active"
    for wrong in ({"role": "king"}, {"role": "viewer", "node": "nowhere"}, {"role": "viewer", "more": 1}):
        assert script.post(f"{base}/posts", json=wrong).status_code in (400, 422)
    link = script.post("/api/v1/people/invitations", json=new | {"email": "z@w.example"}).json()["id"]
    assert script.delete(f"/api/v1/people/invitations/{link}").status_code == 204
    assert script.delete(f"/api/v1/people/invitations/{link}").status_code == 404


def test_somebody_who_asked_is_let_in_by_a_script(ward: Clinic) -> None:
    waiting = ward.account("new", state=AccountState.WAITING, wish="h.ct")
    script = token(ward, ward.enter("head", post("admin", "h")))
    (found,) = script.get("/api/v1/people?state=waiting").json()["accounts"]
    assert found["id"] == waiting.id and found["wish"] == "h/ct"
    approval = {"posts": [{"role": "viewer", "node": "other"}]}
    assert script.post(f"/api/v1/people/{waiting.id}/approve", json=approval).status_code == 403
    approval = {"posts": [{"role": "viewer", "node": "h/ct"}]}
    assert script.post(f"/api/v1/people/{waiting.id}/approve", json=approval).json()["state"] == "active"
    assert script.post(f"/api/v1/people/{waiting.id}/approve", json=approval).status_code == 400
    ward.sign_in("new")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(ward: Clinic) -> None:
    browser = ward.enter("bo", post("clinician", "h.ct"))
    page = browser.post("/me/tokens", data={"token_name": "nightly", "days": "30", "rights": ["read"]}).text
    secret = page.partition('id="secret">')[2].partition("<")[0]
    assert secret.startswith("bsd_") and secret not in browser.get("/me").text and "nightly" in page
    script = ward.browser()
    script.headers["Authorization"] = f"Bearer {secret}"
    me = script.get("/api/v1/me").json()
    assert me["rights"] == {"read": ["h/ct"]} and me["email"] == "bo@ward.example"
    (listed,) = script.get("/api/v1/me/tokens").json()
    assert listed["rights"] == ["read"] and "token" not in listed and listed["used_at"]
    assert browser.post(f"/me/tokens/{listed['id']}/revoke").status_code == 303
    answer = script.get("/api/v1/me")
    assert answer.status_code == 401 and secret not in answer.text
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_narrow_token_is_kept_from_the_account_itself(ward: Clinic) -> None:
    browser = ward.enter("root", ADMIN, post("clinician", "h.ct"))
    narrow = token(ward, browser, rights=["read"], nodes=["h/ct"])
    assert narrow.get("/api/v1/people").status_code == 403
    for method, path, body in (
        ("PUT", "profile", {"name": "X"}),
        ("PUT", "email", {"current": PASSWORD, "email": "x@y.example"}),
        ("PUT", "password", {"current": PASSWORD, "password": OTHER}),
        ("POST", "tokens", {"name": "wider", "rights": ["administer"]}),
    ):
        answer = narrow.request(method, f"/api/v1/me/{path}", json=body)
        assert answer.status_code == 403, path
    session = browser.get("/api/v1/me/sessions").json()[0]["id"]
    assert narrow.delete(f"/api/v1/me/sessions/{session}").status_code == 403
    (own,) = narrow.get("/api/v1/me/tokens").json()
    assert narrow.delete(f"/api/v1/me/tokens/{own['id']}").status_code == 204, "it may end itself"
    assert narrow.get("/api/v1/me").status_code == 401


def test_a_whole_token_may_change_the_account_with_the_password(ward: Clinic) -> None:
    browser = ward.enter("bo", post("clinician", "h.ct"))
    script = token(ward, browser)
    assert script.put("/api/v1/me/profile", json={"name": "Bo N.", "language": "es"}).json()["profile"] == {
        "name": "Bo N.",
        "department": "",
        "organisation": "",
        "profession": "",
        "phone": "",
        "language": "es",
    }
    wrong = script.put("/api/v1/me/password", json={"current": OTHER, "password": OTHER})
    assert wrong.status_code == 403
    weak = script.put("/api/v1/me/password", json={"current": PASSWORD, "password": "short"})
    assert weak.status_code == 400 and "short" in weak.json()["detail"]
    assert script.put("/api/v1/me/password", json={"current": PASSWORD, "password": OTHER}).status_code == 204
    assert browser.get("/api/v1/me").status_code == 401, "sessions ended"
    (one,) = script.get("/api/v1/me/tokens").json()
    assert one["name"] == "script"
    ward.sign_in("bo", OTHER)


def test_a_browser_changes_nothing_by_the_api_without_its_forgery_token(ward: Clinic) -> None:
    browser = ward.enter("root", ADMIN)
    del browser.headers["X-CSRF-Token"]
    assert browser.post("/api/v1/me/tokens", json={"name": "x"}).status_code == 403
    assert browser.get("/api/v1/people").status_code == 200
