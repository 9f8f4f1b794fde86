"""Lists and stories of studies and jobs: what each person sees, finds and may do, page after page."""

import re
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bedside.domain.arrival import EntryState
from bedside.domain.because import Because, Cause, Ground
from bedside.domain.expression import WITHHELD, Met, Outcome
from bedside.domain.job import JobState
from bedside.domain.person import PersonRole
from bedside.ports import JobFilter, Ledger
from bedside.ports.audit import AuditFilter
from follow_samples import FAILURE, LIVER, done, failed, name, queued, study
from ledger_samples import make_decision, make_entry, make_pipeline
from portal_site import CLINICIAN, CSRF, ENGINEER, VIEWER, Means, Site, person, site

NAME = "Doe^Jane"
MET = Met(clause="Modality == 'CT'", outcome=Outcome.FALSE, keyword="Modality", found="'MR'")
SECRET = Met(clause="PatientID == 'x'", outcome=Outcome.FALSE, keyword="PatientID", found=WITHHELD)
STUDIES, JOBS = "/t/default/studies", "/t/default/jobs"


@pytest.fixture
def now(portal: Site) -> datetime:
    return portal.deployment.clock.now()


@pytest.fixture
def ledger(portal: Site) -> Ledger:
    return portal.deployment.ledger


@pytest.fixture
def jane(portal: Site, ledger: Ledger, now: datetime) -> str:
    """A study of Jane Doe whose job ended well; returns the arrival's id."""
    arrival = study(ledger, 1, now - timedelta(minutes=5))
    queued(ledger, arrival, now - timedelta(minutes=5))
    done(ledger, now - timedelta(minutes=4))
    name(portal.deployment, arrival, name=NAME, id="P-0815", accession="A-77", description="Abdomen")
    return arrival.id


def deeds(portal: Site, action: str) -> list[tuple[str, str]]:
    found = portal.deployment.records.audit.records(AuditFilter(action=action), limit=50)
    return [(one.deed.object, one.deed.detail.get("arrivals", "")) for one in found]


def test_an_empty_list_says_what_to_do_next(portal: Site) -> None:
    page = portal.client.get(STUDIES).text
    assert "No study has been received yet" in page and 'href="/t/default/upload"' in page
    assert 'href="/t/default/upload"' not in portal.asks(VIEWER).get(STUDIES).text  # may not send
    assert "No job yet" in portal.client.get(JOBS).text


def test_whoever_may_read_sees_whose_study_it_is_and_that_is_noted(portal: Site, jane: str) -> None:
    page = portal.client.get(STUDIES).text
    assert "Doe, Jane" in page and "P-0815" in page and "done" in page
    assert deeds(portal, "study.listed") == [("", jane)]
    page = portal.client.get(f"{STUDIES}/{jane}").text
    for shown in ("Doe, Jane", "P-0815", "A-77", "Abdomen", "PORTAL VENOUS", "1.2.3.4.1"):
        assert shown in page, shown
    assert deeds(portal, "study.viewed") == [(jane, "")]


@pytest.mark.parametrize("what", ["studies", "studies/{arrival}", "jobs", "jobs/{job}", "entries"])
def test_an_engineer_sees_the_same_by_ids_and_no_patient(portal: Site, jane: str, what: str) -> None:
    job = portal.deployment.ledger.jobs("default", JobFilter())[0]
    portal.deployment.ledger.put_entry(
        replace(make_entry("input/Doe_Jane.zip", tenant="default"), arrivals=(jane,))
    )
    path = what.format(arrival=jane, job=job.id)
    client = portal.asks(ENGINEER)
    for address in (f"/t/default/{path}", f"/api/v1/tenants/default/{path}"):
        answer = client.get(address)
        assert answer.status_code == 200, address
        for hidden in ("Doe", "Jane", "P-0815", "A-77", "Abdomen", "PORTAL VENOUS"):
            assert hidden not in answer.text, (address, hidden)
    assert deeds(portal, "study.viewed") == deeds(portal, "study.listed") == []
    readers = portal.asks(CLINICIAN).get(f"/t/default/{path}").text
    assert "Doe" in readers or what == "jobs"


