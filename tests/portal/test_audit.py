"""The audit trail in the portal: administrators see their part of it, narrow it, take it away, check it."""

import json
from datetime import timedelta

import pytest

from bedside.domain.account import Account, Profile
from bedside.domain.audit import Deed, checked
from bedside.domain.audit_lines import read_lines
from bedside.domain.person import PersonRole
from bedside.ports.audit import AuditFilter
from ledger_samples import T0
from portal_site import ADMIN, CLINICIAN, ENGINEER, Site, person

WARD_ADMIN = person((PersonRole.ADMIN, "ward-3"), subject="p-7")


@pytest.fixture
def trail(portal: Site) -> Site:
    """A portal in whose trail four things stand."""
    now = portal.deployment.clock.now()
    for number, (action, tenant, who) in enumerate(
        (
            ("rule.changed", "", "p-5"),
            ("result.viewed", "default", "p-1"),
            ("result.judged", "ward-3", "p-2"),
            ("study.sent", "ward-3.ct", "p-2"),
        )
    ):
        portal.deployment.records.audit.append(
            Deed(
                at=now - timedelta(days=10 - number),
                person=who,
                action=action,
                tenant=tenant,
                object=f"o-{number}",
                detail={"why": "<b>"} if number == 2 else {},
            )
        )
    return portal


def listed(site: Site, **params: str) -> list[str]:
    answer = site.client.get("/api/v1/audit", params=params)
    assert answer.status_code == 200, answer.text
    return [f"{record['action']} {record['tenant']}" for record in answer.json()["records"]]


def test_administrators_see_what_happened_at_their_nodes_and_below(trail: Site) -> None:
    trail.asks(WARD_ADMIN)
    assert listed(trail) == ["study.sent ward-3.ct", "result.judged ward-3"]
    assert listed(trail, node="ward-3/ct") == ["study.sent ward-3.ct"]
    assert trail.client.get("/api/v1/audit", params={"node": "default"}).status_code == 403
    page = trail.client.get("/audit").text
    assert "result.judged" in page and ">o-1<" not in page and "Check the trail" not in page
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert trail.client.get("/t/default/audit").status_code == 403
    trail.asks(ADMIN)
    assert "rule.changed " in listed(trail) and "result.viewed default" in listed(trail)
    assert listed(trail, node="default", action="result") == ["result.viewed default"]
    for nobody_s in (CLINICIAN, ENGINEER):
        trail.asks(nobody_s)
        for address in ("/audit", "/t/default/audit", "/api/v1/audit", "/audit/export", "/audit/verify"):
            assert trail.client.get(address).status_code == 403, address


def test_people_are_called_by_name_where_they_have_an_account(trail: Site) -> None:
    account = Account(id="p-2", email="b@x.example", profile=Profile(name="Ben B."), made_at=T0)
    trail.deployment.records.accounts.add(account)
    page = trail.asks(ADMIN).get("/audit").text
    assert ">Ben B.</a>" in page and ">p-5</a>" in page
    assert "Ben" not in trail.client.get("/audit/export").text, "what is taken away holds no names"


def test_who_looked_at_the_trail_stands_in_it(trail: Site) -> None:
    trail.asks(WARD_ADMIN).get("/audit")
    trail.client.get("/t/ward-3/audit/export")
    exported, viewed = trail.deployment.records.audit.records(AuditFilter(), limit=2)
    assert (viewed.deed.action, viewed.deed.person, viewed.deed.tenant) == ("audit.viewed", "p-7", "")
    assert (exported.deed.action, exported.deed.tenant) == ("audit.exported", "ward-3")


def test_filters_narrow_the_page_and_stay_while_paging(trail: Site) -> None:
    now = trail.deployment.clock.now()
    for number in range(60):
        deed = Deed(at=now, person="p-2", action="result.viewed", tenant="ward-3", object=f"n-{number}")
        trail.deployment.records.audit.append(deed)
    client = trail.asks(ADMIN)
    first = client.get("/audit", params={"person": "p-2", "action": "result.viewed"}).text
    assert "n-59" in first and "n-9<" not in first
    assert 'rel="next"' in first and "person=p-2&amp;action=result.viewed&amp;before=" in first
    second = client.get("/audit", params={"person": "p-2", "before": "15"}).text
    assert "n-9<" in second and "study.sent" in second and "o-1" not in second and 'rel="next"' not in second
    day = (now - timedelta(days=8)).strftime("%Y-%m-%d")
    one_day = client.get("/t/ward-3/audit", params={"since": day, "until": day}).text
    assert "result.judged" in one_day and "study.sent" not in one_day
    assert "Nothing that was noted fits" in client.get("/audit", params={"person": "p-404"}).text
    assert client.get("/audit", params={"since": "soon"}).status_code == 400
    answer = client.get("/api/v1/audit", params={"limit": "2", "since": f"{day}T00:00:00Z"}).json()
    assert answer["next_before"] == answer["records"][-1]["number"]
    assert client.get("/api/v1/audit", params={"before": "0"}).status_code == 422


def test_an_export_can_be_verified_and_opened_in_a_spreadsheet(trail: Site) -> None:
    client = trail.asks(ADMIN)
    answer = client.get("/api/v1/audit/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "attachment" in answer.headers["content-disposition"]
    verdict = checked(read_lines(answer.text.splitlines()))
    assert (verdict.checked, verdict.broken) == (5, 0), "the export itself is the fifth"
    assert json.loads(answer.text.splitlines()[-1])["action"] == "audit.exported"
    rows = client.get("/audit/export", params={"format": "csv", "person": "p-5"}).text.splitlines()
    assert len(rows) == 2 and ",rule.changed," in rows[1]


def test_the_page_says_whether_the_trail_is_whole_and_its_head(trail: Site) -> None:
    head = trail.deployment.records.audit.head()
    assert head is not None
    page = trail.asks(ADMIN).get("/audit/verify").text
    assert "all 4 records" in page and head.hash in page
    verdict = trail.client.get("/api/v1/audit/verify").json()
    assert (verdict["holds"], verdict["checked"], verdict["broken"]) == (True, 5, None)
    with trail.deployment.ledger._database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET person = 'p-6' WHERE number = 2")
    assert "record 2 does not hold" in trail.client.get("/audit/verify").text
    assert trail.client.get("/api/v1/audit/verify").json()["broken"] == 2


def test_an_empty_trail_says_so(portal: Site) -> None:
    assert "Nobody has done anything" in portal.asks(ADMIN).get("/audit").text
