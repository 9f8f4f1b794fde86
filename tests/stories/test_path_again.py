"""Attempts that fail, crash or come too late: at the end there is one result, and its bytes are the same."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

import nothing_bundle
from bedside.domain.job import Job, JobState
from bedside.domain.result import RESULT_FILE
from bedside.errors import Unavailable
from bedside.ports import Blob, BlobStore, Outcome, Progress, Task
from bedside.worker.sweep import sweep_blobs
from clinic import Clinic, Models, copied, files_below, zipped

#: A lease that is over before anybody looks, and yet long enough for its holder to begin.
SHORT_S = 0.3


def send(clinic: Clinic, folder: Path, *, behaviour: str = "works", seed: str = "again") -> Job:
    """Drop a study, and return the job that waits for a worker."""
    study = nothing_bundle.write_study(folder / seed, behaviour=behaviour, seed=seed)
    zipped(study.iterdir(), clinic.inbox() / f"{seed}.zip")
    clinic.take()
    return clinic.jobs()[-1]


def undisturbed(clinic_of: Callable[..., Clinic], study: Path) -> dict[str, bytes]:
    """Return what another deployment writes for the same study, received at another time."""
    clinic = clinic_of()
    copied(study.iterdir(), clinic.inbox() / "study")
    clinic.read_all()
    return clinic.written(clinic.job())


def test_a_retry_and_a_rerun_write_the_same_bytes(clinic: Clinic, tmp_path: Path) -> None:
    """The child is killed in its first attempt; then a person asks for another run."""
    job = send(clinic, tmp_path, behaviour="takes_1")
    leased: list[str] = []

    def kill_soon(action: str) -> None:
        if action == "job.leased":
            leased.append(action)
            if len(leased) == 1:
                threading.Timer(0.5, kill_children, [clinic.models]).start()

    clinic.heard.append(kill_soon)
    assert clinic.work() == 2
    assert clinic.history(job) == [
        "job.enqueue",
        "job.lease",
        "job.retry_later",
        "job.lease",
        "job.complete",
    ]
    assert "SIGKILL" in clinic.ledger.events("default", job_id=job.id)[2].detail
    retried = clinic.document(job)
    assert retried["job"]["attempt"] == 2

    assert clinic.type("job", "retry", job.id, "--yes").code == 0
    assert clinic.work() == 1
    rerun = clinic.jobs()[-1]
    assert (rerun.id, rerun.identity, rerun.state) == (f"{job.id}.r1", job.identity, JobState.SUCCEEDED)
    first, second = clinic.written(job), clinic.written(rerun)
    assert set(first) == {"dicom/seg.dcm", "dicom/sr.dcm"}
    assert first == second
    files = [
        [(f["path"], f["sop_instance_uid"], f["sha256"]) for f in d["files"]]
        for d in (retried, clinic.document(rerun))
    ]
    assert files[0] == files[1]
    assert list(clinic.results()) == [rerun.id]
    assert clinic.results(current_only=False)[job.id].superseded_by == rerun.id


def kill_children(models: Models) -> None:
    for pid in models.bundles.pids():
        os.kill(pid, signal.SIGKILL)


class Store:
    """The deployment's store, as a wire that a test listens to and may cut."""

    def __init__(self, store: BlobStore, *, cut: Callable[[str], bool] = lambda key: False) -> None:
        self.store = store
        self.cut = cut
        self.puts: list[str] = []

    def tenant(self, name: str) -> "Store":
        self.store = self.store.tenant(name)
        return self

    def put(self, key: str, data: bytes) -> None:
        self._pass(key)
        self.store.put(key, data)

    def put_file(self, key: str, source: Path) -> None:
        self._pass(key)
        self.store.put_file(key, source)

    def put_files(self, files: Mapping[str, Path]) -> None:
        for key in files:
            self._pass(key)
        self.store.put_files(files)

    def _pass(self, key: str) -> None:
        self.puts.append(key)
        if self.cut(key):
            raise Unavailable("store: the wire is cut")

    def get(self, key: str) -> bytes:
        return self.store.get(key)

    def open(self, key: str) -> BinaryIO:
        return self.store.open(key)

    def fetch(self, key: str, destination: Path) -> None:
        self.store.fetch(key, destination)

    def stat(self, key: str) -> Blob | None:
        return self.store.stat(key)

    def list(self, prefix: str) -> Iterator[Blob]:
        return self.store.list(prefix)

    def move(self, source: str, destination: str) -> None:
        self.store.move(source, destination)

    def delete(self, key: str) -> None:
        self.store.delete(key)


