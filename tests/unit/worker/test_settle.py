"""Entries leave the drop-box when their jobs ended, by a way that no crash tears and no name leaves by."""

import errno
import json
from pathlib import Path

import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.config import IntakeSettings
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.job import JobState
from bedside.domain.pipeline import Rule
from bedside.errors import Unavailable
from intake_samples import PATIENT, RECORDING, Ward, instances, pipeline, zipped

TWO = (Rule(name="a", pipeline="spleen", priority=1), Rule(name="b", pipeline="liver"))


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path / "data")


@pytest.fixture
def taken(ward: Ward, tmp_path: Path) -> Ward:
    """A ward with one ZIP taken and its job queued."""
    ward.drop(f"{PATIENT}.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    return ward


def the_entry(ward: Ward) -> Entry:
    (entry,) = ward.entries
    return entry


def record(ward: Ward, place: str = "inferred/{}/entry.json") -> dict:  # type: ignore[type-arg]
    return json.loads(ward.store.get(place.format(the_entry(ward).id)))


def settled_files(ward: Ward) -> list[str]:
    return [key for key in ward.files() if key.startswith(("inferred/", "rejected/"))]


def test_an_entry_stays_until_its_jobs_ended(taken: Ward) -> None:
    assert taken.intake.settle("default") == 0
    (job,) = taken.jobs
    taken.end(job)
    assert taken.intake.settle("default") == 1
    entry = the_entry(taken)
    assert (entry.state, entry.reason) == (EntryState.SETTLED, "")
    assert taken.files("input/") == []
    assert settled_files(taken) == [f"inferred/{entry.id}/000001.zip", f"inferred/{entry.id}/entry.json"]
    assert record(taken)["jobs"] == [{"id": job.id, "pipeline": "spleen", "state": "succeeded", "reason": ""}]
    assert PATIENT not in taken.told()
    assert taken.intake.settle("default") == 0
    assert taken.take() == 0


def test_an_entry_of_which_nothing_came_settles_at_once_and_says_so(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "data", rules=(Rule(name="mr", pipeline="spleen", when="Modality == 'MR'"),))
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    assert ward.intake.settle("default") == 1
    assert the_entry(ward).state is EntryState.SETTLED
    assert the_entry(ward).reason == "no rule started a job"
    assert ward.files("input/") == []


@pytest.mark.parametrize("state", [JobState.DEAD, JobState.CANCELLED])
def test_dead_and_cancelled_jobs_settle_and_can_still_be_driven_again(taken: Ward, state: JobState) -> None:
    (job,) = taken.jobs
    taken.end(job, state)
    assert taken.intake.settle("default") == 1
    assert the_entry(taken).state is EntryState.SETTLED
    arrival = taken.ledger.arrival("default", job.arrival_id)
    assert all(taken.store.stat(f.key) for f in arrival.files)  # all that a re-drive reads
    taken.ledger.redrive("default", job.id, taken.clock.now())
    taken.end(job)
    assert taken.intake.settle("default") == 0
    assert record(taken)["jobs"][0]["state"] == state.value


def test_an_entry_that_no_job_could_read_is_rejected_with_the_reasons(taken: Ward) -> None:
    (job,) = taken.jobs
    taken.end(job, JobState.REJECTED)
    assert taken.intake.settle("default") == 1
    entry = the_entry(taken)
    assert entry.state is EntryState.REJECTED
    assert entry.reason == "gap of 10.0 mm between slices 1 and 2"
    assert settled_files(taken) == [f"rejected/{entry.id}/000001.zip", f"rejected/{entry.id}/reason.json"]
    assert record(taken, "rejected/{}/reason.json")["jobs"][0]["reason"] == entry.reason
    assert taken.take() == 0


def test_one_job_that_could_read_it_is_enough_to_be_inferred(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "data", rules=TWO, pipelines=(pipeline(), pipeline("liver")))
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    jobs = sorted(ward.jobs, key=lambda j: -j.priority)
    ward.end(jobs[0], JobState.REJECTED)
    assert ward.intake.settle("default") == 0
    ward.end(jobs[1])
    assert ward.intake.settle("default") == 1
    assert the_entry(ward).state is EntryState.SETTLED


def test_every_study_of_an_entry_must_have_ended(ward: Ward, tmp_path: Path) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "1", "a") + instances(tmp_path / "2", "b")))
    ward.take()
    first = ward.ledger.lease(pools=["default"], worker="w", now=ward.clock.now(), lease_s=60)
    assert first
    ward.ledger.cancel("default", first.job.id, ward.clock.now())
    assert ward.intake.settle("default") == 0
    (left,) = (j for j in ward.jobs if j.id != first.job.id)
    ward.end(left)
    assert ward.intake.settle("default") == 1


