"""What operators see and change: figures, dead jobs, releases, notices, settings, metrics, probes."""

import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bedside.adapters.aws.events import JobHint
from bedside.cli import serve
from bedside.cli.main import main
from bedside.config import NotifySettings, load
from bedside.config.notify import Kind
from bedside.domain.arrival import EntryState
from bedside.domain.figures import STEPS
from bedside.domain.job import JobState
from bedside.domain.notice import NoticeKind
from bedside.domain.person import PersonRole
from bedside.domain.release import Role
from bedside.operate.alarms import AlarmKind
from bedside.operate.crew import HandState
from bedside.operate.replay import Change
from bedside.operate.tasks import TaskState
from bedside.portal.access.caller import Means
from bedside.portal.operate.changing import Act
from bedside.portal.operate.charts import STATES, chart, nice
from bedside.portal.operate.metrics import is_admitted
from bedside.portal.operate.notices import masked
from bedside.portal.operate.said import seconds, size
from bedside.portal.shell.words import catalogue
from bedside.ports.audit import AuditFilter
from bedside.ports.letters import LetterKind
from bedside.wiring import Deployment, open_deployment
from clouds import Cloud
from dicom_samples import series
from ledger_samples import make_comparison, make_entry
from operate_samples import CURRENT, NEXT, Busy, release_on, work_on
from portal_site import ADMIN, CLINICIAN, CSRF, ENGINEER, SETTINGS, Site, person, site
from portal_studies import arrived

WARD = person((PersonRole.ENGINEER, "ward-3"), subject="p-7")
BOTH = person((PersonRole.ENGINEER, ""), (PersonRole.CLINICIAN, ""), subject="p-8")
MORE = """
[notify]
log = true
webhook_url = "https://hooks.example/secret/path"
email_to = ["ada.lovelace@hospital.example", "ops@hospital.example"]
smtp_host = "127.0.0.1"
smtp_password = "hush-hush"  # pragma: allowlist secret

[machine]
type = "g4dn.xlarge"
price_usd_per_h = 0.526

[[pipeline]]
name = "spleen"
stage = [{ name = "infer", bundle = "nothing.zip" }, { name = "after", command = ["true"] }]

[[pipeline]]
name = "liver"
command = ["true"]

[[rule]]
name = "ct"
pipeline = "spleen"
when = "Modality == 'CT' and SliceThickness <= 5"
"""
PATIENT = "DOE^JANE"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, SETTINGS + MORE) as opened:
        opened.asks(ENGINEER)
        yield opened


def deeds(portal: Site) -> list[tuple[str, str, str]]:
    walked = portal.deployment.records.audit.walk(AuditFilter())
    return [(r.deed.action, r.deed.tenant, r.deed.object) for r in walked]


def post(portal: Site, path: str, **form: str):  # type: ignore[no-untyped-def]
    return portal.client.post(path, data={"csrf": CSRF, **form})


# Who may


PAGES = ["", "/dead", "/rules", "/releases", "/notices", "/settings"]


def test_only_operators_come_in_and_each_sees_their_departments(portal: Site) -> None:
    work_on(portal.deployment)
    whole = portal.client.get("/api/v1/operate/overview").json()
    assert (whole["tenants"], whole["states"]["dead"]) == (None, 3)
    assert whole["machine"]["disk"]["free_bytes"] > 0
    for page in PAGES:
        assert portal.asks(ENGINEER).get(f"/operate{page}").status_code == 200, page
        assert portal.asks(ADMIN).get(f"/operate{page}").status_code == 200, page
        assert portal.asks(CLINICIAN).get(f"/operate{page}").status_code == 403, page
        mine = portal.asks(WARD).get(f"/operate{page}").status_code
        assert mine == (200 if page in ("", "/dead", "/rules") else 403), page
    part = portal.client.get("/api/v1/operate/overview").json()
    assert (part["tenants"], part["states"]) == (["ward-3"], {"dead": 1, "running": 1})
    assert part["machine"] is None and {w["tenant"] for w in part["workers"]} == {"ward-3"}
    page = portal.client.get("/operate").text
    assert "/operate/settings" not in page and "Disk" not in page
    assert "Operate" in portal.asks(ENGINEER).get("/").text
    assert 'href="/operate"' not in portal.asks(CLINICIAN).get("/").text


# Figures


