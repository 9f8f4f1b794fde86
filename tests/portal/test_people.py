"""People at the portal's door: the first link, signing in and out, invitations, recovery, one's own page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.domain.account import AccountState, LinkKind, Profile
from bedside.ports.audit import AuditFilter
from bedside.ports.mail import PersonalMail
from portal_accounts import ADMIN, PASSWORD, Clinic, clinic, post, with_csrf
from portal_site import SETTINGS

OTHER = "nine brown otters diving"  # pragma: allowlist secret


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Clinic]:
    with clinic(tmp_path) as opened:
        yield opened


class Postbox:
    """Keeps mails instead of sending them."""

    def __init__(self) -> None:
        self.mails: list[PersonalMail] = []

    def send(self, mail: PersonalMail) -> None:
        self.mails.append(mail)


def with_mail(ward: Clinic) -> Postbox:
    box = Postbox()
    ward.deployment.__dict__["mailer"] = box
    return box


def deeds(ward: Clinic) -> list[str]:
    return [r.deed.action for r in ward.deployment.records.audit.walk(AuditFilter())]


def link_in(text: str, kind: str) -> str:
    found = re.search(rf"/{kind}/[\w-]{{43}}", text)
    assert found, text
    return found[0]


# The first administrator


def test_the_first_link_makes_an_administrator_once(ward: Clinic) -> None:
    stale = ward.people.invitations.first()
    secret = ward.people.invitations.first()
    browser = ward.browser()
    assert "Nobody has an account yet" in browser.get("/sign-in").text
    gone = browser.get(f"/first/{stale}", headers={"Accept-Language": "es"})
    assert gone.status_code == 404 and "Este enlace ya no funciona" in gone.text, "each start makes another"
    assert 'autocomplete="new-password"' in browser.get(f"/first/{secret}").text
    form = {"name": "Ana", "email": "Ana@Ward.example", "password": PASSWORD, "again": PASSWORD}
    answer = browser.post(f"/first/{secret}", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    account = ward.people.accounts.by_email("ana@ward.example")
    assert account is not None and account.posts == (ADMIN,)
    assert browser.get("/me").status_code == 200
    for again in (browser.get(f"/first/{secret}"), browser.post(f"/first/{secret}", data=form)):
        assert again.status_code == 404
    assert ward.people.invitations.first() is None
    assert deeds(ward) == ["account.made", "session.begun"]


def test_the_first_administrator_may_work_with_studies_too(ward: Clinic) -> None:
    secret = ward.people.invitations.first()
    form = {"name": "Ana", "email": "a@b.example", "password": PASSWORD, "again": PASSWORD, "also": "true"}
    ward.browser().post(f"/first/{secret}", data=form)
    account = ward.people.accounts.by_email("a@b.example")
    assert account is not None and {p.role.value for p in account.posts} == {"admin", "clinician", "engineer"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "how you want to be called"),
        ({"email": "nobody"}, "no e-mail address"),
        ({"password": "tiny pw", "again": "tiny pw"}, "too short"),  # pragma: allowlist secret
        (
            {"password": "passwordpassword1", "again": "passwordpassword1"},  # pragma: allowlist secret
            "guessed first",
        ),
        (
            {"password": "ana@ward.example", "again": "ana@ward.example"},  # pragma: allowlist secret
            "your name or address",
        ),
        ({"again": OTHER}, "not the same"),
    ],
)
def test_what_is_wrong_stands_next_to_its_field(ward: Clinic, wrong: dict[str, str], said: str) -> None:
    secret = ward.people.invitations.first()
    form = {"name": "Ana", "email": "ana@ward.example", "password": PASSWORD, "again": PASSWORD} | wrong
    answer = ward.browser().post(f"/first/{secret}", data=form)
    assert answer.status_code == 422
    field = next(iter(wrong)) if "not the same" not in said else "again"
    marked = re.search(
        rf'<input id="{field}"[^>]*aria-invalid="true"[^>]*aria-describedby="{field}-error', answer.text
    )
    assert marked and re.search(rf'id="{field}-error">[^<]*{said}', answer.text), answer.text
    assert not ward.people.accounts.has_root_admin() and form["password"] not in answer.text.replace(
        form["email"], ""
    )


# Signing in and out


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(ward: Clinic) -> None:
    ward.account("bo", post("clinician", "default"))
    browser = ward.browser()
    answer = browser.post(
        "/sign-in", data={"email": " Bo@ward.example", "password": PASSWORD, "next": "/t/default/jobs"}
    )
    assert answer.headers["location"] == "/t/default/jobs"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    secret = browser.cookies["bedside-session"]
    assert len(secret) == 43 and secret not in browser.get("/me").text
    kept = ward.people.accounts.by_email("bo@ward.example")
    assert kept is not None and kept.seen_at is not None
    assert secret not in str(ward.people.accounts.sessions(kept.id))


def test_behind_https_the_cookie_is_this_hosts_alone(tmp_path: Path) -> None:
    with clinic(tmp_path, SETTINGS + 'url = "https://bedside.example"\n') as ward:
        ward.account("bo")
        answer = ward.browser().post("/sign-in", data={"email": "bo@ward.example", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-bedside-session=") and "Secure" in cookie and "Domain" not in cookie


def test_nobody_learns_which_addresses_have_accounts(ward: Clinic) -> None:
    ward.account("bo")
    ward.account("off", state=AccountState.DISABLED)
    ward.account("new", state=AccountState.WAITING)
    browser = ward.browser()
    answers = [
        browser.post("/sign-in", data={"email": f"{name}@ward.example", "password": given})
        for name, given in (("bo", OTHER), ("off", PASSWORD), ("new", PASSWORD), ("none", OTHER))
    ]
    assert {answer.status_code for answer in answers} == {401}
    texts = {re.sub(r"\w+@ward.example", "", answer.text) for answer in answers}
    assert len(texts) == 1 and "do not go together" in texts.pop()
    assert not browser.cookies and deeds(ward) == ["session.refused"] * 4


@pytest.mark.parametrize(
    "onward", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil", "x"]
)
def test_signing_in_leads_nowhere_else(ward: Clinic, onward: str) -> None:
    ward.account("bo")
    answer = ward.browser().post(
        "/sign-in", data={"email": "bo@ward.example", "password": PASSWORD, "next": onward}
    )
    assert answer.headers["location"] == "/"


def test_signing_in_leads_back_with_what_was_asked(ward: Clinic) -> None:
    ward.account("ana", ADMIN)
    browser = ward.browser()
    onward = "/admin/people?state=waiting&search=b%20c"
    page = browser.get(browser.get(onward).headers["location"])
    assert f'value="{onward.replace("&", "&amp;")}"' in page.text
    form = {"email": "ana@ward.example", "password": PASSWORD, "next": onward}
    assert browser.post("/sign-in", data=form).headers["location"] == onward
    assert browser.get("/language/es", params={"next": onward}).headers["location"] == onward


def test_who_tries_too_often_waits(ward: Clinic) -> None:
    ward.account("bo")
    wrong = {"email": "bo@ward.example", "password": OTHER}
    for number in range(10):
        assert ward.browser(f"10.2.{number}.1").post("/sign-in", data=wrong).status_code == 401
    answer = ward.browser("10.3.1.1").post("/sign-in", data=wrong | {"password": PASSWORD})
    assert answer.status_code == 429 and 0 < int(answer.headers["retry-after"]) <= 900
    assert "Too many tries" in answer.text
    for number in range(30):
        other = {"email": f"n{number}@ward.example", "password": OTHER}
        assert ward.browser("10.4.1.1").post("/sign-in", data=other).status_code == 401
    assert ward.browser("10.4.1.1").post("/sign-in", data=wrong | {"email": "x@y.example"}).status_code == 429
    assert ward.browser("10.4.1.2").post("/sign-in", data=wrong | {"email": "x@y.example"}).status_code == 401


def test_a_whole_hospital_behind_one_address_begins_its_day(ward: Clinic) -> None:
    for number in range(40):
        ward.account(f"n{number}")
        answer = ward.browser("10.5.1.1").post(
            "/sign-in", data={"email": f"n{number}@ward.example", "password": PASSWORD}
        )
        assert answer.status_code == 303, number


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_signs_nobody_in(ward: Clinic, headers: dict[str, str]) -> None:
    ward.account("bo")
    form = {"email": "bo@ward.example", "password": PASSWORD}
    assert ward.browser().post("/sign-in", data=form, headers=headers).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}
    assert ward.browser().post("/sign-in", data=form, headers=own).status_code == 303


def test_signing_in_again_ends_the_session_before(ward: Clinic) -> None:
    browser = ward.enter("bo")
    first = browser.cookies["bedside-session"]
    browser.post("/sign-in", data={"email": "bo@ward.example", "password": PASSWORD})
    assert browser.cookies["bedside-session"] != first
    old = ward.browser()
    old.cookies.set("bedside-session", first)
    assert old.get("/me").status_code == 303


def test_signing_out_ends_the_session_and_not_only_the_cookie(ward: Clinic) -> None:
    browser = ward.enter("bo")
    secret = browser.cookies["bedside-session"]
    answer = browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in?done=out" and "bedside-session" not in browser.cookies
    browser.cookies.set("bedside-session", secret)
    assert browser.get("/me").headers["location"].startswith("/sign-in")
    assert deeds(ward)[-1] == "session.ended"


def test_a_change_needs_the_token_of_its_session(ward: Clinic) -> None:
    browser, other = ward.enter("bo"), ward.enter("cy")
    theirs = other.headers["X-CSRF-Token"]
    for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": theirs}):
        assert browser.post("/me", data={"name": "X"}, headers=headers).status_code == 403
    assert browser.post("/me", data={"name": "X"}).status_code == 303


# Invitations


def test_an_invitation_lets_somebody_in_with_its_roles(ward: Clinic) -> None:
    box = with_mail(ward)
    admin = ward.enter("ana", ADMIN)
    form = {"email": "new@ward.example", "role": ["clinician", "viewer"], "node": "default"}
    page = admin.post("/admin/people/invite", data=form)
    path = link_in(page.text, "join")
    assert [mail.to for mail in box.mails] == ["new@ward.example"] and path in box.mails[0].text
    assert "new@ward.example" in admin.get("/admin/people").text
    guest = ward.browser()
    assert "new@ward.example" in guest.get(path).text
    form = {"name": "Nia", "department": "CT", "password": PASSWORD, "again": PASSWORD}
    assert guest.post(path, data=form | {"email": "evil@ward.example"}).headers["location"] == "/"
    made = ward.people.accounts.by_email("new@ward.example")
    assert made is not None and made.profile == Profile(name="Nia", department="CT")
    assert set(made.posts) == {post("clinician", "default"), post("viewer", "default")}
    assert guest.get("/").status_code == 200 and ward.browser().get(path).status_code == 404
    assert "invitation.made" in deeds(ward)


def test_an_invitation_ends_when_its_maker_may_not_invite_any_more(ward: Clinic) -> None:
    sub = ward.account("sub", post("admin", "default"))
    ward.account("ana", ADMIN)
    admin = ward.sign_in("sub")
    page = admin.post(
        "/admin/people/invite", data={"email": "n@w.example", "role": "viewer", "node": "default"}
    )
    path = link_in(page.text, "join")
    assert ward.browser().get(path).status_code == 200
    ward.people.accounts.save(sub.taken(post("admin", "default")))
    assert ward.browser().get(path).status_code == 404


def test_an_invitation_can_be_taken_back(ward: Clinic) -> None:
    admin = ward.enter("ana", ADMIN)
    page = admin.post("/admin/people/invite", data={"email": "n@w.example", "role": "viewer", "node": ""})
    path = link_in(page.text, "join")
    link = ward.people.accounts.links(LinkKind.INVITATION)[0]
    assert admin.post(f"/admin/people/invitations/{link.id}/withdraw").status_code == 303
    assert ward.browser().get(path).status_code == 404


def test_who_has_an_account_accepts_an_invitation_with_it(ward: Clinic) -> None:
    admin = ward.enter("ana", ADMIN)
    ward.account("bo", post("viewer", "ward-3"))
    form = {"email": "bo@ward.example", "role": "clinician", "node": "default"}
    path = link_in(admin.post("/admin/people/invite", data=form).text, "join")
    guest = ward.browser()
    assert f"next={path.replace('/', '%2F')}" in guest.get(path).text.replace("next=/", "next=%2F").replace(
        "join/", "join%2F"
    )
    assert guest.post(path, data={"name": "X", "password": PASSWORD, "again": PASSWORD}).status_code == 400
    assert "is for bo@ward.example" in admin.get(path).text
    assert admin.post(f"{path}/accept").status_code == 404
    bo = ward.sign_in("bo")
    assert "Accept" in bo.get(path).text and bo.post(f"{path}/accept").status_code == 303
    account = ward.people.accounts.by_email("bo@ward.example")
    assert account is not None and set(account.posts) == {
        post("viewer", "ward-3"),
        post("clinician", "default"),
    }
    assert bo.post(f"{path}/accept").status_code == 404


# Asking by oneself


def test_nobody_asks_for_an_account_unless_the_settings_say_so(ward: Clinic) -> None:
    assert ward.browser().get("/join").status_code == 404
    assert ward.browser().post("/join", data={"name": "X"}).status_code == 404


def test_who_asks_waits_until_somebody_looks(tmp_path: Path) -> None:
    with clinic(tmp_path, SETTINGS + "sign_up = true\n") as ward:
        box = with_mail(ward)
        admin = ward.enter("ana", ADMIN)
        assert "/join" in ward.browser().get("/sign-in").text
        form = {
            "name": "Nia",
            "email": "n@w.example",
            "password": PASSWORD,
            "again": PASSWORD,
            "at": "default",
        }
        first = ward.browser().post("/join", data=form)
        again = ward.browser().post("/join", data=form)
        assert first.headers["location"] == again.headers["location"] == "/sign-in?done=asked"
        assert [mail.to for mail in box.mails] == ["ana@ward.example", "n@w.example"], "only its owner learns"
        answer = ward.browser().post("/sign-in", data={"email": "n@w.example", "password": PASSWORD})
        assert answer.status_code == 401
        assert "Asking for an account: 1" in admin.get("/admin/people").text
        asked = ward.people.accounts.by_email("n@w.example")
        assert asked is not None and asked.wish == "default"
        page = admin.get(f"/admin/people/{asked.id}").text
        assert '<option value="default" selected>' in page
        approve = {"role": ["viewer"], "node": "default"}
        assert admin.post(f"/admin/people/{asked.id}/approve", data=approve).status_code == 303
        assert box.mails[-1].to == "n@w.example"
        answer = ward.browser().post("/sign-in", data={"email": "n@w.example", "password": PASSWORD})
        assert answer.status_code == 303


# Forgotten passwords


def test_a_forgotten_password_is_replaced_by_a_link(ward: Clinic) -> None:
    box = with_mail(ward)
    ward.account("bo", language="es")
    signed_in = ward.sign_in("bo")
    known = ward.browser().post("/recover", data={"email": "bo@ward.example"})
    unknown = ward.browser().post("/recover", data={"email": "none@ward.example"})
    assert known.text == unknown.text and "If this address has an account" in known.text
    assert len(box.mails) == 1 and "contraseña" in box.mails[0].text
    path = link_in(box.mails[0].text, "recover")
    assert box.mails[0].text.count("http://") == 1
    browser = ward.browser()
    assert "bo@ward.example" in browser.get(path).text
    weak = {"password": "short", "again": "short"}  # pragma: allowlist secret
    assert browser.post(path, data=weak).status_code == 422
    answer = browser.post(path, data={"password": OTHER, "again": OTHER})
    assert answer.headers["location"] == "/sign-in?done=password"
    assert signed_in.get("/me").status_code == 303, "all sessions ended"
    assert browser.get(path).status_code == 404
    ward.sign_in("bo", OTHER)


def test_without_a_mail_server_the_page_says_who_can_help(ward: Clinic) -> None:
    text = ward.browser().get("/recover").text
    assert "An administrator can give you a link" in text and "bedside people reset" in text
    assert "<form" not in text.split("<main")[1]


# One's own page


def test_a_profile_is_kept_and_its_language_spoken(ward: Clinic) -> None:
    browser = ward.enter("bo")
    form = {"name": "Bo Núñez", "department": "CT", "organisation": "H", "profession": "MD", "phone": "1"}
    assert browser.post("/me", data=form | {"language": "es"}).status_code == 303
    page = browser.get("/me?done=profile").text
    assert 'lang="es"' in page and "Bo Núñez" in page and "Guardado" in page
    bad = browser.post("/me", data=form | {"name": "", "phone": "1\x07"})
    assert bad.status_code == 422 and 'id="phone-error"' in bad.text


def test_another_password_ends_all_other_sessions(ward: Clinic) -> None:
    browser, elsewhere = ward.enter("bo"), ward.sign_in("bo")
    wrong = browser.post("/me/password", data={"current": OTHER, "password": OTHER, "again": OTHER})
    assert wrong.status_code == 422 and "not your current password" in wrong.text
    before = browser.cookies["bedside-session"]
    answer = browser.post("/me/password", data={"current": PASSWORD, "password": OTHER, "again": OTHER})
    assert answer.status_code == 303 and browser.cookies["bedside-session"] != before
    assert browser.get("/me").status_code == 200 and elsewhere.get("/me").status_code == 303
    ward.sign_in("bo", OTHER)


def test_another_address_needs_the_password_and_tells_the_old_one(ward: Clinic) -> None:
    box = with_mail(ward)
    ward.account("cy")
    browser = ward.enter("bo")
    assert browser.post("/me/email", data={"email": "b@w.example", "current": OTHER}).status_code == 422
    taken = browser.post("/me/email", data={"email": "cy@ward.example", "current": PASSWORD})
    assert "Another account has this address" in taken.text
    assert browser.post("/me/email", data={"email": "b@w.example", "current": PASSWORD}).status_code == 303
    assert [mail.to for mail in box.mails] == ["bo@ward.example"]
    answer = ward.browser().post("/sign-in", data={"email": "b@w.example", "password": PASSWORD})
    assert answer.status_code == 303


def test_sessions_are_listed_and_ended(ward: Clinic) -> None:
    browser, elsewhere, third = ward.enter("bo"), ward.sign_in("bo"), ward.sign_in("bo")
    stranger = ward.enter("cy")
    account = ward.people.accounts.by_email("bo@ward.example")
    assert account is not None
    listed = re.findall(r"/me/sessions/(\w{16})/end", browser.get("/me").text)
    assert len(listed) == 2, "this one is not offered"
    assert stranger.post(f"/me/sessions/{listed[0]}/end").status_code == 404
    assert browser.post(f"/me/sessions/{listed[0]}/end").status_code == 303
    assert sorted([elsewhere.get("/me").status_code, third.get("/me").status_code]) == [200, 303]
    browser.post("/me/sessions/others/end")
    assert {elsewhere.get("/me").status_code, third.get("/me").status_code} == {303}
    assert browser.get("/me").status_code == 200


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_is_made_in_every_language(tmp_path: Path, language: str) -> None:
    with clinic(tmp_path, SETTINGS + "sign_up = true\n") as ward:
        first = ward.people.invitations.first()
        admin = ward.account("ana", ADMIN, language=language)
        waiting = ward.account("new", state=AccountState.WAITING, wish="default")
        browser = ward.sign_in("ana")
        _, path = ward.people.invitations.invite("x@y.example", [ADMIN], by=None)
        recovery = ward.people.recovery.make(admin)
        guest = ward.browser()
        guest.cookies.set("language", language)
        assert guest.get(f"/first/{first}").status_code == 404, "there is an administrator"
        for page in ("/sign-in", "/join", f"/join/{path}", "/recover", f"/recover/{recovery}"):
            answer = guest.get(page)
            assert answer.status_code == 200 and f'<html lang="{language}"' in answer.text, page
            assert "people." not in re.sub(r"people\.css", "", answer.text), page
        pages = ["/me", "/admin/people", "/admin/people/invite", f"/admin/people/{admin.id}"]
        for page in (*pages, f"/admin/people/{waiting.id}"):
            answer = browser.get(page)
            assert answer.status_code == 200 and f'<html lang="{language}"' in answer.text, page
            assert "people." not in re.sub(r"people\.css", "", answer.text), page
        other = ward.account("bo")
        assert with_csrf(browser).post(f"/admin/people/{other.id}/reset").status_code == 200
