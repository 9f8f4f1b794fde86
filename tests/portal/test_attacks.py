"""What somebody would try who means harm: each of these once worked."""

import contextlib
import io
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import literal, select

from bedside.adapters.sql.engine import Database
from bedside.dicom.apart import Apart
from bedside.domain.matching import match_of
from bedside.domain.person import Right
from bedside.domain.searchable import FIELDS
from bedside.errors import InputRejected, NotSignedIn
from bedside.people.tokens import Scope
from bedside.portal.access.caller import Caller, Means
from bedside.portal.people.own import make_token
from bedside.portal.shell.bodies import MOST_BYTES, STREAMED
from bedside.portal.shell.errors import without_words
from portal_accounts import PASSWORD, Clinic, clinic, post
from portal_serving import serving
from portal_site import CLINICIAN, SETTINGS, Site


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Clinic]:
    with clinic(tmp_path) as opened:
        yield opened


def test_nobody_fills_memory_or_disk_before_it_is_known_who_it_is(ward: Clinic) -> None:
    browser, long = ward.browser(), b"x" * (MOST_BYTES + 1)
    json = {"content-type": "application/json"}
    assert browser.post("/api/v1/me/tokens", content=long, headers=json).status_code == 413
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = browser.post("/sign-in", content=b"&".join([b"a=" + b"b" * 500_000] * 5), headers=form)
    assert answer.status_code == 413 and "text/html" in answer.headers["content-type"]
    assert browser.post("/sign-in", files={"file": ("a", io.BytesIO(long))}).status_code == 413
    told = ward.enter("ana", post("clinician", "default")).put(
        "/api/v1/me/profile", content=long, headers=json
    )
    assert told.status_code == 413 and str(MOST_BYTES) in told.json()["detail"]


def test_what_may_be_long_is_read_by_nobody_as_a_form(portal: Site) -> None:
    del portal.client.headers["X-CSRF-Token"]
    sent = {"csrf": (None, "csrf-of-tests"), "file": ("a", io.BytesIO(b"x" * 100))}
    for address in ("/dicomweb/default/studies", "/api/v1/tenants/default/results/1/corrections"):
        assert STREAMED.fullmatch(f"POST {address}")
        assert portal.asks(CLINICIAN).post(address, files=sent).status_code == 403


def test_a_search_with_many_stars_does_not_stop_the_portal(tmp_path: Path) -> None:
    match = match_of(next(field for field in FIELDS if field.keyword == "PatientName"), "*a" * 15 + "*b")
    assert match is not None
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    began = time.perf_counter()
    with database.read() as connection:
        for name, found in (("a" * 2000, 0), ("a" * 2000 + "b", 1)):
            query = select(literal(f"\n{name}\n").regexp_match(match.pattern))
            assert connection.execute(query).scalar_one() == found
    assert time.perf_counter() - began < 1
    database.close()


def test_nobody_is_believed_because_somebody_else_has_the_same_first_cookie(ward: Clinic) -> None:
    ward.account("ana", post("clinician", "default"))
    session = ward.sign_in("ana").cookies["bedside-session"]
    address, first = "/dicomweb/default/studies", ("Cookie", "language=en")
    # HTTP/2 sends each cookie in a header of its own, and not every proxy puts them together again.
    owner = ward.browser().get(address, headers=[first, ("Cookie", f"bedside-session={session}")])
    assert owner.status_code == 204
    assert ward.browser().get(address, headers=[first]).status_code == 401


def test_what_is_no_address_and_no_number_is_refused_and_no_failure_of_ours(ward: Clinic) -> None:
    away = ward.browser().get("/language/en", params={"next": "//["})
    assert (away.status_code, away.headers["location"]) == (303, "/")
    ana = ward.enter("ana", post("clinician", "default"))
    assert ana.post("/me/tokens", data={"token_name": "x", "days": "9" * 5000}).status_code == 422
    for name in ("Ana\r\nBcc: all@x.example", "Ana\x00", "Ana\u2028Eve"):
        assert ana.put("/api/v1/me/profile", json={"name": name}).status_code == 422, repr(name)


def test_spaces_before_an_address_let_nobody_send_it_more_mails(ward: Clinic) -> None:
    told = [
        ward.browser(f"10.1.{number}.1").post("/recover", data={"email": " " * number + "ana@ward.example"})
        for number in range(11)
    ]
    assert [answer.status_code for answer in told] == [200] * 10 + [429]


def test_nobody_fills_the_list_of_those_who_wait(tmp_path: Path) -> None:
    with clinic(tmp_path, SETTINGS.replace("[portal]", "[portal]\nsign_up = true")) as ward:
        told = []
        for number in range(11):
            form = {"name": "Eve", "password": PASSWORD, "again": PASSWORD, "email": f"e{number}@x.example"}
            told.append(ward.browser().post("/join", data=form).status_code)
        assert told == [303] * 10 + [429]


