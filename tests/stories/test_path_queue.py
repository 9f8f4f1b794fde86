"""The queue as people use it: order, priority, cancel."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nothing_bundle
from bedside.domain.arrival import EntryState
from bedside.domain.job import Job, JobState
from clinic import SPLEEN, Clinic, copied, files_below


def send(clinic: Clinic, folder: Path, *seeds: str, behaviour: str = "works") -> list[Job]:
    """Drop studies one after the other; return their jobs."""
    for seed in seeds:
        study = nothing_bundle.write_study(folder / seed, seed=seed, behaviour=behaviour)
        copied(study.iterdir(), clinic.inbox() / seed)
        clinic.take()
    return clinic.jobs()[-len(seeds) :]


def order(clinic: Clinic) -> list[str]:
    """Return the jobs in the order in which they were leased."""
    return [e.job_id for e in clinic.ledger.events("default") if e.action == "job.lease"]


def test_jobs_are_done_by_priority_then_age(clinic: Clinic, tmp_path: Path) -> None:
    a, b, c, d = send(clinic, tmp_path, "a", "b", "c", "d")
    assert clinic.type("job", "priority", c.id, "10").code == 0
    assert clinic.type("job", "priority", a.id, "--", "-5").code == 0
    clinic.work()
    assert order(clinic) == [c.id, b.id, d.id, a.id]


def test_a_worker_that_no_serve_started_finds_jobs_by_itself_and_at_once(
    clinic: Clinic, tmp_path: Path
) -> None:
    """It needs no hint: it looks into the ledger each `worker.poll_s`."""
    command = [sys.executable, "-m", "bedside", "worker", "-c", clinic.configuration]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        assert _within(60, lambda: "action=worker.ready" in (tmp_path / "log").read_text())
        time.sleep(1)  # it has looked, found nothing, and pauses
        (job,) = send(clinic, tmp_path, "a")
        sent = time.monotonic()
        assert _within(10, lambda: order(clinic) == [job.id])
        assert time.monotonic() - sent < 3, "half a second, and what a busy machine adds"
    finally:
        process.terminate()
        process.wait(60)


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.05)
    return held


def test_a_rule_gives_its_jobs_a_priority(clinic: Clinic, tmp_path: Path) -> None:
    clinic.configure(
        SPLEEN
        + SPLEEN.replace('"spleen"', '"urgent"').replace("spleen on CT", "urgent on CT")
        + "priority = 9\n"
    )
    send(clinic, tmp_path, "a", "b")
    clinic.work()
    names = {job.id: job.pipeline.name for job in clinic.jobs()}
    assert [names[job_id] for job_id in order(clinic)] == ["urgent", "urgent", "spleen", "spleen"]


def test_a_queued_job_is_cancelled(clinic: Clinic, tmp_path: Path) -> None:
    (job,) = send(clinic, tmp_path, "a")
    assert clinic.type("job", "cancel", job.id, "--yes").code == 0
    assert clinic.work() == 0
    assert clinic.job().state is JobState.CANCELLED
    assert clinic.settle() == 1
    assert clinic.entries()[0].state is EntryState.SETTLED
    assert clinic.type("job", "retry", job.id).code == 0
    assert clinic.work() == 1
    assert list(clinic.results()) == [job.id]


def test_a_running_job_is_cancelled_and_leaves_nothing(clinic: Clinic, tmp_path: Path) -> None:
    """By another process, while a program is deep in its work."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho half > "$2/half.txt"\nsleep 300\n')
    program.chmod(0o755)
    slow = f'command = ["{program}", "{{input}}", "{{output}}"]'
    clinic.configure(SPLEEN.replace('bundle = "bundle"\noutputs = ["seg", "sr"]', slow))
    (job,) = send(clinic, tmp_path, "a")
    command = [sys.executable, "-m", "bedside", "job", "cancel", job.id, "--yes"]
    typed: list[subprocess.Popen[bytes]] = []

    def cancel(action: str) -> None:
        if action == "job.leased":
            typed.append(subprocess.Popen([*command, "-c", clinic.configuration], stderr=subprocess.DEVNULL))

    clinic.heard.append(cancel)
    begun = time.monotonic()
    assert clinic.work() == 1
    assert time.monotonic() - begun < 60
    assert [cancelling.wait() for cancelling in typed] == [0]
    ended = clinic.job()
    assert (ended.state, ended.attempts) == (JobState.CANCELLED, 1)
    assert files_below(clinic.root / "default" / "results") == {}
    assert clinic.results(current_only=False) == {}
    assert any("action=job.lost" in said for said in clinic.said)
    assert list((clinic.here.scratch / "w1").iterdir()) == []
    assert clinic.settle() == 1
    assert clinic.type("job", "watch", job.id).code == 1