def test_a_folder_leaves_whole_and_without_its_names(ward: Ward, tmp_path: Path) -> None:
    for path in instances(tmp_path / "ct", "a"):
        ward.drop(f"{PATIENT}/deep/{path.name}", path.read_bytes())
    ward.drop(f"{PATIENT}/DOE.JANE", b"notes")
    ward.drop(f"{PATIENT}/.complete", b"")
    ward.drop(f"{PATIENT}.complete", b"")
    ward.take()
    ward.end(ward.jobs[0])
    ward.intake.settle("default")
    place = f"inferred/{the_entry(ward).id}"
    names = ["000001", "000002.dcm", "000003.dcm", "000004.dcm", "entry.json"]
    assert settled_files(ward) == [f"{place}/{name}" for name in names]
    assert list((ward.root / "default/input").iterdir()) == []
    assert PATIENT not in ward.told()


def test_loose_files_leave_together(ward: Ward, tmp_path: Path) -> None:
    for path in instances(tmp_path / "ct", "a"):
        ward.drop(f"{PATIENT}{path.name}", path.read_bytes())
    ward.drop(".complete", b"")
    ward.intake.step("default")
    ward.end(ward.jobs[0])
    ward.intake.settle("default")
    assert list((ward.root / "default/input").iterdir()) == []
    assert len(settled_files(ward)) == 4


def test_a_file_set_keeps_its_extensions(tmp_path: Path) -> None:
    settings = IntakeSettings(quiet_s=5, file_set=(RECORDING,))
    ward = Ward(tmp_path / "data", settings=settings, pipelines=(pipeline(), pipeline("video")))
    ward.drop(f"{PATIENT}.mp4", b"v")
    ward.drop(f"{PATIENT}.hpf", b"p")
    ward.drop(f"{PATIENT}.complete", b"")
    ward.take()
    ward.end(ward.jobs[0])
    ward.intake.settle("default")
    assert [key.rsplit("/")[-1] for key in settled_files(ward)] == ["000001.hpf", "000002.mp4", "entry.json"]
    assert list((ward.root / "default/input").iterdir()) == []


def test_what_was_put_there_meanwhile_is_left_alone(taken: Ward, tmp_path: Path) -> None:
    taken.drop(f"{PATIENT}.zip", zipped(instances(tmp_path / "new", "b")))
    taken.end(taken.jobs[0])
    assert taken.intake.settle("default") == 1
    assert taken.files("input/") == [f"input/{PATIENT}.zip"]
    assert settled_files(taken) == []
    assert "replaced" in the_entry(taken).reason
    assert taken.take() == 1
    assert [e.state for e in taken.entries] == [EntryState.SETTLED, EntryState.TAKEN]