def test_a_dashboard_before_anything_ran_says_so(portal: Site) -> None:
    page = portal.client.get("/operate")
    assert "Nothing ran yet" in page.text and "Nothing waits" in page.text
    assert portal.client.get("/api/v1/operate/overview").json()["states"] == {}
    portal.gate.language = "es"
    assert "Todavía no se ha ejecutado nada" in portal.client.get("/operate").text


def test_a_dashboard_shows_what_a_month_was(portal: Site) -> None:
    work_on(portal.deployment)
    now = portal.deployment.clock.now()
    entry = make_entry(f"input/{PATIENT}.zip", tenant="default", seen_at=now)
    portal.deployment.ledger.put_entry(entry)
    portal.deployment.ledger.put_entry(replace(entry, state=EntryState.REJECTED))
    page = portal.client.get("/operate").text
    figures = portal.client.get("/api/v1/operate/overview").json()
    assert PATIENT not in page
    for shown in (
        "Jobs that failed every attempt and wait for a person: 3.",
        "Workers that lost contact with a job in hand: 1.",
        "could not be used in the last 24 hours: 1.",
        "lost contact</span>",
        "host-a-1",
        "spleen 1.0",
        "shadow 25 %",
        "inference",
        "USD per day",
    ):
        assert shown in page, shown
    assert {a["kind"]: a["count"] for a in figures["alarms"]}["dead_jobs"] == 3
    assert sum(f["jobs"] for f in figures["days"]) == sum(
        figures["states"][s] for s in ("succeeded", "dead", "rejected")
    )
    (times,) = figures["times"]
    assert times["steps"]["wait"] == {
        "count": times["steps"]["run"]["count"],
        "p50_s": 2,
        "p95_s": 2,
        "most_s": 2,
    }
    assert 0 < times["steps"]["run"]["p50_s"] < times["steps"]["run"]["p95_s"]
    assert {(f["error"], f["jobs"]) for f in figures["failures"]} == {
        ("ModelFailed", 3),
        ("InputRejected", 1),
    }
    # 24 and 30 bars' places, each with a row of the table beside it
    assert page.count('<th scope="row">20') == 24 + 30 + 30
    assert not re.search(r"\sstyle=|<script(?![^>]*src=)", page)
    assert figures["machine"]["in_service"][0]["name"] == "spleen"
    usd = sum(day["usd"] for day in figures["spent"])
    assert f"{usd:.4f} USD in the last 30 days" in page


def test_a_chart_is_as_high_as_its_highest_bar() -> None:
    from datetime import UTC, datetime

    begin = datetime(2026, 3, 1, tzinfo=UTC)
    points = [(begin + timedelta(hours=n), {"a": float(n), "b": 1.0}) for n in range(4)]
    drawn = chart(points, ["a", "b"])
    assert drawn.top == 5 and not drawn.is_empty
    last = drawn.columns[-1]
    assert [(bar.kind, bar.y, bar.height) for bar in last.bars] == [("a", 56, 84), ("b", 28, 28)]
    assert [len(column.bars) for column in drawn.columns] == [1, 2, 2, 2] and last.labelled
    assert chart([(begin, {})], ["a"]).is_empty and chart([], ["a"]).columns == ()
    assert [nice(v) for v in (0, 0.03, 1, 3, 7, 11, 200)] == [1, 0.05, 1, 5, 10, 20, 200]


def test_numbers_are_said_in_few_digits() -> None:
    assert [seconds(v) for v in (0.123, 4.56, 59, 200, 3600, 18_660, 200_000)] == [
        "0.12 s",
        "4.6 s",
        "59 s",
        "3 min 20 s",
        "1 h",
        "5 h 11 min",
        "2 d 7 h",
    ]
    assert [size(v) for v in (0, 999, 1500, 2.5e9, 3e18)] == ["0 B", "999 B", "1.5 kB", "2.5 GB", "3e+03 PB"]


# Dead jobs


def die(portal: Site) -> None:
    busy, now = Busy(portal.deployment.ledger), portal.deployment.clock.now()
    for tenant in ("default", "default", "ward-3"):
        busy.fail(tenant, now)