def test_why_it_did_not_run_is_told_with_the_values(portal: Site, ledger: Ledger, now: datetime) -> None:
    arrival = study(ledger, 2, now)
    decision = make_decision(arrival, "livers", matched=False, decided_at=now)
    values = {"1.2.3.4.2.1": {"Modality": "MR", "PatientName": "(withheld)"}}
    because = Because(cause=Cause.FAILED, grounds=(Ground(met=(MET,), count=2, of=3),), more=1)
    ledger.add_decisions([replace(decision, reason=str(because), because=because, values=values)])
    assert "nothing started" in portal.client.get(STUDIES).text
    for who in (CLINICIAN, ENGINEER):
        page = portal.asks(who).get(f"{STUDIES}/{arrival.id}").text
        assert "A condition of the rule holds for no series:" in page and "and another reason" in page
        assert "<code>Modality == &#39;CT&#39;</code>: false, it is <code>&#39;MR&#39;</code>" in page
        assert "(2 of 3 series)" in page
        assert "<td>Modality</td>" in page and "(withheld)" in page and "not started" in page
    told = portal.client.get(f"/api/v1/tenants/default/studies/{arrival.id}/decisions").json()
    assert [(one["rule"], one["matched"], one["values"]) for one in told] == [("livers", False, values)]
    assert told[0]["reason"] == "Modality == 'CT' is false: it is 'MR' (2 of 3 series); and 1 other reasons"
    assert told[0]["because"]["grounds"][0]["met"][0] == asdict(MET)


def test_why_it_did_not_run_is_told_in_spanish(portal: Site, ledger: Ledger, now: datetime) -> None:
    arrival = study(ledger, 2, now)
    because = Because(cause=Cause.FAILED, grounds=(Ground(met=(MET, SECRET), count=2, of=3),), more=2)
    new = replace(make_decision(arrival, "livers", matched=False), reason=str(because), because=because)
    old = replace(make_decision(arrival, "old", matched=False), reason="it was so then", because=None)
    ledger.add_decisions([new, old])
    portal.gate.language = "es"
    page = portal.asks(CLINICIAN).get(f"{STUDIES}/{arrival.id}").text
    assert (
        "<code>Modality == &#39;CT&#39;</code>: no se cumple, el valor es <code>&#39;MR&#39;</code>" in page
    )
    assert "no se cumple, el valor es (no se muestra)" in page and "(withheld)" not in page
    assert "(2 de 3 series)" in page and "y 2 motivos más" in page
    assert "is false" not in page
    # Of a decision made before its grounds were kept there is a sentence only, and it says what it is.
    assert "Detalle técnico (en inglés)" in page and '<p lang="en">it was so then</p>' in page


def test_versions_and_replaced_results_lead_to_one_another(
    portal: Site, ledger: Ledger, now: datetime
) -> None:
    first = study(ledger, 3, now, subject="1.9")
    old = queued(ledger, first, now)
    done(ledger, now)
    second = study(ledger, 4, now, subject="1.9")
    new = queued(ledger, second, now)
    done(ledger, now)
    page = portal.client.get(f"{STUDIES}/{first.id}").text
    assert "This is version 1; by now there is version 2." in page and f"{STUDIES}/{second.id}" in page
    assert f"{JOBS}/{new.id}" in page  # took the place of the old one's result
    assert "version 2" in portal.client.get(STUDIES).text
    assert f"/t/default/results/{old.id}" in page


def test_a_page_leads_to_the_older_ones_and_shows_nothing_twice(
    portal: Site, ledger: Ledger, now: datetime
) -> None:
    for number in range(95):
        queued(
            ledger, study(ledger, number, now - timedelta(minutes=number)), now - timedelta(minutes=number)
        )
    for base in (STUDIES, JOBS):
        seen: list[str] = []
        address, pages = base, 0
        while address:
            page = portal.client.get(address).text
            rows = re.findall(rf'<th scope="row"[^>]*>\s*<a[^>]*href="{base}/([0-9a-f.r]+)"', page)
            seen += rows
            pages += 1
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = more[1].replace("&amp;", "&") if more else ""
        assert pages == 3 and len(seen) == len(set(seen)) == 95, base


