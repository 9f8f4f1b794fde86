"""Departments in the portal: as far as somebody administers the tree, made, looked at, archived, removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.domain.account import Account, Profile
from bedside.domain.job import JobState
from bedside.domain.person import PersonRole, Post
from bedside.domain.tenant import TenantState
from bedside.ports import JobFilter
from bedside.ports.audit import AuditFilter
from contracts.test_ledger import must_take
from ledger_samples import T0, make_arrival, make_job
from portal_site import ADMIN, CLINICIAN, CSRF, ENGINEER, SETTINGS, Site, person, site

HEAD_OF_HOSPITAL = person((PersonRole.ADMIN, "hospital"), subject="p-8")


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    archives = f'archives = ["{tmp_path / "archive"}"]\n'
    with site(tmp_path, SETTINGS + archives) as opened:
        yield opened


def made(portal: Site, *paths: str) -> None:
    for path in paths:
        answer = portal.client.post("/api/v1/admin/tenants", json={"path": path})
        assert answer.status_code == 201, answer.text


def deeds(portal: Site, node: str) -> list[str]:
    return [r.deed.action for r in portal.deployment.records.audit.walk(AuditFilter(nodes=[node]))]


def state(portal: Site, node: str) -> str:
    return str(portal.client.get(f"/api/v1/admin/tenants/{node}").json()["state"])


def test_a_department_is_made_below_another_and_served_at_once(portal: Site) -> None:
    client = portal.asks(ADMIN)
    form = {"csrf": CSRF, "above": "", "name": "hospital/radiology/ct"}
    answer = client.post("/admin/tenants", data=form)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/admin/tenants/hospital.radiology.ct?done=made",
    )
    assert "hospital.radiology.ct" in portal.deployment.tenants.served
    page = client.get(answer.headers["location"]).text
    assert "It is served now" in page and "hospital.radiology.ct/input" in page
    assert deeds(portal, "hospital") == ["tenant.made"]
    tree = client.get("/admin/tenants").text
    for shown in ("branch only", "active (configured)", ">radiology<", ">ct<"):
        assert shown in tree
    again = client.post("/admin/tenants", data=form)
    assert again.status_code == 400 and "exists already" in again.text
    for wrong in ("", "../up", "releases"):
        refused = client.post("/admin/tenants", data={**form, "name": wrong})
        assert refused.status_code == 400 and 'role="alert"' in refused.text, wrong


def test_each_administrator_sees_and_makes_only_what_is_below(portal: Site) -> None:
    portal.asks(ADMIN)
    made(portal, "hospital/ct", "clinic/ct")
    client = portal.asks(HEAD_OF_HOSPITAL)
    names = [node["name"] for node in client.get("/api/v1/admin/tenants").json()]
    assert names == ["hospital", "hospital.ct"]
    assert "clinic" not in client.get("/admin/tenants").text
    for foreign in ("clinic.ct", "clinic", "nowhere"):
        assert client.get(f"/admin/tenants/{foreign}").status_code == 403
    assert client.get("/admin/tenants/hospital.none").status_code == 404
    assert client.post("/api/v1/admin/tenants", json={"path": "clinic/mr"}).status_code == 403
    assert client.post("/api/v1/admin/tenants", json={"path": "mr"}).status_code == 403
    made(portal, "hospital/mr/head")
    for other in (CLINICIAN, ENGINEER):
        assert portal.asks(other).get("/admin/tenants").status_code == 403
        assert client.get("/admin/tenants/default").status_code == 403
        assert client.post("/api/v1/admin/tenants", json={"path": "x"}).status_code == 403
    shown = portal.asks(CLINICIAN).get("/api/v1/tenants").json()
    assert [(tenant["name"], tenant["rights"]) for tenant in shown] == [
        ("default", ["read", "send", "judge"])
    ]
    assert "hospital" in portal.asks(person((PersonRole.ADMIN, "hospital.new"))).get("/admin/tenants").text


def test_a_page_shows_who_works_there_and_from_where_a_right_comes(portal: Site) -> None:
    accounts = portal.deployment.records.accounts
    for number, (name, role, node) in enumerate(
        (("Ana", "viewer", "hospital"), ("Ben", "clinician", "hospital.ct"), ("Cy", "admin", "clinic"))
    ):
        post = Post(role=PersonRole(role), node=node)
        profile = Profile(name=name)
        accounts.add(
            Account(id=f"a{number}", email=f"a{number}@x.example", profile=profile, made_at=T0, posts=(post,))
        )
    portal.asks(ADMIN)
    made(portal, "hospital/ct")
    page = portal.client.get("/admin/tenants/hospital.ct").text
    assert page.index("Ben") < page.index("Ana") and "inherited" in page and "Cy" not in page
    people = portal.client.get("/api/v1/admin/tenants/hospital.ct").json()["people"]
    assert [(each["person"], each["role"], each["inherited"]) for each in people] == [
        ("a1", "clinician", False),
        ("a0", "viewer", True),
    ]


def test_what_a_department_has_is_counted(portal: Site) -> None:
    portal.asks(ADMIN)
    made(portal, "ward")
    assert "no study has come" in portal.client.get("/admin/tenants/ward/inventory").text
    ledger = portal.deployment.ledger
    ledger.enqueue(make_job(ledger.add_arrival(make_arrival(1))))
    portal.deployment.blobs.tenant("ward").put("input/a.zip", b"12345")
    found = portal.client.get("/api/v1/admin/tenants/ward/inventory").json()
    assert found["areas"] == {"input": {"objects": 1, "bytes": 5}} and found["jobs"] == {"queued": 1}
    assert "objects in input" in portal.client.get("/admin/tenants/ward/inventory").text
    portal.gate.language = "es"
    page = portal.client.get("/admin/tenants/ward/inventory").text
    assert "Trabajos: en espera" in page and page.count("<h1") == 1


def test_a_department_is_archived_then_removed_its_name_typed_each_time(portal: Site, tmp_path: Path) -> None:
    client = portal.asks(ADMIN)
    made(portal, "ward")
    portal.deployment.blobs.tenant("ward").put("results/a/j/result.json", b"{}")
    how = {"csrf": CSRF, "ending": "archive", "archive": str(tmp_path / "archive"), "confirm": "ward"}
    for wrong in ({"confirm": "wards"}, {"confirm": ""}, {"archive": str(tmp_path / "elsewhere")}):
        refused = client.post("/admin/tenants/ward/close", data={**how, **wrong})
        assert refused.status_code == 400 and 'role="alert"' in refused.text
    assert not (tmp_path / "elsewhere").exists() and state(portal, "ward") == "active"
    answer = client.post("/admin/tenants/ward/close", data=how)
    assert answer.headers["location"] == "/admin/tenants/ward?done=closing"
    assert (tmp_path / "archive/ward/results/a/j/result.json").read_bytes() == b"{}"
    assert state(portal, "ward") == "closed" and "ward" not in portal.deployment.tenants.served
    assert "archived" in client.get("/admin/tenants/ward").text
    body = {"ending": "remove", "confirm": "ward"}
    assert client.post("/api/v1/admin/tenants/ward/close", json=body).status_code == 202
    assert not (tmp_path / "data/ward").exists()
    record = portal.deployment.ledger.tenant("ward")
    assert record is not None and record.state is TenantState.CLOSED
    assert deeds(portal, "ward") == ["tenant.made", *["tenant.closing", "tenant.closed"] * 2]
    page = client.get("/admin/tenants/ward").text
    assert "removed" in page and "/close" not in page


def test_a_running_job_is_in_the_way_and_what_broke_off_says_why(portal: Site) -> None:
    client = portal.asks(ADMIN)
    made(portal, "ward")
    ledger = portal.deployment.ledger
    job, _ = ledger.enqueue(make_job(ledger.add_arrival(make_arrival(1))))
    lease = must_take(ledger, now=portal.deployment.clock.now())
    assert lease.job.id == job.id
    body = {"ending": "remove", "confirm": "ward"}
    refused = client.post("/api/v1/admin/tenants/ward/close", json=body)
    assert refused.status_code == 400 and "1 jobs run" in refused.json()["detail"]
    record = ledger.tenant("ward")
    assert record is not None and record.state is TenantState.ACTIVE
    ledger.cancel("ward", job.id, portal.deployment.clock.now())
    # A link in the place of the folder is what a person must look at.
    folder = portal.deployment.root / "ward"
    folder.rename(portal.deployment.root.parent / "aside")
    folder.symlink_to(portal.deployment.root.parent / "aside")
    assert client.post("/api/v1/admin/tenants/ward/close", json=body).status_code == 202
    shown = client.get("/api/v1/admin/tenants/ward").json()
    assert shown["state"] == "closing" and "its folder is a link" in shown["stopped"]
    assert "its folder is a link" in client.get("/admin/tenants/ward").text
    folder.unlink()
    client.post("/api/v1/admin/tenants/ward/close", json=body)
    assert state(portal, "ward") == "closed"
    assert list(ledger.jobs("ward", JobFilter(states=frozenset(JobState)))) == []