def test_dead_jobs_are_sent_again_one_or_all_of_a_reason(portal: Site) -> None:
    die(portal)
    page = portal.client.get("/operate/dead").text
    assert "child ended with status 139" in page and "Send all again (3)" in page
    one, two, three = portal.client.get("/api/v1/operate/dead").json()
    answer = post(portal, "/operate/dead/redrive", tenant=one["tenant"], job=one["job"])
    assert answer.headers["location"] == "/operate/dead?sent=1&left=0"
    assert "Queued again: 1." in portal.client.get(answer.headers["location"]).text
    again = post(portal, "/operate/dead/redrive", tenant=one["tenant"], job=one["job"])
    assert again.status_code == 400 and "is queued, not dead" in again.text
    reason = {key: two[key] for key in ("error", "pipeline", "stage", "release")}
    asked = post(portal, "/operate/dead/redrive", **reason)
    assert "Are you sure?" in asked.text and "2. If the reason" in asked.text
    assert len(portal.client.get("/api/v1/operate/dead").json()) == 2
    done = post(portal, "/operate/dead/redrive", confirmed="true", **reason)
    assert done.headers["location"] == "/operate/dead?sent=2&left=0"
    assert portal.client.get("/api/v1/operate/dead").json() == []
    assert {d for d in deeds(portal) if d[0] == "job.redriven"} == {
        ("job.redriven", job["tenant"], job["job"]) for job in (one, two, three)
    }
    gone = post(portal, "/operate/dead/redrive", confirmed="true", **reason)
    assert gone.status_code == 400 and "No job is dead." in gone.text


def test_a_department_sends_only_its_own_again(portal: Site) -> None:
    die(portal)
    every = portal.client.get("/api/v1/operate/dead").json()
    portal.asks(WARD)
    (mine,) = portal.client.get("/api/v1/operate/dead").json()
    assert mine["tenant"] == "ward-3"
    foreign = next(job for job in every if job["tenant"] == "default")
    address = "/api/v1/operate/dead/redrive"
    asked = {"job": {"tenant": "default", "job": foreign["job"]}}
    assert portal.client.post(address, json=asked).status_code == 403
    asked["job"]["job"] = "none"  # whether there is one is not said
    assert portal.client.post(address, json=asked).status_code == 403
    study = {"study": {"tenant": "default", "arrival_id": "none"}}
    assert portal.client.post("/api/v1/operate/rules/test", json=study).status_code == 403
    reason = {key: mine[key] for key in ("error", "pipeline", "stage", "release")}
    done = portal.client.post(address, json={"reason": reason}).json()
    assert done == {"sent": [{"tenant": "ward-3", "job": mine["job"]}], "left": {}}
    assert len(portal.asks(ENGINEER).get("/api/v1/operate/dead").json()) == 2
    assert portal.client.post(address, json={}).status_code == 400
    assert portal.client.get("/api/v1/operate/dead/letters").status_code == 404


# Releases