def test_a_page_watches_no_more_jobs_than_a_stream_takes(portal: Site, ledger: Ledger, now: datetime) -> None:
    for number in range(30):
        arrival = study(ledger, number, now)
        for pipeline in range(8):
            queued(ledger, arrival, now, make_pipeline(f"p{pipeline}"))
    page = portal.client.get(STUDIES).text
    watched = (re.search(r'data-jobs="([^"]*)"', page) or ["", ""])[1].split()
    assert page.count("data-job=") == 240 and len(watched) == 200


def test_filters_are_kept_while_paging_and_counts_lead_to_states(
    portal: Site, ledger: Ledger, now: datetime
) -> None:
    for number in range(50):
        arrival = study(ledger, number, now - timedelta(minutes=number))
        queued(ledger, arrival, now - timedelta(minutes=number), LIVER)
    failed(ledger, now)
    page = portal.client.get(JOBS, params={"pipeline": "liver", "state": "queued"}).text
    assert "pipeline=liver" in (re.search(r'rel="next" href="([^"]+)"', page) or [""])[0]
    assert "failed</span> 1" in page and "waiting</span> 49" in page
    assert "Nothing is like that" in portal.client.get(JOBS, params={"pipeline": "spleen"}).text
    failing = portal.client.get(STUDIES, params={"state": "dead", "since": f"{now:%Y-%m-%d}"}).text
    assert failing.count('data-state="dead"') == 1
    wrong = portal.client.get(JOBS, params={"state": "asleep"})
    assert wrong.status_code == 400 and "queued" in wrong.text
    assert portal.client.get(JOBS, params={"since": "yesterday"}).status_code == 400


def test_words_find_studies_by_ids_and_for_readers_by_names(portal: Site, jane: str) -> None:
    ledger = portal.deployment.ledger
    job = ledger.jobs("default", JobFilter())[0]
    study(ledger, 9, portal.deployment.clock.now())
    names, ids = ["doe", "Doe^J", "P-0815", "A-77"], ["1.2.3.4.1", jane[:10], job.id[:10]]
    for words in names + ids:
        for kind, id_ in (("studies", jane), ("jobs", job.id)):
            for who, finds in ((CLINICIAN, True), (ENGINEER, words in ids)):
                sent = {"text": words, "csrf": CSRF}
                page = portal.asks(who).post(f"/t/default/{kind}/search", data=sent).text
                # A study is not found by the id of its job.
                found = page.count('<th scope="row"')
                assert found == (finds and (kind, words) != ("studies", job.id[:10])), (words, kind, who)
                assert not found or f"/t/default/{kind}/{id_}" in page
    for record in portal.deployment.records.audit.records(AuditFilter(), limit=100):
        assert not any(words in str(record) for words in names)


def test_words_that_may_be_a_name_stand_in_no_address(
    portal: Site, ledger: Ledger, now: datetime, jane: str
) -> None:
    for number in range(100, 145):
        arrival = study(ledger, number, now)
        name(portal.deployment, arrival, name=f"Many^P{number}")
    page = portal.client.post(f"{STUDIES}/search", data={"text": "many", "csrf": CSRF}).text
    assert "many" not in "".join(re.findall(r'(?:href|action)="([^"]*)"', page))
    after = (re.search(r'name="after" value="([^"]+)"', page) or ["", ""])[1]
    rest = portal.client.post(f"{STUDIES}/search", data={"text": "many", "csrf": CSRF, "after": after}).text
    assert rest.count('<th scope="row"') == 5
    assert "Doe" not in portal.client.get(STUDIES, params={"text": "doe"}).text  # an address finds ids alone


def test_what_could_not_be_used_says_why_and_its_name_to_readers_alone(
    portal: Site, ledger: Ledger, now: datetime
) -> None:
    entry = make_entry("input/Doe_Jane.zip", tenant="default", seen_at=now)
    ledger.put_entry(replace(entry, state=EntryState.REJECTED, reason="3 files, none of which is DICOM"))
    assert "none of which is DICOM" in portal.client.get(STUDIES).text
    page = portal.client.get("/t/default/entries", params={"state": "rejected"}).text
    assert "none of which is DICOM" in page and "Doe_Jane.zip" in page
    assert "Doe" not in portal.asks(ENGINEER).get("/t/default/entries").text


