"""Promoting a release and taking it back, as a user types it: from the next study on, without a restart."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import nothing_bundle
from bedside.domain.job import JobState
from bedside.domain.release import Role
from bedside.ports.audit import AuditFilter
from clinic import Clinic, copied, zipped

TWO_STAGES = """
[[pipeline]]
name = "both"

[[pipeline.stage]]
name = "first"
bundle = "bundle"
outputs = ["seg"]

[[pipeline.stage]]
name = "second"
bundle = "bundle"
outputs = ["sr"]
"""


def send(clinic: Clinic, folder: Path, seed: str) -> None:
    """Drop a study, and let intake take it."""
    study = nothing_bundle.write_study(folder / seed, seed=seed)
    zipped(study.iterdir(), clinic.inbox() / f"{seed}.zip")
    assert clinic.take() == 1


def another(clinic: Clinic, version: str) -> Path:
    """Write another version of the model beside the deployment, and let the shared children find it."""
    bundle = clinic.folder / f"bundle-{version}"
    if not bundle.exists():
        nothing_bundle.write_bundle(bundle, version=version)
    clinic.models.folders[nothing_bundle.digest(bundle)] = bundle
    return bundle


def versions_read(clinic: Clinic) -> list[str]:
    """Return the version of the release that each result names, in the order of the studies."""
    return [clinic.document(job)["release"]["version"] for job in clinic.jobs()]


def test_a_promotion_counts_from_the_next_study_and_a_rollback_takes_it_back(
    clinic: Clinic, tmp_path: Path
) -> None:
    send(clinic, tmp_path, "one")
    bundle = another(clinic, "2.0")
    added = clinic.type("release", "add", bundle, "--json").json["releases"][0]
    assert (added["version"], added["kind"], added["names"]) == ("2.0", "bundle", ["nothing:2.0"])
    send(clinic, tmp_path, "added, not promoted")

    promoted = clinic.type("release", "promote", "nothing:2.0", "--reason", "thin slices")
    assert promoted.code == 0 and "every new study is read by nothing 2.0" in promoted.err
    send(clinic, tmp_path, "two")
    clinic.work()  # queued jobs keep the release they name
    assert [job.state for job in clinic.jobs()] == [JobState.SUCCEEDED] * 3
    assert versions_read(clinic) == ["1.0", "1.0", "2.0"]

    assert clinic.type("release", "promote", added["digest"]).code == 0  # again: nothing new to write down
    listed = {r["version"]: r["used"] for r in clinic.type("release", "list", "--json").json["releases"]}
    assert listed == {"2.0": ["current in spleen/infer"], "1.0": []}
    assert "thin slices" in clinic.type("release", "show", added["digest"][7:15]).out

    assert clinic.type("release", "rollback", "--reason", "misses small ones").code == 0
    send(clinic, tmp_path, "three")
    clinic.work()
    assert versions_read(clinic)[-1] == "1.0"
    history = clinic.type("release", "history", "--json").json["promotions"]
    assert [(line["how"], line["reason"]) for line in history] == [
        ("rollback", "misses small ones"),
        ("person", "thin slices"),
        ("file", "names its first release"),
    ]
    again = clinic.type("release", "rollback")
    assert again.code == 2 and "nothing to go back to" in again.err
    deeds = [record.deed.action for record in clinic.here.records.audit.walk(AuditFilter())]
    assert deeds == ["release.promoted", "release.rolled_back"]


def test_a_restart_keeps_what_was_promoted_and_an_edited_bundle_is_a_promotion(
    clinic: Clinic, tmp_path: Path
) -> None:
    assert clinic.type("release", "promote", another(clinic, "2.0")).code == 0  # before anything else ran
    clinic.restart()
    send(clinic, tmp_path, "one")
    metadata = clinic.folder / "bundle" / "configs" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"version": "1.0"', '"version": "1.1"'))
    send(clinic, tmp_path, "two")
    already = clinic.type("release", "promote", "nothing:2.0")
    assert "is the current release already" in already.err, "an edit counts when serve starts, not before"
    clinic.restart()
    send(clinic, tmp_path, "three")
    clinic.restart()
    assert clinic.type("release", "rollback").code == 0
    send(clinic, tmp_path, "four")
    clinic.work()
    assert versions_read(clinic) == ["2.0", "2.0", "1.1", "2.0"]
    assert [line["how"] for line in clinic.type("release", "history", "--json").json["promotions"]] == [
        "rollback",
        "file",
        "person",
        "file",
    ]


def test_a_late_slice_under_a_new_release_supersedes_the_result_of_the_old_one(
    clinic: Clinic, tmp_path: Path
) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", slices=7).iterdir())
    copied(study[:-1], clinic.inbox() / "morning")
    clinic.read_all()
    assert clinic.type("release", "promote", another(clinic, "2.0")).code == 0
    copied(study[-1:], clinic.inbox() / "noon")
    clinic.read_all()
    first, second = clinic.jobs()
    assert versions_read(clinic) == ["1.0", "2.0"]
    assert list(clinic.results()) == [second.id]
    assert clinic.results(current_only=False)[first.id].superseded_by == second.id


def test_a_study_whose_intake_was_torn_by_a_crash_is_read_once_across_a_promotion(
    clinic: Clinic, tmp_path: Path
) -> None:
    """Its job was queued, its entry not recorded; then a promotion, and intake begins again."""
    ledger = clinic.ledger
    torn: list[object] = []

    class Torn:
        def __getattr__(self, name: str) -> object:
            if name == "put_entry" and not torn:
                torn.append(name)
                raise KeyboardInterrupt  # nothing else is caught nowhere
            return getattr(ledger, name)

    study = nothing_bundle.write_study(tmp_path / "study")
    zipped(study.iterdir(), clinic.inbox() / "study.zip")
    clinic.here.intake.ledger = Torn()  # type: ignore[assignment]
    with contextlib.suppress(KeyboardInterrupt):
        clinic.take()
    (queued,) = clinic.jobs()
    assert clinic.entries() == []
    assert clinic.type("release", "promote", another(clinic, "2.0")).code == 0
    clinic.restart()
    assert clinic.take() == 1
    assert [job.id for job in clinic.jobs()] == [queued.id]

    clinic.work()
    clinic.settle()
    zipped(study.iterdir(), clinic.inbox() / "sent again.zip")
    clinic.read_all()
    assert versions_read(clinic) == ["1.0", "2.0"], "sent again after a promotion, it is read by the new one"


def test_a_stage_must_be_named_where_there_are_several(
    clinic_of: Callable[..., Clinic], tmp_path: Path
) -> None:
    rule = '\n[[rule]]\nname = "all"\npipeline = "both"\n'
    clinic = clinic_of(pipelines=TWO_STAGES + rule)
    bundle = another(clinic, "2.0")
    refused = clinic.type("release", "promote", bundle)
    assert refused.code == 2 and "2 stages run a release: both/first, both/second" in refused.err
    assert clinic.type("release", "promote", bundle, "--stage", "third").code == 2
    assert clinic.type("release", "promote", bundle, "--stage", "second").code == 0
    send(clinic, tmp_path, "one")
    clinic.work()
    job = clinic.job()
    assert [stage.release for stage in job.pipeline.stages] == [
        nothing_bundle.digest(clinic.folder / "bundle"),
        nothing_bundle.digest(bundle),
    ]
    document = clinic.document(job)
    assert document["release"]["digest"] == job.pipeline.stages[1].release
    assert document["stages"][0]["release"] == job.pipeline.stages[0].release
    assert job.role is Role.CURRENT


def test_what_is_no_release_is_refused_and_nothing_changes(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for wrong in ("liver:9", "sha256:" + "0" * 64, tmp_path / "empty", tmp_path / "missing"):
        refused = clinic.type("release", "promote", wrong)
        assert refused.code in (2, 3), (wrong, refused.err)
        assert "hint:" in refused.err
    assert [line["how"] for line in clinic.type("release", "history", "--json").json["promotions"]] == [
        "file"
    ]
    # two releases of one name and version: the name means the one added last, its model's name neither
    for number in (1, 2):
        bundle = another(clinic, f"3.{number}")
        metadata = bundle / "configs" / "metadata.json"
        metadata.write_text(metadata.read_text().replace(f'"3.{number}"', '"3.0"') + "\n" * number)
        assert clinic.type("release", "add", bundle).code == 0
    last = clinic.type("release", "add", bundle, "--json").json["releases"][0]["digest"]
    assert clinic.type("release", "show", "nothing:3.0", "--json").json["digest"] == last
    several = clinic.type("release", "show", "nothing")
    assert several.code == 2 and "type the beginning of its digest" in several.err
