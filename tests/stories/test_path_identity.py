"""What makes two things the same: studies however they are sent, jobs, results, tenants."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import nothing_bundle
from bedside.domain.job import Job, JobState
from clinic import SPLEEN, Clinic, copied, zipped

TWO_RULES = """
[[pipeline]]
name = "spleen"
bundle = "bundle"
outputs = ["seg"]

[[pipeline]]
name = "report"
bundle = "bundle"
outputs = ["sr"]

[[rule]]
name = "CT to spleen"
pipeline = "spleen"
when = "Modality == 'CT'"

[[rule]]
name = "abdomen to report"
pipeline = "report"
when = "BodyPartExamined == 'ABDOMEN'"
"""


def test_two_rules_under_two_releases_are_four_results(
    clinic_of: Callable[..., Clinic], tmp_path: Path
) -> None:
    clinic = clinic_of(pipelines=TWO_RULES)
    study = nothing_bundle.write_study(tmp_path / "study")
    zipped(study.iterdir(), clinic.inbox() / "first.zip")
    clinic.read_all()

    edited = clinic.folder / "bundle" / "configs" / "metadata.json"
    edited.write_text(edited.read_text().replace('"version": "1.0"', '"version": "1.1"'))
    clinic.restart()
    zipped(study.iterdir(), clinic.inbox() / "again.zip")
    clinic.read_all()

    jobs = clinic.jobs()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 4
    assert len({job.arrival_id for job in jobs}) == 1
    assert {job.pipeline.name for job in jobs} == {"spleen", "report"}
    assert len({job.pipeline.version for job in jobs}) == 4
    current = clinic.results()
    assert set(current) == {job.id for job in jobs}
    assert current == clinic.results(current_only=False)
    assert not any(result.superseded_by for result in current.values())
    assert len({result.prefix for result in current.values()}) == 4

    named = [(clinic.document(job)["release"], job) for job in jobs]
    assert all(release["digest"] == job.stage.release for release, job in named)
    assert sorted((r["version"], job.pipeline.name) for r, job in named) == [
        ("1.0", "report"),
        ("1.0", "spleen"),
        ("1.1", "report"),
        ("1.1", "spleen"),
    ]
    assert len({release["digest"] for release, _ in named}) == 2
    uids = [f["sop_instance_uid"] for job in jobs for f in clinic.document(job)["files"]]
    assert len(uids) == len(set(uids)) == 4

    assert clinic.type("job", "retry", jobs[0].id, "--yes").code == 0
    clinic.work()
    again = clinic.jobs()[-1]
    assert set(clinic.results()) == {again.id, *(job.id for job in jobs[1:])}, (
        "a re-run replaces its own only"
    )


def test_the_same_study_is_one_arrival_however_it_is_sent(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    ways: list[Callable[[Path], object]] = [
        lambda inbox: zipped(study, inbox / "one.zip"),
        lambda inbox: zipped(
            study[::-1],
            inbox / "two.ZIP",
            named=lambda path: f"DICOM/ST0/IM{path.stem[::-1]}",
            method=zipfile.ZIP_DEFLATED,
            more={"DICOM/LIESMICH.TXT": b"viewer"},
        ),
        lambda inbox: copied(study, inbox / "a folder" / "deep"),
        lambda inbox: copied(study, inbox, named=lambda path: f"z{99 - int(path.stem)}.ima"),
        lambda inbox: copied(study[2:] + study, inbox / "doubled", named=lambda path: f"{path.stem}.x"),
    ]
    for number, send in enumerate(ways, 1):
        send(clinic.inbox())
        assert clinic.take() == 1
        assert clinic.work() == (1 if number == 1 else 0)
        assert clinic.settle() == 1
        assert not any(path.is_file() for path in clinic.inbox().rglob("*"))

    job = clinic.job()
    entries = clinic.entries()
    assert len({entry.id for entry in entries}) == len(ways)
    assert {entry.arrivals for entry in entries} == {(job.arrival_id,)}
    assert "1 of 7 files left aside" in entries[1].reason
    manifests = list(clinic.root.glob("default/arrivals/*/manifest.json"))
    assert [path.parent.name for path in manifests] == [job.arrival_id]
    assert clinic.ledger.arrival("default", job.arrival_id).version == 1


def test_the_same_study_under_a_setting_that_changes_nothing_is_no_new_job(
    clinic: Clinic, tmp_path: Path
) -> None:
    study = nothing_bundle.write_study(tmp_path / "study")
    zipped(study.iterdir(), clinic.inbox() / "one.zip")
    clinic.read_all()
    clinic.configure(
        SPLEEN.replace('name = "spleen"\n', 'name = "spleen"\ntimeout_s = 60\npool = "gpu"\n', 1)
    )
    zipped(study.iterdir(), clinic.inbox() / "two.zip")
    clinic.read_all()
    before = clinic.job()
    clinic.configure(SPLEEN.replace('"seg", "sr"', '"seg"'))
    zipped(study.iterdir(), clinic.inbox() / "three.zip")
    clinic.read_all()
    assert len(clinic.jobs()) == 2
    assert set(clinic.results()) == {job.id for job in clinic.jobs()} > {before.id}


def test_two_tenants_share_nothing(clinic: Clinic, tmp_path: Path) -> None:
    study = nothing_bundle.write_study(tmp_path / "study")
    tenants = ("default", "ward-3")
    for tenant in tenants:
        zipped(study.iterdir(), clinic.inbox(tenant) / "study.zip")
        clinic.read_all(tenant)
    ours, theirs = (clinic.job(tenant) for tenant in tenants)
    assert ours.subject == theirs.subject
    assert ours.identity != theirs.identity
    assert {f["sop_instance_uid"] for f in clinic.document(ours)["files"]}.isdisjoint(
        f["sop_instance_uid"] for f in clinic.document(theirs)["files"]
    )
    for job in (ours, theirs):
        assert list(clinic.results(job.tenant)) == [job.id]
        assert clinic.place(job).is_relative_to(clinic.root / job.tenant)
        assert len(list(clinic.root.glob(f"{job.tenant}/arrivals/*/manifest.json"))) == 1
        assert len(list(clinic.root.glob(f"{job.tenant}/inferred/*/*.zip"))) == 1
    check_hidden(clinic, ours, tenant="ward-3")
    check_hidden(clinic, theirs, tenant="default")


def check_hidden(clinic: Clinic, job: Job, *, tenant: str) -> None:
    """Nothing of a job is found by a command that works for another tenant."""
    entry = clinic.entries(job.tenant)[0]
    assert clinic.type("job", "show", job.id, tenant=job.tenant).code == 0
    questions = [
        ("job", "show", job.id),
        ("job", "why", job.id),
        ("job", "why", entry.id),
        ("job", "watch", job.id),
        ("job", "retry", job.id, "--yes"),
        ("job", "cancel", job.id, "--yes"),
        ("job", "priority", job.id, "7"),
    ]
    for question in questions:
        answer = clinic.type(*question, tenant=tenant)
        assert answer.code == 2, question
        assert "no job" in answer.err
        assert job.id not in answer.out
    listed = clinic.type("job", "list", "--json", tenant=tenant).json["jobs"]
    assert job.id not in [other["id"] for other in listed]
    assert len(clinic.jobs(job.tenant)) == 1