def test_what_could_not_be_used_goes_on_to_older_ones(portal: Site, ledger: Ledger, now: datetime) -> None:
    for n in range(45):
        entry = make_entry(f"input/{n}.zip", tenant="default", seen_at=now - timedelta(minutes=n))
        ledger.put_entry(replace(entry, state=EntryState.REJECTED, reason=f"reason {n}."))
    first = portal.client.get("/t/default/entries?state=rejected").text
    assert "reason 39." in first and "reason 40." not in first and "Newest" not in first
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = portal.client.get(more.replace("&amp;", "&")).text
    assert "reason 39." not in second and all(f"reason {n}." in second for n in range(40, 45))
    assert 'rel="next"' not in second and "state=rejected" in more
    api = portal.client.get("/api/v1/tenants/default/entries", params={"offset": 44}).json()
    assert [entry["reason"] for entry in api] == ["reason 44."]


@pytest.mark.parametrize(
    ("language", "none", "missing"),
    [("en", "no DICOM images", "A slice is missing"), ("es", "imágenes DICOM", "Falta un corte")],
)
def test_reasons_are_told_in_plain_words_of_ones_language(
    portal: Site, ledger: Ledger, now: datetime, language: str, none: str, missing: str
) -> None:
    entry = make_entry("input/a.zip", tenant="default", seen_at=now)
    ledger.put_entry(replace(entry, state=EntryState.REJECTED, reason="no DICOM instance among 3 files"))
    job = queued(ledger, study(ledger, 1, now), now)
    lease = ledger.lease(pools=(), worker="w1", now=now, lease_s=60)
    assert lease is not None
    ledger.reject(lease, replace(FAILURE, message="1 slices missing (1 of 80)"), now=now)
    portal.gate.language = language
    assert none in portal.client.get("/t/default/entries").text
    listed = portal.client.get(STUDIES).text
    assert none in listed and missing in listed and "1 slices missing" not in listed
    one = portal.client.get(f"{JOBS}/{job.id}").text
    assert missing in one and "1 slices missing (1 of 80)" in one, "the numbers are for whoever asks"
    api = "/api/v1/tenants/default"
    assert portal.client.get(f"{api}/entries").json()[0]["kind"] == "no_dicom"
    assert portal.client.get(f"{api}/jobs/{job.id}").json()["failure"]["kind"] == "slice_missing"


def test_retry_cancel_and_priority_are_for_those_who_may(portal: Site, ledger: Ledger, now: datetime) -> None:
    job = queued(ledger, study(ledger, 1, now), now)
    page = f"{JOBS}/{job.id}"
    client = portal.asks(VIEWER)
    assert "/cancel" not in client.get(page).text
    for act in ("retry", "cancel"):
        assert client.post(f"{page}/{act}", data={"csrf": CSRF}).status_code == 403
    client = portal.asks(CLINICIAN)
    assert "/cancel" in client.get(page).text and "/priority" not in client.get(page).text
    assert client.post(f"{page}/priority", data={"csrf": CSRF, "priority": "5"}).status_code == 403
    answer = client.post(f"{page}/cancel", data={"csrf": CSRF})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page}?done=cancelled")
    assert ledger.job("default", job.id).state is JobState.CANCELLED
    assert "Try again" in client.get(f"{page}?done=cancelled").text
    assert client.post(f"{page}/cancel", data={"csrf": CSRF}).status_code == 400  # it has ended
    client.post(f"{page}/retry", data={"csrf": CSRF})
    client = portal.asks(ENGINEER)
    client.post(f"{page}/priority", data={"csrf": CSRF, "priority": "5"})
    found = ledger.job("default", job.id)
    assert (found.state, found.priority) == (JobState.QUEUED, 5)
    assert [a for a, _ in deeds(portal, "job.cancelled")] == [job.id]
    assert (
        [a for a, _ in deeds(portal, "job.retried")]
        == [a for a, _ in deeds(portal, "job.prioritised")]
        == [job.id]
    )


