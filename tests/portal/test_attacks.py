"""What somebody would try who means harm: each of these once worked."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import literal, select

from bedside.adapters.sql.engine import Database
from bedside.domain.matching import match_of
from bedside.domain.searchable import FIELDS
from bedside.portal.shell.bodies import MOST_BYTES, STREAMED
from portal_accounts import Clinic, clinic, post
from portal_site import CLINICIAN, Site


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
