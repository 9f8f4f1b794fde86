"""What comes into the drop-box becomes arrivals, decisions and jobs, once, whatever crashes when."""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.config import IntakeSettings
from bedside.domain.arrival import ArrivalKind, EntryState, arrival_id
from bedside.domain.expression import WITHHELD
from bedside.domain.pipeline import Rule
from bedside.errors import ConfigError, Unavailable
from bedside.worker.sweep import hold
from intake_samples import PATIENT, RECORDING, Ward, instances, pipeline, zipped


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path / "data")


def only(items: list) -> object:  # type: ignore[type-arg]
    (item,) = items
    return item


def test_a_zip_becomes_an_arrival_and_a_job(ward: Ward, tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a")
    ward.drop(f"{PATIENT}.zip", zipped(paths))
    assert ward.take() == 1
    entry = only(ward.entries)
    assert (entry.state, entry.key, entry.reason) == (EntryState.TAKEN, f"input/{PATIENT}.zip", "")
    arrival = ward.ledger.arrival("default", entry.arrivals[0])
    assert (arrival.kind, arrival.version, len(arrival.files)) == (ArrivalKind.DICOM, 1, 3)
    assert arrival.id == arrival_id(arrival.files)
    assert [f.sha256 for f in arrival.files] == [
        hashlib.sha256(ward.store.get(f.key)).hexdigest() for f in arrival.files
    ]
    assert {f.sha256 for f in arrival.files} == {hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
    assert ward.store.stat(arrival.manifest_key)
    job = only(ward.jobs)
    assert (job.arrival_id, job.subject, job.rule) == (arrival.id, arrival.subject, "any")
    assert ward.files("input/") == [f"input/{PATIENT}.zip"]  # until its jobs ended
    assert PATIENT not in ward.told()
    assert not list((ward.root / ".work/intake/default").glob("[!i]*"))  # nothing left under way


def test_what_was_taken_is_not_taken_again(ward: Ward, tmp_path: Path) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    assert ward.take() == 1
    assert ward.take() == 0
    ward.restarted()
    assert ward.take() == 0
    assert len(ward.jobs) == 1


def test_the_same_study_by_another_way_is_the_same_arrival_and_job(ward: Ward, tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a")
    ward.drop("x.zip", zipped(paths))
    ward.drop("other.zip", zipped(list(reversed(paths))))
    for path in paths:
        ward.drop(f"folder/{path.name}", path.read_bytes())
        ward.drop(f"{PATIENT}{path.name}", path.read_bytes())
    assert ward.take() == 4
    assert len({e.arrivals for e in ward.entries}) == 1
    assert len(ward.jobs) == 1
    assert PATIENT not in ward.told()


def test_several_studies_in_one_entry_are_several_arrivals(ward: Ward, tmp_path: Path) -> None:
    one, two = instances(tmp_path / "1", "a"), instances(tmp_path / "2", "b")
    ward.drop("x.zip", zipped(one + two))
    ward.take()
    assert len(only(ward.entries).arrivals) == 2
    assert len({j.subject for j in ward.jobs}) == 2


def test_a_late_slice_makes_version_2_of_the_whole_study(ward: Ward, tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a", slices=4)
    ward.drop("x.zip", zipped(paths[:3]))
    ward.take()
    ward.drop("late.dcm", paths[3].read_bytes())
    ward.take()
    first, second = (ward.ledger.arrival("default", e.arrivals[0]) for e in ward.entries)
    assert (first.version, second.version) == (1, 2)
    assert (len(first.files), len(second.files)) == (3, 4)
    assert first.subject == second.subject
    assert sorted(j.arrival_version for j in ward.jobs) == [1, 2]
    # rules see the whole version, earlier instances too
    counting = Rule(name="whole", pipeline="spleen", when="NumberOfSeriesRelatedInstances >= 4")
    again = Ward(tmp_path / "again", rules=(counting,))
    again.drop("x.zip", zipped(paths[:3]))
    again.take()
    assert again.jobs == []
    again.drop("late.dcm", paths[3].read_bytes())
    again.take()
    assert only(again.jobs).arrival_version == 2


def test_a_part_sent_again_changes_nothing(ward: Ward, tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a", slices=4)
    ward.drop("x.zip", zipped(paths))
    ward.take()
    ward.drop("part.zip", zipped(paths[:2]))
    ward.take()
    assert len({e.arrivals for e in ward.entries}) == 1
    assert len(ward.jobs) == 1


def test_an_instance_sent_again_with_other_content_replaces_the_older(ward: Ward, tmp_path: Path) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "1", "a")))
    ward.take()
    corrected = instances(tmp_path / "2", "a", StudyDescription="corrected")
    ward.drop("y.zip", zipped(corrected[:1]))
    ward.take()
    first, second = (ward.ledger.arrival("default", e.arrivals[0]) for e in ward.entries)
    assert second.version == 2
    assert [f.sop_instance_uid for f in second.files] == [f.sop_instance_uid for f in first.files]
    assert len(set(second.files) & set(first.files)) == 2
    assert hashlib.sha256(corrected[0].read_bytes()).hexdigest() in {f.sha256 for f in second.files}


def test_two_contents_under_one_uid_in_one_entry_are_both_kept_for_the_reader_to_judge(
    ward: Ward, tmp_path: Path
) -> None:
    one, two = instances(tmp_path / "1", "a"), instances(tmp_path / "2", "a", StudyDescription="x")
    ward.drop("x.zip", zipped(one + two[:1]))
    ward.take()
    arrival = ward.ledger.arrival("default", only(ward.entries).arrivals[0])
    assert len(arrival.files) == 4
    assert len({f.sop_instance_uid for f in arrival.files}) == 3


def test_other_files_are_left_aside_with_their_number(ward: Ward, tmp_path: Path) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a"), README=b"hello", **{"a.pdf": b"%PDF"}))
    ward.take()
    assert only(ward.entries).reason == "2 of 5 files left aside: not a DICOM instance of a study"
    assert len(ward.ledger.arrival("default", only(ward.entries).arrivals[0]).files) == 3


def test_a_zip_in_a_folder_is_unpacked(ward: Ward, tmp_path: Path) -> None:
    ward.drop("folder/x.zip", zipped(instances(tmp_path / "1", "a")))
    ward.drop("folder/y.zip", zipped(instances(tmp_path / "2", "b")))
    ward.take()
    assert len(only(ward.entries).arrivals) == 2


# Rejected


def reason_json(ward: Ward) -> str:
    return ward.store.get(f"rejected/{only(ward.entries).id}/reason.json").decode()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("x.zip", b"PK\x03\x04 broken", "cut off"),
        ("x.zip", b"hello", "this is none"),
        ("x.zip", zipped([], **{"../../../etc/x": b""}), "entry 1 has a name that leads out"),
        ("x.zip", zipped([], a=b"hello"), "no DICOM instance among its 1 files"),
        ("x.zip", zipped([]), "no DICOM instance among its 0 files"),
        ("hello.txt", b"hello", "no DICOM instance"),
        ("folder/x.zip", b"PK\x03\x04 broken", "cut off"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(
    ward: Ward, name: str, data: bytes, why: str
) -> None:
    ward.drop(f"{PATIENT}/{name}" if "/" in name else f"{PATIENT}-{name}", data)
    ward.take()
    ward.clock.advance(1000)  # a ZIP without an end is waited for
    ward.intake.step("default")
    entry = only(ward.entries)
    assert entry.state is EntryState.REJECTED
    assert why in entry.reason
    suffix = Path(name).suffix if name.endswith(".zip") else ""
    assert ward.files() == [f"rejected/{entry.id}/000001{suffix}", f"rejected/{entry.id}/reason.json"]
    assert ward.store.get(ward.files()[0]) == data
    assert why in reason_json(ward)
    assert PATIENT not in ward.told()
    assert ward.jobs == []


def test_too_many_or_too_large_files_are_rejected(tmp_path: Path) -> None:
    paths = instances(tmp_path / "ct", "a", slices=10)
    few = Ward(tmp_path / "few", settings=IntakeSettings(quiet_s=5, max_files=9))
    small = Ward(tmp_path / "small", settings=IntakeSettings(quiet_s=5, max_bytes=5000))
    for ward in (few, small):
        ward.drop("x.zip", zipped(paths))
        for path in paths:
            ward.drop(f"folder/{path.name}", path.read_bytes())
        ward.take()
        assert [e.state for e in ward.entries] == [EntryState.REJECTED] * 2
        assert ward.files("input/") == []
        assert ward.files("arrivals/") == []
    assert "10 files, at most 9" in few.told()
    assert "10 entries" in few.told()
    assert "more than 5000 bytes" in small.told()


def test_something_else_under_the_same_name_is_looked_at_anew(ward: Ward, tmp_path: Path) -> None:
    ward.drop("x.zip", b"hello")
    ward.take()
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    assert [e.state for e in ward.entries] == [EntryState.REJECTED, EntryState.TAKEN]


def test_a_rejected_entry_sent_again_is_looked_at_again(ward: Ward, tmp_path: Path) -> None:
    data = zipped(instances(tmp_path / "ct", "a", slices=5))
    ward.settings = IntakeSettings(quiet_s=5, max_files=2)
    ward.restarted()
    path = ward.drop("x.zip", data)
    times = path.stat()
    ward.take()
    assert only(ward.entries).state is EntryState.REJECTED
    ward.settings = IntakeSettings(quiet_s=5)
    ward.restarted()
    path = ward.drop("x.zip", data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the very same entry
    ward.take()
    assert only(ward.entries).state is EntryState.TAKEN
    assert len(ward.jobs) == 1


# Rules


def test_two_rules_that_match_start_two_jobs(tmp_path: Path) -> None:
    rules = (
        Rule(name="a", pipeline="spleen", when="Modality == 'CT'", priority=3),
        Rule(name="b", pipeline="liver"),
    )
    ward = Ward(tmp_path / "data", rules=rules, pipelines=(pipeline(), pipeline("liver")))
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    assert sorted((j.pipeline.name, j.rule, j.priority) for j in ward.jobs) == [
        ("liver", "b", 0),
        ("spleen", "a", 3),
    ]


def test_two_rules_of_one_pipeline_start_one_job_of_the_higher_priority(tmp_path: Path) -> None:
    rules = (Rule(name="a", pipeline="spleen", priority=1), Rule(name="b", pipeline="spleen", priority=7))
    ward = Ward(tmp_path / "data", rules=rules)
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    assert (only(ward.jobs).rule, only(ward.jobs).priority) == ("b", 7)
    assert [d.matched for d in ward.ledger.decisions("default", only(ward.entries).arrivals[0])] == [
        True,
        True,
    ]


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
def test_every_decision_is_kept_with_the_values_that_made_it(tmp_path: Path) -> None:
    rules = (
        Rule(name="mr", pipeline="spleen", when="Modality == 'MR' and Rows > 1"),
        Rule(name="jane", pipeline="spleen", when="PatientName contains 'JANE'"),
        Rule(
            name="both",
            pipeline="spleen",
            when="Modality == 'CT'",
            requires=("SeriesNumber == 2", "exists Foo"),
        ),
        Rule(name="several", pipeline="spleen", when="Modality == 'CT'", requires=("SeriesNumber == 2",)),
    )
    ward = Ward(tmp_path / "data", rules=rules)
    study = instances(tmp_path / "1", "a")
    study += instances(tmp_path / "2", "a", series=2, SliceThickness="nan")
    ward.drop("x.zip", zipped(study))
    ward.take()
    mr, jane, both, several = ward.ledger.decisions("default", only(ward.entries).arrivals[0])
    assert not mr.matched
    assert mr.reason == "Modality == 'MR' is false: it is 'CT' (2 of 2 series)"
    assert sorted(v["Modality"] for v in mr.values.values()) == ["CT", "CT"]
    assert jane.matched
    assert WITHHELD in jane.reason
    assert {v["PatientName"] for v in jane.values.values()} == {WITHHELD}
    assert not both.matched
    assert both.reason == "Foo is missing (2 of 2 series)"
    assert several.matched
    assert several.reason.count("series ") == 2
    assert "JANE^" not in ward.told()
    assert "DOE^" not in ward.told()


def test_no_rule_matches_and_the_reason_stays(tmp_path: Path) -> None:
    ward = Ward(tmp_path / "data", rules=(Rule(name="mr", pipeline="spleen", when="Modality == 'MR'"),))
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    arrival = only(ward.entries).arrivals[0]
    assert ward.jobs == []
    assert not only(list(ward.ledger.decisions("default", arrival))).matched
    assert [e.action for e in ward.ledger.events("default", arrival_id=arrival)][-1] == "arrival.unmatched"


def test_a_rule_without_its_pipeline_is_an_error_before_anything_comes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pipeline liver"):
        Ward(tmp_path, rules=(Rule(name="a", pipeline="liver"),))
    with pytest.raises(ConfigError, match="did you mean '=='"):
        Ward(tmp_path, rules=(Rule(name="a", pipeline="spleen", when="Modality = 'CT'"),))
    with pytest.raises(ConfigError, match="no pipeline video"):
        Ward(tmp_path, settings=IntakeSettings(file_set=(RECORDING,)))


# File sets


@pytest.fixture
def studio(tmp_path: Path) -> Ward:
    settings = IntakeSettings(quiet_s=5, file_set=(RECORDING,))
    return Ward(tmp_path / "data", settings=settings, pipelines=(pipeline(), pipeline("video")))


def test_a_complete_file_set_starts_its_pipeline(studio: Ward) -> None:
    studio.drop(f"{PATIENT}.mp4", b"video")
    assert studio.take() == 0
    studio.drop(f"{PATIENT}.hpf", b"pressure")
    assert studio.take() == 1
    arrival = studio.ledger.arrival("default", only(studio.entries).arrivals[0])
    assert arrival.kind is ArrivalKind.FILES
    assert sorted(f.suffix for f in arrival.files) == [".hpf", ".mp4"]
    job = only(studio.jobs)
    assert (job.pipeline.name, job.rule) == ("video", "recording")
    assert only(list(studio.ledger.decisions("default", arrival.id))).matched
    assert PATIENT not in studio.told()


def test_a_recording_sent_again_is_the_next_version_without_the_old_files(studio: Ward) -> None:
    for version in (b"1", b"2"):
        studio.drop("rec.mp4", b"video" + version)
        studio.drop("rec.hpf", b"pressure")
        studio.take()
    first, second = (studio.ledger.arrival("default", e.arrivals[0]) for e in studio.entries)
    assert first.subject == second.subject
    assert (second.version, len(second.files)) == (2, 2)


def test_the_same_name_in_two_tenants_is_two_subjects(studio: Ward) -> None:
    for tenant in ("alpha", "beta"):
        studio.drop("rec.mp4", b"v", tenant)
        studio.drop("rec.hpf", b"p", tenant)
        studio.take(tenant)
    (alpha,) = studio.ledger.entries("alpha")
    (beta,) = studio.ledger.entries("beta")
    subjects = {studio.ledger.arrival(e.tenant, e.arrivals[0]).subject for e in (alpha, beta)}
    assert len(subjects) == 2


# Crashes, races, trouble

WRITES = ["add_arrival", "add_decisions", "enqueue", "put_entry"]


class Crash(BaseException):
    """Ends the process here, as SIGKILL does."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", WRITES)
def test_a_crash_at_any_write_is_repaired_by_taking_the_entry_again(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, after: bool
) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "1", "a") + instances(tmp_path / "2", "b")))
    real = getattr(ward.ledger, call)

    def crash(*args: object, **more: object) -> object:
        if after:
            real(*args, **more)
        raise Crash

    monkeypatch.setattr(ward.ledger, call, crash)
    with pytest.raises(Crash):
        ward.take()
    monkeypatch.undo()
    ward.restarted()
    ward.take()
    assert only(ward.entries).state is EntryState.TAKEN
    assert len(only(ward.entries).arrivals) == 2
    assert len(ward.jobs) == 2
    assert {ward.ledger.arrival("default", a).version for a in only(ward.entries).arrivals} == {1}


@pytest.mark.parametrize("call", ["put", "put_files", "fetch", "move"])
@pytest.mark.parametrize("data", ["study", "broken"])
def test_a_crash_at_any_file_is_repaired_too(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, data: str
) -> None:
    ward.drop("x.zip", zipped(instances(tmp_path / "1", "a")) if data == "study" else zipped([], a=b"x"))
    real = getattr(FolderBlobStore, call)
    for after in (False, True):

        def crash(*args: object, done: bool = after, **more: object) -> object:
            if done:
                real(*args, **more)
            raise Crash

        monkeypatch.setattr(FolderBlobStore, call, crash)
        with contextlib.suppress(Crash):
            ward.take()
        monkeypatch.undo()
        ward.restarted()
    ward.take()
    if data == "broken":
        ward.intake.settle("default")
    entry = only(ward.entries)
    assert entry.state is (EntryState.TAKEN if data == "study" else EntryState.REJECTED)
    assert len(ward.jobs) == (1 if data == "study" else 0)
    assert ward.files("input/") == (["input/x.zip"] if data == "study" else [])
    if data == "broken":
        assert ward.files() == [f"rejected/{entry.id}/000001.zip", f"rejected/{entry.id}/reason.json"]


def test_what_changes_while_it_is_copied_is_waited_for(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = instances(tmp_path / "ct", "a")
    whole = zipped(paths)
    ward.drop("x.zip", zipped(paths[:2]))
    real = FolderBlobStore.fetch

    def fetch(self: FolderBlobStore, key: str, destination: Path) -> None:
        real(self, key, destination)
        ward.drop("x.zip", whole)

    monkeypatch.setattr(FolderBlobStore, "fetch", fetch)
    assert ward.take() == 0
    monkeypatch.undo()
    assert ward.entries == []
    assert ward.take() == 1
    assert len(ward.ledger.arrival("default", only(ward.entries).arrivals[0]).files) == 3


def test_a_full_disk_postpones_an_entry_and_not_the_others(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.drop(f"{PATIENT}.zip", zipped(instances(tmp_path / "1", "a")))
    ward.drop("small.zip", zipped(instances(tmp_path / "2", "b")))
    real = FolderBlobStore.fetch

    def fetch(self: FolderBlobStore, key: str, destination: Path) -> None:
        if PATIENT in key:
            raise OSError(errno.ENOSPC, "No space left on device", f"/input/{PATIENT}.zip")
        real(self, key, destination)

    monkeypatch.setattr(FolderBlobStore, "fetch", fetch)
    assert ward.take() == 1
    assert any("entry.postponed" in line and "No space left" in line for line in ward.lines)
    assert PATIENT not in "".join(ward.lines)
    lines = len(ward.lines)
    ward.intake.step("default")
    assert len(ward.lines) == lines  # not at every look
    monkeypatch.undo()
    ward.clock.advance(60)
    assert ward.intake.step("default") == 1
    assert len(ward.jobs) == 2


def test_a_surprise_with_one_entry_does_not_stop_the_others(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.drop("a.zip", zipped(instances(tmp_path / "1", "a")))
    ward.drop("b.zip", zipped(instances(tmp_path / "2", "b")))
    real = FolderBlobStore.fetch

    def fetch(self: FolderBlobStore, key: str, destination: Path) -> None:
        if key == "input/a.zip":
            raise KeyError(PATIENT)
        real(self, key, destination)

    monkeypatch.setattr(FolderBlobStore, "fetch", fetch)
    assert ward.take() == 1
    assert PATIENT not in capsys.readouterr().err
    assert any("KeyError at test_intake.py" in line for line in ward.lines)


def test_two_processes_do_not_take_at_once(ward: Ward) -> None:
    lock = ward.root / ".work/intake/default/intake.lock"
    with hold(lock, "another"), pytest.raises(Unavailable):
        ward.intake.step("default")
    assert ward.intake.step("default") == 0


def test_what_a_killed_process_left_under_way_is_removed(ward: Ward) -> None:
    left = ward.root / ".work/intake/default/0123456789abcdef0123/000001"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    ward.intake.step("default")
    assert [p.name for p in (ward.root / ".work/intake/default").iterdir()] == ["intake.lock"]


def test_tenants_do_not_share_arrivals(ward: Ward, tmp_path: Path) -> None:
    data = zipped(instances(tmp_path / "ct", "a"))
    for tenant in ("alpha", "beta"):
        ward.drop("x.zip", data, tenant)
        assert ward.take(tenant) == 1
    (alpha,), (beta,) = ward.ledger.entries("alpha"), ward.ledger.entries("beta")
    assert alpha.arrivals == beta.arrivals  # the content is the same
    jobs = {ward.ledger.arrival(e.tenant, e.arrivals[0]).version for e in (alpha, beta)}
    assert jobs == {1}
    for tenant in ("alpha", "beta"):
        store = ward.store.tenant(tenant)
        assert len(list(store.list("arrivals/files/"))) == 3


# Sweep


def test_jobs_that_a_crash_kept_from_being_made_are_made(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    for call in ("add_decisions", "enqueue"):

        def crash(*_: object, **__: object) -> object:
            raise Crash

        monkeypatch.setattr(ward.ledger, call, crash)
        with pytest.raises(Crash):
            ward.take()
        monkeypatch.undo()
        ward.restarted()
    path.unlink()  # the sender took it away: nobody will take it again
    assert ward.jobs == []
    assert ward.intake.sweep("default") == 1
    assert len(ward.jobs) == 1
    assert ward.intake.sweep("default") == 0


def test_a_sweep_starts_nothing_that_was_decided_against_or_is_new_in_the_rules(
    ward: Ward, tmp_path: Path
) -> None:
    ward.rules = (Rule(name="mr", pipeline="spleen", when="Modality == 'MR'"),)
    ward.restarted()
    ward.drop("x.zip", zipped(instances(tmp_path / "ct", "a")))
    ward.take()
    assert ward.intake.sweep("default") == 0
    ward.rules = (Rule(name="any", pipeline="spleen"),)
    ward.restarted()
    assert ward.intake.sweep("default") == 0
    assert ward.jobs == []


def test_a_sweep_repairs_file_sets_too(studio: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [studio.drop("rec.mp4", b"v"), studio.drop("rec.hpf", b"p")]

    def crash(*_: object, **__: object) -> object:
        raise Crash

    monkeypatch.setattr(studio.ledger, "add_decisions", crash)
    with pytest.raises(Crash):
        studio.take()
    monkeypatch.undo()
    for path in paths:
        path.unlink()
    assert studio.intake.sweep("default") == 1
    assert only(studio.jobs).pipeline.name == "video"
