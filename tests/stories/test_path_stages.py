"""Pipelines of several stages, file sets, and failures that a person mends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import nothing_bundle
from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from bedside.worker.stop import Stop
from bedside.worker.sweep import sweep_blobs
from clinic import Clinic, copied, zipped

#: Passes a study on, notes that it ran, and does what a file beside it says.
PROGRAM = """#!/bin/sh
echo "$BEDSIDE_INPUT" >> "{marks}"
[ -e "{broken}" ] && exit 9
mkdir "$2/notes"
ls "$1" | wc -l > "$2/notes/count.txt"
printf '{{"files_seen": %d}}' "$(ls "$1" | wc -l)" > "$2/report.json"
"""

STAGES = """
[[pipeline]]
name = "two"
max_attempts = 3

[[pipeline.stage]]
name = "prepare"
command = ["{program}", "{{input}}", "{{output}}"]
pool = "cpu"

[[pipeline.stage]]
name = "infer"
bundle = "bundle"
outputs = ["seg"]
pool = "gpu"

[[rule]]
name = "CT"
pipeline = "two"
when = "Modality == 'CT'"
"""


class Program:
    """A command stage: how often it ran, and whether it works."""

    def __init__(self, folder: Path) -> None:
        self.marks, self.broken, self.path = folder / "marks", folder / "broken", folder / "program"
        self.path.write_text(PROGRAM.format(marks=self.marks, broken=self.broken))
        self.path.chmod(0o755)

    @property
    def runs(self) -> int:
        return len(self.marks.read_text().splitlines()) if self.marks.exists() else 0


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def clinic(clinic_of: Callable[..., Clinic], program: Program) -> Clinic:
    return clinic_of(pipelines=STAGES.format(program=program.path))


def send(clinic: Clinic, folder: Path, *, behaviour: str = "works") -> None:
    study = nothing_bundle.write_study(folder / "study", behaviour=behaviour)
    zipped(study.iterdir(), clinic.inbox() / "study.zip")
    clinic.take()


def test_each_stage_is_done_by_the_workers_of_its_pool(
    clinic: Clinic, program: Program, tmp_path: Path
) -> None:
    send(clinic, tmp_path)
    gpu, cpu = clinic.worker("g1", pools=("gpu",)), clinic.worker("c1", pools=("cpu",))
    assert clinic.ledger.depth() == {"cpu": 1}
    assert clinic.work(gpu) == 0
    assert clinic.work(cpu) == 1
    assert clinic.ledger.depth() == {"gpu": 1}
    job = clinic.job()
    assert (job.state, job.stage.name, job.attempts) == (JobState.QUEUED, "infer", 0)
    assert clinic.results() == {}
    assert not clinic.place(job).exists()
    handed = {p.name for p in (clinic.root / "default" / "work" / job.id).rglob("*") if p.is_file()}
    assert handed == {"count.txt", "stage.json"}
    assert clinic.work(cpu) == 0
    assert clinic.work(gpu) == 1

    job = clinic.job()
    document = clinic.document(job)
    assert job.state is JobState.SUCCEEDED
    assert set(clinic.written(job)) == {"dicom/seg.dcm"}
    assert document["release"]["digest"] == job.pipeline.stages[1].release
    assert [(s["name"], s["report"]) for s in document["stages"]] == [("prepare", {"files_seen": 6})]
    assert set(document["timings_s"]) == {"prepare", "infer"}
    leased = [
        (e.stage, e.worker) for e in clinic.ledger.events("default", job_id=job.id) if e.action == "job.lease"
    ]
    assert leased == [("prepare", "c1"), ("infer", "g1")]
    assert not (clinic.root / "default" / "work" / job.id).exists()
    assert program.runs == 1


def test_a_stage_reads_what_the_one_before_wrote_also_when_it_is_sent_again(
    clinic_of: Callable[..., Clinic], program: Program, tmp_path: Path
) -> None:
    broken, reader = tmp_path / "reader is broken", tmp_path / "reader"
    reader.write_text(
        f'#!/bin/sh\n[ -e "{broken}" ] && exit 9\n'
        'cp "$1/stages/first/notes/count.txt" "$2/read.txt"\nls "$1" > "$2/names.txt"\n'
    )
    reader.chmod(0o755)
    clinic = clinic_of(
        pipelines=f"""
[[pipeline]]
name = "two"

[[pipeline.stage]]
name = "first"
command = ["{program.path}", "{{input}}", "{{output}}"]

[[pipeline.stage]]
name = "second"
command = ["{reader}", "{{input}}", "{{output}}"]