def test_a_release_is_promoted_tried_and_taken_back_after_a_confirmation(portal: Site) -> None:
    release_on(portal.deployment)
    busy, now = Busy(portal.deployment.ledger), portal.deployment.clock.now()
    delivered, shadow = (busy.finish("default", now, role=role).job for role in (Role.CURRENT, Role.SHADOW))
    portal.deployment.ledger.put_comparison(make_comparison(shadow, delivered, compared_at=now))
    page = portal.client.get("/operate/releases").text
    assert "spleen/infer" in page and "Dice 0.9700" in page and "better on thin slices" in page
    form = {"pipeline": "spleen", "stage": "infer", "release": NEXT * 12, "reason": "thinner slices"}
    asked = post(portal, "/operate/releases", act="promote", **form)
    assert "Are you sure?" in asked.text and f"sha256:{NEXT * 64}" in asked.text
    assert standing(portal)[Role.CURRENT] == f"sha256:{CURRENT * 64}"
    done = post(portal, "/operate/releases", act="promote", confirmed="true", **form)
    assert done.headers["location"] == "/operate/releases?done=promote"
    assert "Promoted." in portal.client.get(done.headers["location"]).text
    assert standing(portal) == {Role.CURRENT: f"sha256:{NEXT * 64}"}  # and its shadow ended
    same = post(portal, "/operate/releases", act="promote", confirmed="true", **form)
    assert same.headers["location"] == "/operate/releases?done=nothing"
    back = {"act": "roll_back", "pipeline": "spleen", "reason": "worse"}
    made = portal.client.post("/api/v1/operate/releases", json=back).json()["promotion"]
    assert (made["release"], made["how"], made["by"]) == (f"sha256:{CURRENT * 64}", "rollback", "p-1")
    canary = {"act": "canary", "release": "spleen:2.0", "share": 0.1}
    assert portal.client.post("/api/v1/operate/releases", json=canary).status_code == 200
    assert standing(portal)[Role.CANARY] == f"sha256:{NEXT * 64}"
    assert "canary</dt>" in portal.client.get("/operate/releases").text
    ended = post(
        portal, "/operate/releases", act="end_canary", pipeline="spleen", stage="infer", confirmed="1"
    )
    assert ended.status_code == 303 and Role.CANARY not in standing(portal)
    actions = [action for action, _, _ in deeds(portal)]
    for deed in ("release.promoted", "release.rolled_back", "release.canary_begun", "release.canary_ended"):
        assert deed in actions, deed


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        ({"act": "promote", "release": "cafe"}, 404, "no release cafe"),
        ({"act": "promote", "release": ""}, 400, "no release is named"),
        ({"act": "promote", "release": "spleen"}, 400, "spleen is 2 releases"),
        ({"act": "canary", "release": "spleen:1.0"}, 400, "is the current release already"),
        ({"act": "end_canary"}, 400, "there is no canary"),
        ({"act": "roll_back"}, 400, "nothing to go back to"),
        (
            {"act": "promote", "release": "spleen:2.0", "pipeline": "liver"},
            400,
            "no such stage runs a release",
        ),
        ({"act": "canary", "release": "spleen:2.0", "share": 0}, 422, "share"),
        ({"act": "explode"}, 422, "act"),
    ],
)
def test_what_cannot_be_done_to_a_release_says_why(
    portal: Site, wish: dict[str, object], status: int, told: str
) -> None:
    release_on(portal.deployment)
    before = list(portal.deployment.ledger.promotions())
    answer = portal.client.post("/api/v1/operate/releases", json=wish)
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text
    assert portal.deployment.ledger.promotions() == before
    if status in {400, 404}:
        page = post(portal, "/operate/releases", **{k: str(v) for k, v in wish.items()})
        known = {"current release already"} & {told[7:]}  # is known only when it is done
        assert page.status_code == 400 or known or wish["act"] == "canary"


def standing(portal: Site) -> dict[Role, str]:
    return {p.role: p.digest for p in portal.deployment.ledger.standing() if p.digest}


# Notices and settings


def test_a_test_notice_is_sent_by_each_channel(portal: Site) -> None:
    lines: list[tuple[str, dict[str, object]]] = []
    portal.deployment.log = lambda action, /, **fields: lines.append((action, fields))
    page = portal.client.get("/operate/notices").text
    assert "a***@hospital.example" in page and "lovelace" not in page and "secret" not in page
    answer = post(portal, "/operate/notices/test", channel="log")
    assert "taken for the log" in answer.text
    assert [fields["kind"] for action, fields in lines if action == "notice"] == ["test"]
    failed = portal.client.post("/api/v1/operate/notices/test", json={"channel": "email"}).json()
    assert [(f["channel"], f["sent"]) for f in failed] == [("email", False)] and failed[0]["reason"]
    none = portal.client.post("/api/v1/operate/notices/test", json={"channel": "pigeon"})
    assert none.status_code == 400 and "log, webhook, email" in none.json()["detail"]
    assert [d[0] for d in deeds(portal)] == ["notice.tested", "notice.tested"]
    assert masked("ops@x.example, the log") == "o***@x.example, the log"


def test_settings_are_shown_with_their_source_and_without_secrets(portal: Site) -> None:
    portal.deployment.sources = {"machine.type": "bedside.toml:9", "system.root": "flag"}
    page = portal.client.get("/operate/settings").text
    assert "hush-hush" not in page and "secret/path" not in page
    assert "bedside.toml:9" in page and "g4dn.xlarge" in page
    found = {s["key"]: s for s in portal.client.get("/api/v1/operate/settings").json()}
    assert found["machine.type"] == {
        "key": "machine.type",
        "value": "g4dn.xlarge",
        "source": "bedside.toml:9",
    }
    assert (found["notify.smtp_password"]["value"], found["worker.count"]["source"]) == ("***", "default")
    only = portal.client.get("/operate/settings?only_set=true").text
    assert "bedside.toml:9" in only and "poll_s" not in only


# Machines that ask