def test_loose_files_that_came_later_take_the_earlier_along(ward: Ward, tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a", slices=3)
    for path in paths[:2]:
        ward.drop(path.name, path.read_bytes())
    ward.take()
    ward.drop(paths[2].name, paths[2].read_bytes())
    ward.take()
    for job in sorted(ward.jobs, key=lambda j: j.arrival_version):
        ward.end(job)
    assert ward.intake.settle("default") == 2
    assert ward.files("input/") == []
    assert len(settled_files(ward)) == 4  # all three files and one record


def test_what_was_taken_away_meanwhile_settles_without_a_move(taken: Ward) -> None:
    (taken.root / f"default/input/{PATIENT}.zip").unlink()
    taken.end(taken.jobs[0])
    assert taken.intake.settle("default") == 1
    assert the_entry(taken).state is EntryState.SETTLED
    assert "taken away" in the_entry(taken).reason
    assert settled_files(taken) == []


class Crash(BaseException):
    """Ends the process here, as SIGKILL does."""


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.REJECTED])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(5))
def test_a_crash_anywhere_on_the_way_is_repaired(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, before: bool, state: JobState
) -> None:
    for path in instances(tmp_path / "ct", "a"):
        ward.drop(f"study/{path.name}", path.read_bytes())
    ward.take()
    ward.end(ward.jobs[0], state)
    steps = 0

    def crashing(real):  # type: ignore[no-untyped-def]
        def call(*args: object, **more: object) -> object:
            nonlocal steps
            now, steps = steps == at, steps + 1
            if now and before:
                raise Crash
            done = real(*args, **more)
            if now:
                raise Crash
            return done

        return call

    for owner, name in ((FolderBlobStore, "put"), (FolderBlobStore, "move"), (ward.ledger, "put_entry")):
        monkeypatch.setattr(owner, name, crashing(getattr(owner, name)))
    with pytest.raises(Crash):
        ward.intake.settle("default")
    monkeypatch.undo()
    ward.drop("study/late.dcm", b"came between crash and repair")
    ward.restarted()
    ward.intake.settle("default")
    entry = the_entry(ward)
    place, name = ("inferred", "entry.json") if state is JobState.SUCCEEDED else ("rejected", "reason.json")
    assert entry.state is (EntryState.SETTLED if state is JobState.SUCCEEDED else EntryState.REJECTED)
    if at == 0 and before:  # no record of a move: what lies there now is another thing
        assert len(ward.files("input/study/")) == 4
    else:
        assert settled_files(ward) == [
            f"{place}/{entry.id}/{n}" for n in ["000001.dcm", "000002.dcm", "000003.dcm", name]
        ]
        assert ward.files("input/") == ["input/study/late.dcm"]


def test_a_drop_box_that_cannot_be_written_keeps_other_entries_not_waiting(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.drop("a.zip", zipped(instances(tmp_path / "1", "a")))
    ward.drop("b.zip", zipped(instances(tmp_path / "2", "b")))
    ward.take()
    for job in reversed(ward.jobs):
        ward.end(job)
    real = FolderBlobStore.move

    def move(self: FolderBlobStore, source: str, destination: str) -> None:
        if source == "input/a.zip":
            raise Unavailable(f"store: cannot move: {errno.errorcode[errno.EROFS]}")
        real(self, source, destination)

    monkeypatch.setattr(FolderBlobStore, "move", move)
    assert ward.intake.settle("default") == 1
    assert ward.intake.settle("default") == 0
    assert sum("entry.stays" in line for line in ward.lines) == 1  # not at every look
    assert {e.key: e.state for e in ward.entries} == {
        "input/a.zip": EntryState.TAKEN,
        "input/b.zip": EntryState.SETTLED,
    }
    monkeypatch.undo()
    assert ward.intake.settle("default") == 1
    assert ward.files("input/") == []


def test_the_same_study_sent_again_after_it_settled_is_tidied_away_too(taken: Ward, tmp_path: Path) -> None:
    taken.end(taken.jobs[0])
    taken.intake.settle("default")
    taken.drop(f"{PATIENT}.zip", zipped(instances(tmp_path / "again", "a")))
    assert taken.take() == 1
    assert len(taken.jobs) == 1
    assert taken.intake.settle("default") == 1
    assert taken.files("input/") == []


@pytest.mark.parametrize("at", range(6))
def test_a_rejected_folder_leaves_whole_though_a_crash_came_between(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    for name in ("a", "b", "c"):
        ward.drop(f"study/{name}.txt", b"no DICOM")
    steps = 0

    def crashing(real):  # type: ignore[no-untyped-def]
        def call(*args: object, **more: object) -> object:
            nonlocal steps
            now, steps = steps == at, steps + 1
            if now:
                raise Crash
            return real(*args, **more)

        return call

    for owner, name in ((FolderBlobStore, "put"), (FolderBlobStore, "move"), (ward.ledger, "put_entry")):
        monkeypatch.setattr(owner, name, crashing(getattr(owner, name)))
    with pytest.raises(Crash):
        ward.take()
    monkeypatch.undo()
    ward.restarted()
    ward.take()
    ward.intake.settle("default")
    entry = the_entry(ward)
    assert entry.state is EntryState.REJECTED
    assert "no DICOM instance among its 3 files" in entry.reason
    names = ["000001", "000002", "000003", "reason.json"]
    assert ward.files() == [f"rejected/{entry.id}/{name}" for name in names]