[[rule]]
name = "all"
pipeline = "two"
"""
    )
    broken.touch()
    send(clinic, tmp_path)
    assert clinic.work() == 1 + 3
    job = clinic.job()
    assert (job.state, job.stage.name) == (JobState.DEAD, "second")
    sweep_blobs(clinic.ledger, clinic.here.blobs, "default")
    broken.unlink()
    assert clinic.type("job", "retry", job.id).code == 0
    assert clinic.work() == 1

    job = clinic.job()
    assert (job.state, program.runs) == (JobState.SUCCEEDED, 1)
    written = clinic.written(job)
    assert written["read.txt"].strip() == b"6"
    files = {f"{f.sha256}.dcm" for f in clinic.ledger.arrival("default", job.arrival_id).files}
    assert set(written["names.txt"].decode().split()) == files | {"stages"}
    assert [stage["name"] for stage in clinic.document(job)["stages"]] == ["first"]
    assert not (clinic.root / "default" / "work" / job.id).exists()


def test_a_worker_of_every_pool_does_jobs_of_pools_that_were_renamed(
    clinic: Clinic, program: Program, tmp_path: Path
) -> None:
    send(clinic, tmp_path)
    renamed = STAGES.replace('"cpu"', '"small"').replace('"gpu"', '"large"')
    clinic.configure(renamed.format(program=program.path))
    worker = clinic.here.worker("w1", clinic.models.runner, Stop(grace_s=60))
    assert clinic.work(worker) == 2
    assert clinic.job().state is JobState.SUCCEEDED


def test_a_failure_in_the_second_stage_repeats_only_that(
    clinic: Clinic, program: Program, tmp_path: Path
) -> None:
    send(clinic, tmp_path, behaviour="fails")
    assert clinic.work() == 1 + 3
    job = clinic.job()
    assert job.failure is not None
    assert (job.state, job.stage.name, job.attempts) == (JobState.DEAD, "infer", 3)
    assert "ValueError" in job.failure.message
    assert program.runs == 1


def test_a_dead_job_is_seen_and_sent_again(clinic: Clinic, program: Program, tmp_path: Path) -> None:
    program.broken.touch()
    send(clinic, tmp_path)
    assert clinic.work() == 3
    job = clinic.job()
    assert (job.state, job.attempts, program.runs) == (JobState.DEAD, 3, 3)
    assert clinic.settle() == 1
    assert clinic.entries()[0].state is EntryState.SETTLED
    assert clinic.results(current_only=False) == {}

    (listed,) = clinic.type("job", "list", "--state", "dead", "--json").json["jobs"]
    assert (listed["id"], listed["stage"]) == (job.id, "prepare")
    assert "exit status 9" in listed["failure"]["message"]
    assert "exit status 9" in clinic.type("job", "list").out
    assert clinic.type("job", "watch", job.id).code == 6

    program.broken.unlink()
    assert clinic.type("job", "retry", "--all-dead").code == 0
    assert clinic.work() == 2
    assert (clinic.job().state, clinic.job().run) == (JobState.SUCCEEDED, 0)
    assert list(clinic.results()) == [job.id]
    history = clinic.history(job)
    assert history[-5:] == ["job.redrive", "job.lease", "job.advance", "job.lease", "job.complete"]
    assert history.count("job.retry_later") == 2
    assert history.count("job.exhaust") == 1


def test_a_programs_report_adds_to_the_result_and_replaces_nothing(
    clinic_of: Callable[..., Clinic], tmp_path: Path
) -> None:
    said = {
        "release": "mine",
        "job": "mine",
        "schema": "mine",
        "created_at": 0,
        "files": 5,
        "finding": "none",
    }
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat > \"$2/report.json\" <<'END'\n{json.dumps(said)}\nEND\n")
    program.chmod(0o755)
    clinic = clinic_of(
        pipelines=f"""
[[pipeline]]
name = "own words"
command = ["{program}", "{{input}}", "{{output}}"]

[[rule]]
name = "all"
pipeline = "own words"
"""
    )
    send(clinic, tmp_path)
    clinic.work()
    job = clinic.job()
    document = clinic.document(job)
    assert document["finding"] == "none"
    assert document["job"]["id"] == job.id
    assert document["release"]["name"] == "infer"
    assert (document["schema"], document["files"]) == ("bedside.result/1", [])
    assert clinic.type("job", "show", job.id).code == 0


def test_a_file_set_starts_when_it_is_whole(
    clinic_of: Callable[..., Clinic], program: Program, tmp_path: Path
) -> None:
    clinic = clinic_of(
        intake="""
[[intake.file_set]]
name = "recording"
patterns = ["*.mp4", "*.hpf"]
pipeline = "pressure"
""",
        pipelines=f"""
[[pipeline]]
name = "pressure"
command = ["{program.path}", "{{input}}", "{{output}}"]
""",
    )
    inbox = clinic.inbox()
    (inbox / "ROENTGEN.mp4").write_bytes(b"film")
    (inbox / "other.mp4").write_bytes(b"another film")
    for _ in range(3):
        assert clinic.take() == 0
    assert clinic.jobs() == []
    (inbox / "ROENTGEN.hpf").write_bytes(b"pressure")
    clinic.read_all()
    job = clinic.job()
    assert (job.state, job.pipeline.name, job.rule) == (JobState.SUCCEEDED, "pressure", "recording")
    assert clinic.written(job)["notes/count.txt"].strip() == b"2"
    assert clinic.document(job)["files_seen"] == 2
    assert sorted(f.suffix for f in clinic.ledger.arrival("default", job.arrival_id).files) == [
        ".hpf",
        ".mp4",
    ]
    assert [path.name for path in inbox.iterdir()] == ["other.mp4"]
    (entry,) = clinic.entries()
    place = clinic.root / "default" / "inferred" / entry.id
    assert {p.suffix for p in place.iterdir()} == {".json", ".hpf", ".mp4"}
    assert "roentgen" not in json.dumps([str(p) for p in clinic.root.rglob("*")]).lower()
    explained = clinic.type("job", "why", job.id).out
    assert "the file set is complete: 2 files" in explained

    copied([inbox / "other.mp4"], inbox, named=lambda _: "again.mp4")
    (inbox / "again.mp4").write_bytes(b"film")
    (inbox / "again.hpf").write_bytes(b"pressure")
    clinic.read_all()
    assert len(clinic.jobs()) == 1, "the same recording under another name is the same arrival"