def test_metrics_are_for_operators_of_the_whole_or_an_admitted_address(tmp_path: Path) -> None:
    with site(tmp_path, SETTINGS + MORE) as portal:
        work_on(portal.deployment)
        portal.gate.means = Means.TOKEN
        answer = portal.asks(ENGINEER).get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = {f.name: f for f in text_string_to_metric_families(answer.text)}
        jobs = {s.labels["state"]: s.value for s in families["bedside_jobs"].samples}
        assert jobs["dead"] == 3 and jobs["queued"] == 2
        assert families["bedside_queue_jobs"].samples[0].labels == {"pool": "default", "wait": "due"}
        steps = {
            (s.labels["step"], s.labels["quantile"])
            for s in families["bedside_stage_duration_seconds"].samples
        }
        assert {("run", "0.5"), ("run", "0.95"), ("wait", "0.5"), ("deliver", "0.95")} <= steps
        assert families["bedside_release_in_service"].samples[1].value == 0.25
        assert families["bedside_workers"].samples and "process_cpu_seconds" in families
        labels = {n for f in families.values() for s in f.samples for n in s.labels}
        assert not labels & {"tenant", "job", "worker", "subject", "arrival"}
        opened = portal.client.get(
            "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}
        )
        assert opened.headers["content-type"].startswith("application/openmetrics-text")
        assert opened.text.endswith("# EOF\n")
        for somebody, status in ((WARD, 403), (CLINICIAN, 403), (None, 401)):
            assert portal.asks(somebody).get("/metrics").status_code == status
    admitted = SETTINGS + 'metrics_from = ["10.0.0.0/8", "::1"]\n'
    with site(tmp_path, admitted) as portal:
        assert portal.asks(None).get("/metrics").status_code == 401  # "testclient" is no address
    assert is_admitted("10.1.2.3", ("10.0.0.0/8",)) and is_admitted("::1", ("::1",))
    assert not is_admitted("192.168.1.1", ("10.0.0.0/8",)) and not is_admitted("testclient", ("0.0.0.0/0",))
    assert not is_admitted("10.1.2.3", ())


def test_ready_is_asked_without_signing_in(portal: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from bedside.errors import Unavailable

    portal.asks(None)
    answer = portal.client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "ledger": "ok", "store": "ok"})

    def gone() -> None:
        raise Unavailable("the database at db.example does not answer")

    monkeypatch.setattr(portal.deployment.ledger, "release_names", gone)
    monkeypatch.setattr("bedside.operate.ready.FRESH_S", -1.0)
    answer = portal.client.get("/health/ready")
    assert (answer.status_code, answer.json()["ledger"]) == (503, "out of reach")
    assert "db.example" not in answer.text and answer.headers["retry-after"] == "5"


# Rules


def test_rules_are_tried_on_attributes_a_file_and_a_study(portal: Site, tmp_path: Path) -> None:
    page = post(portal, "/operate/rules/test", attributes="Modality = CT\nSliceThickness = 7")
    assert "does not match" in page.text and "it is 7" in page.text
    good = portal.client.post(
        "/api/v1/operate/rules/test", json={"attributes": {"Modality": "CT", "SliceThickness": 2.5}}
    ).json()
    assert [(v["rule"], v["matched"]) for v in good] == [("ct", True)]
    path = series(tmp_path / "s", PatientName=PATIENT)[0]
    files = {"file": ("DOE JANE.dcm", path.read_bytes(), "application/dicom")}
    asked = '[[rule]]\nname = "name"\npipeline = "liver"\nwhen = "PatientName == \'DOE^JANE\' or true"\n'
    tried = portal.client.post("/operate/rules/test", data={"csrf": CSRF, "rules": asked}, files=files).text
    shown = tried[: tried.index("<textarea")]
    assert "What the changed rules say" in shown and "starts liver" in shown and "(withheld)" in shown
    assert "JANE" not in shown.replace("&#39;DOE^JANE&#39;", "")  # but in the condition itself
    raw = portal.client.post("/api/v1/operate/rules/test/file", content=path.read_bytes()).json()
    assert raw[0]["conditions"][0]["series"][0]["clauses"][0]["found"] == "'CT'"
    assert portal.client.post("/api/v1/operate/rules/test/file", content=b"x").status_code == 422
    for wrong, told in (
        ({"attributes": "Modallity = CT"}, "did you mean"),
        ({"rules": "[[rule]]", "attributes": "Modality = CT"}, "Field required"),
        ({"study": "default:none"}, "none in tenant default"),
        ({}, "0 attributes"),
    ):
        refused = post(portal, "/operate/rules/test", **wrong)
        assert refused.status_code == 400 and told in refused.text, wrong
    assert not list((portal.deployment.root / ".work").rglob("*.dcm"))
    assert {d[0] for d in deeds(portal)} == {"rules.tried"}


