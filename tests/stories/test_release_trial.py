"""A release on trial, as a user types it: compared beside the current one, or for a share of the studies."""

import json
from pathlib import Path

import pytest

import nothing_bundle
from bedside.domain.job import Job, JobState
from bedside.domain.release import Role
from bedside.domain.result import RESULT_FILE
from clinic import Clinic, copied, zipped

#: What the other model does first: air where the lower half of the tissue is.
CUT = """
    image = image.clone()
    image[..., :3] = -1000
"""


def send(clinic: Clinic, folder: Path, seed: str, *, behaviour: str = "works") -> Job:
    """Drop a study, let intake take it, and return the delivered job."""
    study = nothing_bundle.write_study(folder / seed, seed=seed, behaviour=behaviour)
    zipped(study.iterdir(), clinic.inbox() / f"{seed}.zip")
    assert clinic.take() == 1
    return [job for job in clinic.jobs() if job.role is not Role.SHADOW][-1]


def half_blind(clinic: Clinic) -> Path:
    """Write a model that finds half of what the current one finds, and let the children know of it."""
    bundle = nothing_bundle.write_bundle(clinic.folder / "half", version="2.0")
    code = (bundle / "behave.py").read_text()
    assert code.count("    return image\n") == 1
    (bundle / "behave.py").write_text(code.replace("    return image\n", f"{CUT}    return image\n"))
    clinic.models.folders[nothing_bundle.digest(bundle)] = bundle
    return bundle


def by_role(clinic: Clinic, role: Role) -> list[Job]:
    return [job for job in clinic.jobs() if job.role is role]


def test_a_shadow_runs_beside_is_compared_and_never_delivered(clinic: Clinic, tmp_path: Path) -> None:
    bundle = half_blind(clinic)
    assert clinic.type("release", "compare").code == 2
    assert clinic.type("release", "shadow", bundle, "--reason", "half the price").code == 0
    for number in (1, 2):
        send(clinic, tmp_path, f"s{number}")
    assert [job.role for job in clinic.jobs()] == [Role.CURRENT, Role.SHADOW] * 2

    worker = clinic.worker()
    assert worker.step() and worker.step()
    assert [job.state for job in by_role(clinic, Role.CURRENT)] == [JobState.SUCCEEDED] * 2, "shadows wait"
    assert clinic.settle() == 2, "nobody waits for a shadow"
    assert clinic.work(worker) == 2

    current, shadows = by_role(clinic, Role.CURRENT), by_role(clinic, Role.SHADOW)
    for job in shadows:
        assert job.prefix.startswith("shadows/")
        document = json.loads((clinic.place(job) / RESULT_FILE).read_text())
        assert document["release"]["version"] == "2.0"
    assert set(clinic.results(current_only=False)) == {job.id for job in current}
    found = list((clinic.root / "default" / "results").glob("*/*/result.json"))
    assert {path.parent.name for path in found} == {job.id for job in current}
    uids = [
        {file["sop_instance_uid"] for file in clinic.document(job)["files"]}
        for job in (current[0], shadows[0])
    ]
    assert uids[0].isdisjoint(uids[1])

    compared = clinic.type("release", "compare", "--json").json
    assert (compared["compared"], compared["not_compared"]) == (2, [])
    (label,) = compared["labels"]
    assert (label["name"], label["studies"]) == ("spleen", 2)
    # 2 of 4 slices: 2·2 / (4 + 2)
    assert label["mean"] == label["worst"] == pytest.approx(2 / 3, abs=1e-6)
    volumes = compared["worst"][0]["labels"][0]
    assert volumes["against_volume_ml"] == pytest.approx(measured_ml(clinic, current[0]), abs=1e-3)
    assert volumes["volume_ml"] == pytest.approx(volumes["against_volume_ml"] / 2, abs=1e-3)
    assert {c["shadow_job"]: c["current_job"] for c in compared["worst"]} == {
        shadow.id: job.id for shadow, job in zip(shadows, current, strict=True)
    }
    shown = clinic.type("release", "compare", "nothing:2.0").out
    assert "0.6667" in shown and shadows[0].id[:12] in shown

    # Promoted, it is a trial no more, and the same studies are read anew and delivered.
    assert clinic.type("release", "promote", "nothing:2.0").code == 0
    again = send(clinic, tmp_path, "s1-again")
    assert [job.role for job in clinic.jobs()[-1:]] == [Role.CURRENT]
    assert again.stage.release == nothing_bundle.digest(bundle)


def measured_ml(clinic: Clinic, job: Job) -> float:
    return float(clinic.document(job)["measurements"][0]["volume_ml"])