def test_a_token_with_the_password_is_no_second_factor(ward: Clinic) -> None:
    account = ward.account("ana", post("clinician", "default"))
    seconds = ward.deployment.seconds
    factor = seconds.begin(account)
    now = ward.deployment.clock.now()
    assert seconds.confirm(account, pyotp.TOTP(factor.secret).at(now)) is not None
    _, secret = ward.people.tokens.make(account, Scope(name="all"))
    another = "nine grey herons wading"
    form = {"current": PASSWORD, "password": another, "again": another}
    browser = ward.browser()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert browser.post("/me/password", data=form, headers=bearer).status_code == 403
    told = browser.put("/api/v1/me/password", json={"current": PASSWORD, "password": another}, headers=bearer)
    assert told.status_code == 403 and not browser.cookies
    kept = ward.people.accounts.account(account.id)
    assert kept is not None and kept.password == account.password


def test_a_token_that_was_revoked_at_this_moment_is_taken_for_no_session(ward: Clinic) -> None:
    account = ward.account("ana", post("clinician", "default"))
    token, _ = ward.people.tokens.make(account, Scope(name="figures", rights=(Right.READ,)))
    caller = Caller(
        person=account.person, name="Ana", means=Means.TOKEN, account=account.id, credential=token.id
    )
    ward.people.tokens.revoke(account.id, token.id)
    with pytest.raises(NotSignedIn):
        make_token(ward.app.state.here, caller, Scope(name="everything"))


def test_an_error_that_nobody_foresaw_is_logged_without_its_words(
    portal: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ValueError("DOE^JANE is no number")

    app = portal.client.app
    assert isinstance(app, FastAPI)
    app.get("/broken")(broken)
    server = logging.getLogger("uvicorn.error")
    server.addFilter(without_words)
    try:
        answer = portal.client.get("/broken")
        try:
            broken()
        except ValueError as error:
            server.error("Exception in ASGI application\n", exc_info=error)
    finally:
        server.removeFilter(without_words)
    assert answer.status_code == 500 and "JANE" not in answer.text
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Cache-Control"):
        assert answer.headers[name] == portal.client.get("/").headers[name]
    assert "ValueError" in caplog.text and "test_attacks.py:" in caplog.text and ":broken" in caplog.text
    assert "Exception in ASGI application (ValueError)" in caplog.text and "JANE" not in caplog.text


def test_an_image_that_says_it_is_enormous_does_not_take_the_machine_down() -> None:
    apart = Apart(1)
    try:
        with pytest.raises(InputRejected, match="takes more than"):
            apart.run(bytearray, 8 * 2**30)
        assert apart.run(len, b"abc") == 3, "the process goes on"
    finally:
        apart.close()


def test_the_ends_of_time_and_of_boundaries_are_refused(portal: Site) -> None:
    base = "/api/v1/tenants/default"
    assert portal.client.get("/t/default/jobs?since=9999-12-31&until=9999-12-31").status_code == 200
    for moment in ("since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00"):
        for address in ("judgements", "judgements/export", "quality"):
            assert portal.client.get(f"{base}/{address}?{moment}").status_code == 400, (moment, address)
    kind = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={"x" * 300}'}
    assert portal.client.post("/dicomweb/default/studies", content=b"--x", headers=kind).status_code == 400


def test_nobody_learns_by_the_time_of_the_next_answer_whether_a_mail_was_sent(ward: Clinic) -> None:
    ward.account("ana", post("clinician", "default"))
    sent = threading.Event()

    class Slow:
        def send(self, _mail: object) -> None:
            time.sleep(1.5)
            sent.set()

    ward.deployment.__dict__["mailer"] = Slow()
    with (
        serving(ward.app) as address,
        socket.create_connection(("127.0.0.1", urlsplit(address).port)) as line,
    ):
        body = "email=ana%40ward.example"
        line.sendall(
            f"POST /recover HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}GET /health HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        line.settimeout(5)
        answered = b""
        while piece := line.recv(65536):
            answered += piece
        assert not sent.is_set() and answered.count(b"HTTP/1.1 200") == 1
        assert sent.wait(5), "it is sent nevertheless"


def test_a_head_without_an_end_is_cut_off(ward: Clinic) -> None:
    form = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    begun = ("GET /health HTTP/1.1\r\nHost: x\r\nX: ", f"POST /sign-in HTTP/1.1\r\nHost: x\r\n{form}0\r\nX: ")
    with serving(ward.app) as address:
        for head in begun:
            sent = 0
            with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=5) as line:
                line.sendall(head.encode())
                with contextlib.suppress(OSError):
                    while sent < 2**26:
                        line.sendall(b"a" * 2**16)
                        sent += 2**16
            assert sent < 2**26, head
        long = {"email": "ana@ward.example", "password": "x" * 1_000_000}
        assert httpx.post(f"{address}/sign-in", data=long).status_code == 401
        parts = (b"a" * 100_000 for _ in range(15))
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert httpx.post(f"{address}/sign-in", content=parts, headers=kind).status_code == 400


def test_an_origin_that_is_no_address_is_another_site(ward: Clinic) -> None:
    answer = ward.browser().post("/sign-in", data={"email": "x"}, headers={"Origin": "http://["})
    assert answer.status_code == 403