def test_changed_rules_are_replayed_over_past_studies(portal: Site, tmp_path: Path) -> None:
    from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id

    deployment = portal.deployment
    for tenant, modality in (("default", "CT"), ("ward-3", "MR")):
        path = series(tmp_path / modality, modality=modality, PatientName=PATIENT, SliceThickness=2.5)[0]
        stored = StoredFile(sop_instance_uid="1.2", sha256="ab" * 32, size_bytes=path.stat().st_size)
        deployment.blobs.tenant(tenant).put_file(stored.key, path)
        deployment.ledger.add_arrival(
            Arrival(
                tenant=tenant,
                id=arrival_id((stored,)),
                kind=ArrivalKind.DICOM,
                subject=f"1.2.{modality}",
                version=0,
                files=(stored,),
                received_at=deployment.clock.now(),
            )
        )
    assert portal.client.get("/operate/rules").text.count("ward-3 ·") == 1
    changed = '[[rule]]\nname = "mr"\npipeline = "liver"\nwhen = "Modality == \'MR\'"\n'
    begun = post(portal, "/operate/rules/replays", rules=changed, limit="10")
    assert begun.status_code == 303
    page = finished(portal, begun.headers["location"])
    assert "would newly run" in page and "would no longer run" in page and "name = &#34;mr&#34;" in page
    lines = portal.client.get(f"{begun.headers['location']}/lines.csv")
    assert lines.headers["content-disposition"] == 'attachment; filename="replay.csv"'
    rows = [row.split(",") for row in lines.text.splitlines()[1:]]
    assert [(r[0], r[4], r[5]) for r in rows] == [
        ("ward-3", "liver", "newly"),
        ("default", "spleen", "no_longer"),
    ]
    assert PATIENT not in page + lines.text
    mine = portal.asks(WARD)
    assert mine.get(begun.headers["location"]).status_code == 404
    task = mine.post("/api/v1/operate/rules/replays", json={"rules": changed}).json()
    assert task["total"] == 1
    foreign = {"rules": changed, "tenant": "default"}
    assert mine.post("/api/v1/operate/rules/replays", json=foreign).status_code == 403
    finished(portal, f"/operate/rules/replays/{task['id']}")
    found = mine.get(f"/api/v1/operate/rules/replays/{task['id']}").json()
    assert (found["state"], found["totals"]["newly"], found["lines"][0]["tenant"]) == ("done", 1, "ward-3")
    assert not deployment.ledger.jobs("default", __import__("bedside.ports").ports.JobFilter())
    wrong = post(portal, "/operate/rules/replays", rules="[[rule]]\nname = 'x'\npipeline = 'heart'\n")
    assert wrong.status_code == 400 and "there is no pipeline" in wrong.text and "heart" in wrong.text


def test_nobody_finds_out_who_a_patient_is_by_making_rules_up(portal: Site, tmp_path: Path) -> None:
    arrival = arrived(portal.deployment, series(tmp_path / "s", PatientName=PATIENT), tenant="default")
    named = '[[rule]]\nname = "x"\npipeline = "liver"\nwhen = "PatientName matches \'^D\'"\n'
    study = {"study": {"tenant": "default", "arrival_id": arrival.id}, "rules": named}
    page = {"study": f"default:{arrival.id}", "rules": named}
    for who, status in ((ENGINEER, 403), (ADMIN, 403), (BOTH, 200)):
        portal.asks(who)
        assert portal.client.post("/api/v1/operate/rules/test", json=study).status_code == status
        assert post(portal, "/operate/rules/test", **page).status_code == status
        begun = portal.client.post("/api/v1/operate/rules/replays", json={"rules": named})
        assert begun.status_code == (202 if status == 200 else status)
    finished(portal, f"/operate/rules/replays/{begun.json()['id']}")
    portal.asks(ENGINEER)
    assert portal.client.post("/api/v1/operate/rules/test", json=study | {"rules": ""}).status_code == 200
    here = {"attributes": {"PatientName": "D"}, "rules": named}
    assert portal.client.post("/api/v1/operate/rules/test", json=here).status_code == 200
    harmless = named.replace("PatientName", "Modality")
    assert portal.client.post("/api/v1/operate/rules/replays", json={"rules": harmless}).status_code == 202