def test_a_shadow_that_fails_says_so_and_harms_nobody(clinic: Clinic, tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(clinic.folder / "broken", version="2.0")
    code = (bundle / "behave.py").read_text()
    (bundle / "behave.py").write_text(code.replace("    return image\n", "    raise ValueError('no')\n"))
    clinic.models.folders[nothing_bundle.digest(bundle)] = bundle
    assert clinic.type("release", "shadow", bundle).code == 0
    job = send(clinic, tmp_path, "one")
    clinic.work()
    assert list(clinic.results()) == [job.id]
    assert [job.state for job in by_role(clinic, Role.SHADOW)] == [JobState.DEAD]
    assert clinic.settle() == 1
    assert clinic.entries()[0].state.value == "settled"
    compared = clinic.type("release", "compare", "--json").json
    assert compared["compared"] == 0
    assert "the shadow ended dead" in compared["not_compared"][0]["problem"]
    assert clinic.type("release", "shadow", "--stop").code == 0
    send(clinic, tmp_path, "two")
    assert len(by_role(clinic, Role.SHADOW)) == 1


def test_a_shadow_that_ends_first_waits_for_the_delivered_job(clinic: Clinic, tmp_path: Path) -> None:
    assert clinic.type("release", "shadow", half_blind(clinic)).code == 0
    job = send(clinic, tmp_path, "one")
    (shadow,) = by_role(clinic, Role.SHADOW)
    assert clinic.type("job", "priority", shadow.id, "5").code == 0
    comparer = clinic.here.comparer(tmp_path / "compare")
    worker = clinic.worker()
    assert worker.step()
    assert [job.state for job in by_role(clinic, Role.SHADOW)] == [JobState.SUCCEEDED]
    assert comparer.step() == 0
    assert clinic.work(worker) == 1
    assert comparer.step() == 1
    assert comparer.step() == 0
    (found,) = clinic.ledger.comparisons("default")
    assert (found.current_job, found.problem) == (job.id, "")


def test_a_canary_reads_its_share_and_is_delivered(clinic: Clinic, tmp_path: Path) -> None:
    bundle = half_blind(clinic)
    assert clinic.type("release", "canary", bundle, "--share", "0.5").code == 0
    jobs = [send(clinic, tmp_path, f"s{number}") for number in range(12)]
    canaries = {job.subject for job in jobs if job.role is Role.CANARY}
    assert 0 < len(canaries) < len(jobs)
    assert all(
        (job.stage.release == nothing_bundle.digest(bundle)) == (job.role is Role.CANARY) for job in jobs
    )
    clinic.work()
    clinic.settle()
    assert set(clinic.results()) == {job.id for job in jobs}

    # A late slice of a study finds the release that read the slices before it.
    for number, job in enumerate(jobs[:4]):
        late = nothing_bundle.write_study(tmp_path / f"late{number}", seed=f"s{number}", slices=7)
        copied(sorted(late.iterdir())[-1:], clinic.inbox() / f"late{number}")
        assert clinic.take() == 1
        newest = clinic.jobs()[-1]
        assert (newest.subject, newest.role, newest.arrival_version) == (job.subject, job.role, 2)

    listed = clinic.type("release", "list", "--json").json["releases"]
    assert listed[0]["used"] == ["canary (50%) in spleen/infer"]
    for wrong in ("0", "1.5"):
        assert clinic.type("release", "canary", bundle, "--share", wrong).code == 2
    assert clinic.type("release", "canary", "--stop").code == 0
    assert all(send(clinic, tmp_path, f"t{n}").role is Role.CURRENT for n in range(6))


def test_past_studies_are_run_under_a_release(clinic: Clinic, tmp_path: Path) -> None:
    jobs = [send(clinic, tmp_path, f"s{number}") for number in range(3)]
    clinic.work()
    clinic.settle()
    bundle = half_blind(clinic)
    assert clinic.type("release", "rerun", bundle).code == 2, "nobody can be asked"
    first = clinic.type("release", "rerun", bundle, "--last", "2", "--shadow", "--yes", "--json").json
    assert len(first["new"]) == 2
    clinic.work()
    compared = clinic.type("release", "compare", "--json").json
    assert compared["compared"] == 2
    assert {c["current_job"] for c in compared["worst"]} == {job.id for job in jobs[1:]}

    study = jobs[0].subject
    again = clinic.type("release", "rerun", "nothing:2.0", "--study", study, "--yes", "--json").json
    clinic.work()
    (by_hand,) = by_role(clinic, Role.RERUN)
    assert again["new"] == [by_hand.id]
    assert set(clinic.results()) == {by_hand.id, *(job.id for job in jobs)}, "it supersedes none"
    assert clinic.document(by_hand)["release"]["version"] == "2.0"
    known = clinic.type("release", "rerun", "nothing:2.0", "--study", study, "--yes")
    assert "0 queued; 1 were read by this release before" in known.err
    assert clinic.type("release", "rerun", "nothing:2.0", "--study", "1.2.3", "--yes").code == 2
