"""Late slices: the next version of a study, whose result takes the place of the one before."""

from pathlib import Path

import nothing_bundle
from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from clinic import Clinic, copied, files_below, zipped


def test_a_late_slice_makes_a_version_whose_result_supersedes(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", slices=7).iterdir())
    zipped(study[:-1], clinic.inbox() / "morning.zip")
    clinic.read_all()
    first = clinic.job()
    before = files_below(clinic.place(first))

    copied(study[-1:], clinic.inbox() / "noon")
    clinic.read_all()
    second = clinic.jobs()[-1]
    assert (first.arrival_version, second.arrival_version) == (1, 2)
    assert first.subject == second.subject
    assert first.arrival_id != second.arrival_id
    assert [len(clinic.document(job)["inputs"]["sop_instance_uids"]) for job in (first, second)] == [6, 7]

    assert list(clinic.results()) == [second.id]
    every = clinic.results(current_only=False)
    assert {job: result.superseded_by for job, result in every.items()} == {
        first.id: second.id,
        second.id: "",
    }
    assert files_below(clinic.place(first)) == before
    assert clinic.type("job", "show", first.id, "--json").json["superseded_by"] == second.id
    uids = [{f["sop_instance_uid"] for f in clinic.document(job)["files"]} for job in (first, second)]
    assert uids[0].isdisjoint(uids[1])


def test_a_version_that_is_read_later_supersedes_nothing_newer(clinic: Clinic, tmp_path: Path) -> None:
    """Both versions wait; the newer one is done first."""
    study = sorted(nothing_bundle.write_study(tmp_path / "study", slices=7).iterdir())
    copied(study[:-1], clinic.inbox() / "morning")
    clinic.take()
    copied(study[-1:], clinic.inbox() / "noon")
    clinic.take()
    first, second = clinic.jobs()
    assert clinic.type("job", "priority", second.id, "5").code == 0
    clinic.work()
    done = [e.job_id for e in clinic.ledger.events("default") if e.action == "job.complete"]
    assert done == [second.id, first.id]
    assert list(clinic.results()) == [second.id]
    assert clinic.results(current_only=False)[first.id].superseded_by == second.id


def test_the_missing_slice_that_comes_later_mends_the_study(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", slices=7).iterdir())
    copied(study[:3] + study[4:], clinic.inbox() / "gap")
    clinic.read_all()
    copied(study[3:4], clinic.inbox() / "late")
    clinic.read_all()
    assert [job.state for job in clinic.jobs()] == [JobState.REJECTED, JobState.SUCCEEDED]
    assert [entry.state for entry in clinic.entries()] == [EntryState.REJECTED, EntryState.SETTLED]
    assert list(clinic.results()) == [clinic.jobs()[-1].id]
    explained = clinic.type("job", "why", clinic.jobs()[-1].subject)
    assert "version 2" in explained.out
    assert "succeeded" in explained.out
