"""Spanish is spoken everywhere: no page says a word of English that is not marked as English.

What is English by its nature (the words of an error, a reason kept before reasons were values) stands under a
heading that says so, with `lang="en"`, so that it is read aloud as English.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bedside.domain.arrival import Entry, EntryState
from bedside.domain.job import Failure, JobState
from bedside.errors import BY_NAME, ErrorCode
from bedside.operate.replay import Change
from bedside.portal.shell.telling import STATUS, said, shown
from bedside.portal.shell.words import LANGUAGES, Words, catalogue
from bedside.ports import JobFilter
from ledger_samples import make_decision
from operate_samples import FAILED, Busy, work_on
from portal_accounts import Clinic, post
from portal_filled import filled, pages
from portal_results import TENANT, Made
from portal_site import ENGINEER, SETTINGS, Site, person, site
from portal_spoken import ENGLISH, english
from portal_spoken import said as spoken

#: What people wrote, and names that they gave; nobody translates those.
THEIRS = re.compile(r"The upper pole is cut off\.|better on thin slices")
RULES = '[[rule]]\nname = "x"\npipeline = "spleen"\nwhen = "Modality == \'MR\' or PatientID == \'1\'"\n'


@dataclass
class Day:
    """A portal after a day's work, and a browser of somebody who may all."""

    clinic: Clinic
    browser: TestClient
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def day(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with filled(made_result, tmp_path_factory.mktemp("language")) as clinic:
        people, ledger = clinic.people, clinic.deployment.ledger
        busy = work_on(clinic.deployment)
        now = clinic.deployment.clock.now()
        for name in ("OutOfMemory", "Unavailable", "ConfigError", "NotFound"):
            busy.fail(TENANT, now, replace(FAILED, error=name))
        busy.fail(TENANT, now, Failure(error="InputRejected", message="the header is odd", hint="look at it"))
        lease = busy.work(TENANT, now)
        ledger.fail(lease, FAILED, now=now, retry_at=now)
        arrival = ledger.arrival(TENANT, made_result.arrival_id)
        old = replace(make_decision(arrival, "old", matched=False), because=None, reason="it was so then")
        ledger.add_decisions([old, make_decision(arrival, "new", matched=False)])
        for number, why in enumerate(("ZIP: this is none", "the archive is odd", "2 of 9 files left aside")):
            ledger.put_entry(
                Entry(
                    tenant=TENANT,
                    id=f"{number:016x}",
                    key="input/x",
                    fingerprint="x",
                    state=EntryState.REJECTED,
                    arrivals=(),
                    reason=why,
                    seen_at=now,
                )
            )
        _, invitation = people.invitations.invite("new@ward.example", [post("viewer", TENANT)], by=None)
        lin = people.accounts.by_email("lin@ward.example")
        assert lin is not None
        browser = clinic.sign_in("rao")
        browser.cookies.set("language", "es")
        addresses = dict(pages(made_result, account=lin.id, invitation=invitation))
        yield Day(clinic=clinic, browser=browser, addresses=addresses)


def must_be_spanish(html: str, where: str) -> None:
    assert 'lang="es"' in html or "<html" not in html, where
    found = [text for text in english(html) if not THEIRS.search(text)]
    assert not found, f"{where}: " + " | ".join(found)


def test_the_check_itself_finds_english_and_nothing_in_spanish(day: Day) -> None:
    day.browser.cookies.set("language", "en")
    try:
        page = day.browser.get(f"/t/{TENANT}/studies").text
    finally:
        day.browser.cookies.set("language", "es")
    assert len(english(page)) > 3
    assert english('<html lang="es"><p>así fue</p><p>it was so</p></html>') == ["it was so"]
    marked = '<html lang="es"><p lang="en">it was so</p><code>this is</code><b title="the end">x</b></html>'
    assert english(marked) == ["the end"]
    assert spoken("<p>uno <b>dos</b></p>") == ["uno", "dos"]
    bare = [re.sub(r"\{\w+\}", "x", texts["es"]) for texts in catalogue().values()]
    assert not [text for text in bare if ENGLISH.search(text)], (
        "the check would find these, which are Spanish"
    )


def test_every_page_speaks_spanish(day: Day) -> None:
    for path, address in day.addresses.items():
        answer = day.browser.get(address)
        if answer.status_code == 200:  # some lead on: who is signed in has no page for it
            must_be_spanish(answer.text, path)


def test_every_job_and_what_became_of_it_is_told_in_spanish(day: Day) -> None:
    ledger = day.clinic.deployment.ledger
    jobs = ledger.jobs(TENANT, JobFilter(), limit=100)
    assert {job.state for job in jobs} >= {
        JobState.DEAD,
        JobState.REJECTED,
        JobState.RUNNING,
        JobState.QUEUED,
    }
    for job in jobs:
        page = day.browser.get(f"/t/{TENANT}/jobs/{job.id}").text
        must_be_spanish(page, f"job {job.state} {job.failure}")
        if job.state is JobState.DEAD and job.failure is not None:
            words = Words("es")
            assert words(f"follow.error_{job.failure.error}") in page
            assert words(f"follow.error_{job.failure.error}_do") in page  # for an engineer, who looks
            assert f'<p lang="en">{job.failure.message}</p>' in page
            assert "Detalle técnico (en inglés)" in page
        must_be_spanish(day.browser.get(f"/t/{TENANT}/studies/{job.arrival_id}").text, "study")


def test_rules_are_tried_and_replayed_in_spanish(day: Day, made_result: Made) -> None:
    browser = day.browser
    study = f"{TENANT}:{made_result.arrival_id}"
    for tried in ({"study": study}, {"attributes": "Modality = CT\nPatientID = 1"}, {"attributes": "x"}):
        page = browser.post("/operate/rules/test", data={"rules": RULES, **tried}, files={"file": b""}).text
        must_be_spanish(page, str(tried))
    assert "KEYWORD = VALUE" in page and 'lang="en"' in page  # said by the last one, and marked
    begun = browser.post("/operate/rules/replays", data={"rules": RULES, "limit": "100"})
    address = begun.headers["location"]
    for _ in range(500):
        page = browser.get(address).text
        if 'hx-trigger="every' not in page:
            break
    must_be_spanish(page, "replay")
    # Studies whose files were never there cannot be read, and the line says why.
    assert catalogue()[f"operate.change_{Change.UNREAD}"]["es"] in page
    assert Words("es")("operate.unread_NotFound") in page


def test_forms_that_are_refused_and_pages_that_are_not_there_speak_spanish(day: Day) -> None:
    browser = day.browser
    posts = [
        ("/operate/rules/replays", {"rules": "[[rule]]\nname = 'x'\npipeline = 'heart'\n"}),
        ("/operate/rules/replays", {"rules": RULES, "days": "soon"}),
        ("/operate/releases/change", {"act": "promote", "pipeline": "none", "stage": "none", "release": "x"}),
        ("/operate/dead/redrive", {"tenant": TENANT, "job": "none"}),
        ("/operate/notices/test", {"channel": "log"}),
        ("/admin/tenants", {"name": ""}),
        ("/admin/tenants", {"name": "Ä Ö"}),
        (f"/admin/tenants/{TENANT}/close", {"ending": "remove", "confirm": "no"}),
        (f"/t/{TENANT}/jobs/none/cancel", {}),
        (f"/t/{TENANT}/results/none/judge", {"verdict": "rejected", "reason": "none"}),
    ]
    for address, form in posts:
        answer = browser.post(address, data=form)
        assert answer.status_code != 500, (address, answer.text)
        if answer.status_code != 303:
            must_be_spanish(answer.text, address)
    for address in ("/nothing", f"/t/{TENANT}/jobs/none", f"/t/{TENANT}/results/none", "/t/none/studies"):
        answer = browser.get(address)
        assert answer.status_code == 404, address
        must_be_spanish(answer.text, address)


def test_an_error_says_what_happened_and_what_to_do_in_both_languages(portal: Site) -> None:
    address = "/t/default/jobs/none"
    english_page = portal.client.get(address).text
    assert "There is no such job in this department." in english_page and "Technical detail" in english_page
    portal.gate.language = "es"
    page = portal.client.get(address).text
    assert "No existe ese trabajo en este departamento." in page
    assert '<p lang="en">job none: none in tenant default</p>' in page
    refused = portal.asks(ENGINEER).get("/t/default/upload").text
    assert "Para esto hace falta permiso para enviar estudios" in refused
    stale = portal.asks(person()).post("/me", headers={"X-CSRF-Token": "none"}).text
    assert "llevaba demasiado tiempo abierta" in stale


def test_a_clinician_is_told_whom_to_tell_of_a_job_that_failed(portal: Site) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    lease = Busy(ledger).fail("default", now)
    portal.gate.language = "es"
    page = portal.client.get(f"/t/default/jobs/{lease.job.id}").text
    assert "El modelo falló con este estudio." in page and "Avise a su ingeniero" in page
    assert "reenvíe el trabajo" not in page
    assert "reenvíe el trabajo" in portal.asks(ENGINEER).get(f"/t/default/jobs/{lease.job.id}").text


def test_a_script_is_told_in_english_and_whoever_sits_before_it_in_their_language(portal: Site) -> None:
    address = "/api/v1/tenants/default/uploads"
    wish = {"fingerprint": "x", "size_bytes": 10**15}
    portal.gate.language = "es"
    problem = portal.client.post(address, json=wish).json()
    assert problem["code"] == ErrorCode.UPLOAD_TOO_LARGE
    assert problem["detail"].startswith("upload of 1000000000000000 bytes: at most ")
    assert re.fullmatch(
        r"Esto ocupa 1000\.0 TB; se admiten [\d.]+ [GT]B como máximo de una vez\.", problem["said"]
    )
    assert problem["todo"].startswith("Envíe los estudios uno a uno.")
    portal.gate.language = "en"
    again = portal.client.post(address, json=wish).json()
    assert again["detail"] == problem["detail"] and again["said"].startswith("This has 1000.0 TB")
    unknown = portal.client.get("/api/v1/tenants/default/jobs", params={"since": "soon"}).json()
    assert unknown["code"] == ErrorCode.DAY_WRONG


def test_every_code_and_every_kind_of_error_has_its_words() -> None:
    words = {language: Words(language) for language in LANGUAGES}
    for code in ErrorCode:
        for key in (f"errors.{code}", f"errors.{code}_todo"):
            assert key in catalogue(), key
    for name in BY_NAME:
        for key in (f"follow.error_{name}", f"follow.error_{name}_todo", f"follow.error_{name}_do"):
            assert key in catalogue(), key
    for _, status in STATUS:
        for language in LANGUAGES:
            found = said(words[language], status, None)
            assert found.todo and not found.todo.startswith("shell.") and not found.is_exact


def test_values_are_said_with_their_unit_and_in_the_language() -> None:
    values = {"size_bytes": 2_500_000, "retry_after_s": 300, "silent_s": 30, "state": "running", "most": 7}
    assert shown(Words("es"), values) == {
        "size": "2.5 MB",
        "retry_after": "5 min",
        "silent": "30 s",
        "state": "en curso",
        "most": "7",
    }


def test_who_tries_too_often_is_told_how_long_to_wait(tmp_path: Path) -> None:
    with site(tmp_path, SETTINGS + "sign_up = true\n") as opened:
        client = opened.asks(None)
        answers = [client.post("/join", headers={"Accept-Language": "es"}) for _ in range(11)]
    last = answers[-1]
    assert last.status_code == 429 and "Ha habido demasiados intentos en poco tiempo." in last.text
    assert re.search(r"Espere \d+ (s|min) y vuelva a intentarlo", last.text), last.text
    must_be_spanish(last.text, "too many")


def test_what_no_text_is_about_is_told_by_who_can_mend_it() -> None:
    words = Words("en")
    assert said(words, 415, None).todo == said(words, 400, None).todo
    assert said(words, 502, None).todo == said(words, 500, None).todo != said(words, 400, None).todo