def test_a_job_that_ended_well_is_run_again_as_another_run(portal: Site, ledger: Ledger, jane: str) -> None:
    job = ledger.jobs("default", JobFilter(arrival_id=jane))[0]
    page = portal.client.get(f"{JOBS}/{job.id}").text
    assert "Run again" in page and f"/t/default/results/{job.id}" in page
    answer = portal.client.post(f"{JOBS}/{job.id}/retry", data={"csrf": CSRF})
    assert answer.headers["location"] == f"{JOBS}/{job.id}.r1?done=retried"


def test_a_failure_stands_there_with_its_hint_and_history(
    portal: Site, ledger: Ledger, now: datetime
) -> None:
    job = queued(ledger, study(ledger, 1, now), now)
    failed(ledger, now)
    for language, words in (
        ("en", ("The model failed", "failed for good")),
        ("es", ("El modelo falló", "falló definitivamente")),
    ):
        portal.gate.language = language
        page = portal.client.get(f"{JOBS}/{job.id}").text
        for shown in (*words, "child ended with status 139", "bedside doctor"):
            assert shown in page, (language, shown)


def test_another_tenants_study_and_job_are_not_there(tmp_path: Path) -> None:
    with site(tmp_path) as portal:
        ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
        arrival = study(ledger, 1, now, tenant="ward-3")
        job = queued(ledger, arrival, now)
        both = person((PersonRole.CLINICIAN, ""), (PersonRole.ENGINEER, ""))
        client = portal.asks(both)
        for kind, id_ in (("studies", arrival.id), ("jobs", job.id)):
            assert client.get(f"/t/ward-3/{kind}/{id_}").status_code == 200
            assert client.get(f"/t/default/{kind}/{id_}").status_code == 404
            assert client.get(f"/api/v1/tenants/default/{kind}/{id_}").status_code == 404
            assert client.get(f"/t/default/{kind}", params={"after": id_}).status_code == 404
        for act in ("retry", "cancel"):
            assert client.post(f"/api/v1/tenants/default/jobs/{job.id}/{act}").status_code == 404
        assert ledger.job("ward-3", job.id).state is JobState.QUEUED


def test_scripts_do_what_pages_do_with_a_token(
    portal: Site, ledger: Ledger, jane: str, now: datetime
) -> None:
    portal.gate.means = Means.TOKEN
    api = "/api/v1/tenants/default"
    listed = portal.client.get(f"{api}/studies").json()
    assert [one["patient"]["name"] for one in listed["studies"]] == ["Doe, Jane"] and listed["next"] is None
    job = listed["studies"][0]["jobs"][0]
    assert (job["state"], job["estimate"], job["can_retry"]) == ("succeeded", None, True)
    assert portal.client.get(f"{api}/jobs").json()["counts"] == {"succeeded": 1}
    assert portal.client.get(f"{api}/jobs/counts").json() == {"succeeded": 1}
    found = portal.client.post(f"{api}/studies/search", json={"text": "doe"}).json()
    assert [one["arrival_id"] for one in found["studies"]] == [jane]
    assert portal.client.post(f"{api}/jobs/search", json={"text": "nobody"}).json()["jobs"] == []
    again = portal.client.post(f"{api}/jobs/{job['id']}/retry").json()
    assert (again["id"], again["state"]) == (f"{job['id']}.r1", "queued")
    # Of one worker seen lately and one run of 40 s: it is next in line.
    told = portal.client.get(f"{api}/jobs/{again['id']}").json()["estimate"]
    assert (told["before"], told["runs"], told["usual_s"], told["workers"]) == (0, 1, 40.0, 1)
    portal.asks(ENGINEER).put(f"{api}/jobs/{again['id']}/priority", json={"priority": 3})
    history = portal.client.get(f"{api}/jobs/{again['id']}/events").json()
    assert [one["action"] for one in history] == ["job.rerun", "job.priority"]
    problem = portal.client.get(f"{api}/jobs", params={"state": "asleep"})
    assert problem.status_code == 400 and problem.headers["content-type"] == "application/problem+json"