def test_result_json_comes_last_and_without_it_there_is_no_result(clinic: Clinic, tmp_path: Path) -> None:
    """The store fails between the files and ``result.json``, once."""
    job = send(clinic, tmp_path)
    cuts = iter([True])
    store = Store(clinic.here.blobs, cut=lambda key: key.endswith(RESULT_FILE) and next(cuts, False))
    worker = clinic.worker(blobs=store)
    assert worker.step()

    assert store.puts[-1] == f"{job.prefix}/{RESULT_FILE}"
    assert set(files_below(clinic.place(job))) == {"dicom/seg.dcm", "dicom/sr.dcm"}
    assert clinic.ledger.result("default", job.id) is None
    assert clinic.results() == {}
    assert clinic.ledger.job("default", job.id).state is JobState.QUEUED
    shown = clinic.type("job", "show", job.id, "--json").json
    assert (shown["place"], shown["document"]) == (None, None)
    assert "the wire is cut" in shown["failure"]["message"]
    assert clinic.settle() == 0

    store.puts.clear()
    assert clinic.work(worker) == 1
    assert store.puts[-1] == f"{job.prefix}/{RESULT_FILE}"
    assert list(clinic.results()) == [job.id]
    listed = {f["path"] for f in clinic.document(job)["files"]}
    assert listed == set(clinic.written(job)) == {"dicom/seg.dcm", "dicom/sr.dcm"}
    assert clinic.settle() == 1


def test_a_ledger_that_fails_after_result_json_gives_one_result(clinic: Clinic, tmp_path: Path) -> None:
    job = send(clinic, tmp_path)
    failures = iter([True])
    ledger = clinic.ledger

    class Cut:
        """The ledger, out of reach at the very end of the first attempt."""

        def __getattr__(self, name: str) -> object:
            if name == "complete" and next(failures, False):
                raise Unavailable("ledger: the wire is cut")
            return getattr(ledger, name)

    worker = clinic.worker(ledger=Cut())  # type: ignore[arg-type]
    assert worker.step()
    before = clinic.written(job)
    assert clinic.results() == {}
    assert clinic.work(worker) == 1
    assert list(clinic.results()) == [job.id]
    assert clinic.document(job)["job"]["attempt"] == 2
    assert clinic.written(job) == before


@pytest.mark.parametrize("stage", ["last", "first"])
def test_a_worker_that_comes_too_late_takes_nothing_away(
    clinic_of: Callable[..., Clinic], tmp_path: Path, stage: str
) -> None:
    """It stood still for longer than its lease; another did the job; then it goes on where it was."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\ncp "$1"/*.dcm "$2"\n')
    program.chmod(0o755)
    command = f'command = ["{program}", "{{input}}", "{{output}}"]'
    both = f'[[pipeline.stage]]\nname = "a"\n{command}\n[[pipeline.stage]]\nname = "b"\n{command}\n'
    clinic = clinic_of(
        pipelines='[[pipeline]]\nname = "copy"\n'
        + (both if stage == "first" else command)
        + '\n[[rule]]\nname = "all"\npipeline = "copy"\n'
    )
    job = send(clinic, tmp_path)

    class StandsStill:
        """A runner whose answer is heard after the lease is long over."""

        def run(self, task: Task, progress: Progress) -> Outcome:
            outcome = clinic.models.runner.run(task, progress)
            clinic.here.clock.sleep(2 * SHORT_S)
            assert [j.id for j in clinic.ledger.expire(clinic.here.clock.now())] == [job.id]
            assert clinic.work(clinic.worker("other")) == (2 if stage == "first" else 1)
            return outcome

        def close(self) -> None:
            """Nothing to end."""

    assert clinic.worker("late", runner=StandsStill(), lease_s=SHORT_S).step()
    ended = clinic.ledger.job("default", job.id)
    assert (ended.state, ended.worker) == (JobState.SUCCEEDED, "other")
    assert any("action=job.lost" in said for said in clinic.said)
    document = clinic.document(job)
    assert document["job"]["worker"] == "other"
    assert {f["path"] for f in document["files"]} == set(clinic.written(job))
    assert clinic.history(job).count("job.complete") == 1
    sweep_blobs(clinic.ledger, clinic.here.blobs, "default")
    assert files_below(clinic.root / "default" / "work") == {}
    assert clinic.document(job) == document


def test_nothing_in_a_result_depends_on_when_and_where_it_was_made(
    clinic: Clinic, clinic_of: Callable[..., Clinic], tmp_path: Path
) -> None:
    """All but dates: those are the arrival's."""
    job = send(clinic, tmp_path)
    clinic.work()
    other = undisturbed(clinic_of, tmp_path / "again")
    mine = clinic.written(job)
    assert set(mine) == set(other)
    received = clinic.ledger.arrival("default", job.arrival_id).received_at
    assert any(received.strftime("%Y%m%d").encode() in data for data in mine.values())
    document = json.dumps(clinic.document(job))
    assert str(clinic.folder) not in document