def finished(portal: Site, address: str) -> str:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        page = str(portal.client.get(address).text)
        if "hx-trigger" not in page:
            return page
        time.sleep(0.02)
    raise AssertionError("the replay did not end")


# Words


def test_every_word_that_is_put_together_is_there() -> None:
    wanted = {f"alarm_{kind}" for kind in AlarmKind}
    wanted |= {f"state_{state}" for state in (*JobState, "usd")} | {
        f"hand_{s}" for s in HandState if s != "works"
    }
    wanted |= {f"role_{role}" for role in Role} | {f"{v}_{a}" for v in ("do", "sure", "done") for a in Act}
    wanted |= {f"change_{change}" for change in Change} | {f"replay_is_{state}" for state in TaskState}
    wanted |= {f"notice_{k.value.replace('.', '_')}" for k in NoticeKind if k is not NoticeKind.TEST}
    wanted |= {f"channel_{name}" for name in ("log", "topic", "webhook", "email")}
    wanted |= {f"letter_{kind}" for kind in LetterKind} | {
        f"how_{how}" for how in ("file", "person", "rollback")
    }
    wanted |= {f"step_{step}" for step in (*STEPS, "took")}
    assert {word for word in wanted if f"operate.{word}" not in catalogue()} == set()
    assert {state.value for state in STATES} <= {s.value for s in JobState}
    assert set(NotifySettings.model_fields) >= {"kinds"} and Kind


# What it is told by others


def test_the_portals_process_knows_where_each_setting_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bedside.toml"
    file.write_text('[system]\nroot = "data"\n\n[machine]\ntype = "g4dn.xlarge"\n')
    loaded = load(file, environment={}, flags={"portal.listen": "127.0.0.1:1"})
    deployment = open_deployment(loaded.settings)
    deployment.sources = loaded.sources
    with serve._showing(deployment) as supervised:
        assert supervised is not None
        told = supervised._configuration
    deployment.close()
    seen: list[tuple[str, str]] = []

    def answers(opened: Deployment) -> None:
        sources = opened.sources
        seen.append((sources["machine.type"], sources["portal.listen"]))

    monkeypatch.setattr("bedside.portal.server.answer", answers)
    monkeypatch.setattr("bedside.runtime.lifeline.die_with_parent", lambda *_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(told + b"\n")))
    assert main(["portal", "--supervisor", "1"]) == 0
    assert seen == [(f"{file}:5", "flag")]


def test_dead_letters_of_queues_are_counted_looked_at_and_sent_back(tmp_path: Path, cloud: Cloud) -> None:
    queue, sqs = cloud.queue(attempts=1), cloud.client("sqs")
    hint = JobHint(tenant="ward-3", job="3f2a81c0", pool="default").body()
    sqs.send_message(QueueUrl=queue, MessageBody=hint)
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    more = f'[store]\nurl = "s3://{cloud.bucket()}"\n\n[queue]\nurl = "{queue}"\ndead_url = "{queue}-dead"\n'
    with site(tmp_path, SETTINGS + more) as portal:
        client = portal.asks(ENGINEER)
        assert client.get("/health/ready").json()["store"] == "ok"
        assert "About 1 lie there." in client.get("/operate/dead").text
        page = client.get("/operate/dead?letters=true").text
        assert "a job waits" in page and "3f2a81c0" in page
        found = client.get("/api/v1/operate/dead/letters").json()
        assert [(x["kind"], x["job"], x["tenants"]) for x in found["letters"]] == [
            ("hint", "3f2a81c0", ["ward-3"])
        ]
        assert "in S3, not measured here" in client.get("/operate").text
        assert "Are you sure?" in post(portal, "/operate/dead/letters").text
        done = post(portal, "/operate/dead/letters", confirmed="true")
        assert done.headers["location"] == "/operate/dead?back=1"
        assert "letters.sent_back" in [action for action, _, _ in deeds(portal)]
        assert "About 0 lie there." in client.get("/operate/dead").text
        assert "Dead letters" not in portal.asks(WARD).get("/operate/dead").text
        assert client.post("/api/v1/operate/dead/letters/send-back").status_code == 403
