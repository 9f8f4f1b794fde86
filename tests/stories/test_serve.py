"""`bedside serve` as its user meets it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import nothing_bundle
from bedside.domain.job import JobState
from serving import PROGRAM, Serving, children_of, eventually


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return path


def serving_of(folder: Path, program: Path, seconds: float, **options: float) -> Serving:
    return Serving(folder, f'command = ["{program}", "{{input}}", "{{output}}", "{seconds}"]', **options)


@pytest.fixture
def quick(tmp_path: Path, program: Path) -> Iterator[Serving]:
    serving = serving_of(tmp_path / "deployment", program, 0)
    yield serving
    serving.close()


def test_a_model_reads_a_study_and_refuses_another(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    serving = Serving(tmp_path / "deployment", f'bundle = "{bundle}"')
    serving.submit("good")
    serving.submit("bad", behaviour="rejects")
    serving.start("--once")
    try:
        assert serving.process is not None and serving.process.wait(120) == 0, "\n".join(serving.lines)
    finally:
        serving.close()
    states = {job.state for job in serving.jobs()}
    assert states == {JobState.SUCCEEDED, JobState.REJECTED}
    (found,) = (serving.root / "default").glob("results/*/*")
    content = json.loads((found / "result.json").read_text())
    assert content["release"]["digest"] == nothing_bundle.digest(bundle)
    assert [series["taken"] for series in content["series"]] == [True]
    assert len(content["inputs"]["sop_instance_uids"]) == 6
    assert {"scan", "read", "forward", "write", "load"} <= content["timings_s"]["infer"].keys()
    assert content["peak_memory_bytes"] > 50e6
    assert content["measurements"][0]["volume_ml"] > 0
    assert {"dicom/seg.dcm", "dicom/sr.dcm", "preview.png"} <= {file["path"] for file in content["files"]}
    assert serving.found("rejected/*/*.zip") == 1
    assert "Doe" not in "".join(serving.lines) + (found / "result.json").read_text()


def test_the_same_study_twice_is_one_job_and_a_second_serve_is_refused(quick: Serving) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quick.submit("a")
    quick.start("--health", f"127.0.0.1:{port}")
    assert eventually(lambda: quick.settled(1), within_s=60)
    health = httpx.get(f"http://127.0.0.1:{port}/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    quick.submit("a")
    assert eventually(lambda: quick.found("inferred/*/*.zip") == 2, within_s=60)
    assert len(quick.jobs()) == 1
    second = subprocess.run(
        [sys.executable, "-m", "bedside", "serve"],
        cwd=quick.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 5
    assert quick.process is not None
    assert f"process {quick.process.pid} has it" in second.stderr
    assert quick.stop() == 0
    assert quick.leftover() == []


def test_on_sigterm_a_job_is_finished_within_the_grace(tmp_path: Path, program: Path) -> None:
    serving = serving_of(tmp_path / "deployment", program, 2)
    serving.submit("a")
    serving.start()
    try:
        assert eventually(lambda: serving.said("job.leased"), within_s=60)
        assert serving.stop() == 0
    finally:
        serving.close()
    assert [job.state for job in serving.jobs()] == [JobState.SUCCEEDED]
    assert serving.said("serve.stopped")


def test_on_sigterm_a_job_that_takes_too_long_is_given_back(tmp_path: Path, program: Path) -> None:
    serving = serving_of(tmp_path / "deployment", program, 300, grace_s=0.5)
    serving.submit("a")
    serving.start()
    try:
        assert eventually(lambda: serving.said("job.leased"), within_s=60)
        begun = time.monotonic()
        assert serving.stop() == 0
        assert time.monotonic() - begun < 30
        assert eventually(lambda: serving.processes() == [], within_s=5)
    finally:
        serving.close()
    (job,) = serving.jobs()
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert serving.leftover() == []
    assert serving.found("results/**/*.dcm") == 0


def test_a_killed_supervisor_leaves_nothing_running(tmp_path: Path, program: Path) -> None:
    serving = serving_of(tmp_path / "deployment", program, 300, grace_s=0.5)
    serving.submit("a")
    serving.start()
    try:
        assert eventually(lambda: serving.said("job.leased"), within_s=60)
        assert serving.process is not None
        supervisor = serving.process.pid  # the program starts a moment after its job is leased
        assert eventually(lambda: any(map(children_of, children_of(supervisor))), within_s=30)
        serving.kill("supervisor")
        assert eventually(lambda: serving.processes() == [], within_s=30)
    finally:
        serving.close()


def test_a_job_cancelled_by_a_person_stops(tmp_path: Path, program: Path) -> None:
    serving = serving_of(tmp_path / "deployment", program, 300, lease_s=3)
    serving.submit("a")
    serving.start()
    try:
        assert eventually(lambda: serving.said("job.leased"), within_s=60)
        (job,) = serving.jobs()
        asked = subprocess.run(
            [sys.executable, "-m", "bedside", "job", "cancel", job.id, "--yes"],
            cwd=serving.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert asked.returncode == 0, asked.stderr
        assert eventually(lambda: serving.said("job.lost"), within_s=30)
        assert eventually(lambda: serving.settled(1), within_s=30)
        assert serving.stop() == 0
    finally:
        serving.close()
    assert [job.state for job in serving.jobs()] == [JobState.CANCELLED]
    assert serving.found("results/**/*.dcm") == 0


def test_ctrl_c_stops_in_order(quick: Serving) -> None:
    quick.start()
    assert eventually(lambda: quick.said("worker.ready"), within_s=60)
    assert quick.process is not None
    os.killpg(quick.process.pid, signal.SIGINT)
    assert quick.process.wait(60) == 0
    assert quick.said("worker.stopped") and quick.said("serve.stopped")


def test_workers_may_be_started_apart(quick: Serving) -> None:
    """As on several machines: one watches the drop-box, others work, all on one ledger."""
    quick.submit("a")
    quick.start("--workers", "0")
    assert eventually(lambda: quick.said("job.queued"), within_s=60)
    with subprocess.Popen(
        [sys.executable, "-m", "bedside", "worker"], cwd=quick.folder, stderr=subprocess.PIPE, text=True
    ) as apart:
        assert eventually(lambda: quick.settled(1), within_s=60)
        apart.send_signal(signal.SIGTERM)
        said = apart.communicate(timeout=60)[1]
        assert apart.returncode == 0, said
    assert "action=job.succeeded" in said and "action=worker.stopped" in said
    assert quick.stop() == 0
