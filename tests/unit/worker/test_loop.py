"""What becomes of a lease, whatever happens to the attempt."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.domain.job import JobState
from bedside.errors import InputRejected, ModelFailed, StaleLease
from bedside.ports import Outcome, Progress, Task
from bedside.worker.stop import Stop
from unit.worker.workshop import ScriptedRunner, Workshop, two_stages, writes_a_mask


def test_a_job_becomes_a_result(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    assert shop.worker.step() is True
    assert shop.now(job).state is JobState.SUCCEEDED
    assert shop.keys("results/") == [f"{job.prefix}/dicom/seg.dcm", f"{job.prefix}/result.json"]
    result = shop.ledger.result("ward", job.id)
    assert result is not None
    timings = result.summary["timings_s"]
    assert isinstance(timings, dict) and list(timings["infer"]) == ["wait", "fetch", "run", "deliver"]
    assert {**result.summary, "timings_s": 0} == {
        "measurements": [{"label": "spleen", "volume_ml": 1.5}],
        "files": 1,
        "timings_s": 0,
    }
    assert shop.worker.step() is False
    assert not list((tmp_path / "scratch" / "w1").iterdir())


def test_the_request_carries_the_arrivals_time_and_the_releases_name(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.clock.sleep(100)
    shop.worker.step()
    request = shop.runner.tasks[0].request
    assert request.content_at == shop.ledger.arrival("ward", job.arrival_id).received_at
    assert (request.release_name, request.release_version) == ("spleen", "1.0")
    assert (request.job_identity, request.outputs) == (job.identity, ("seg",))


def test_a_rejected_input_is_never_tried_again(tmp_path: Path) -> None:
    def refuses(task: Task, progress: Progress) -> Outcome:
        raise InputRejected("series 1.2: gap of 10 mm")

    shop = Workshop(tmp_path, ScriptedRunner(refuses))
    job = shop.submit()
    shop.worker.step()
    ended = shop.now(job)
    assert (ended.state, ended.attempts) == (JobState.REJECTED, 1)
    assert ended.failure is not None and ended.failure.message == "series 1.2: gap of 10 mm"
    assert shop.keys("results/") == []


def test_a_failing_model_is_tried_with_back_off_and_then_dead(tmp_path: Path) -> None:
    def fails(task: Task, progress: Progress) -> Outcome:
        raise ModelFailed("model: NaN", hint="look")

    shop = Workshop(tmp_path, ScriptedRunner(fails))
    job = shop.submit()
    for waits in (5, 10):
        assert shop.worker.step() is True
        assert shop.now(job).state is JobState.QUEUED
        assert shop.worker.step() is False  # not before the back-off is over
        shop.clock.sleep(waits - 0.1)
        assert shop.worker.step() is False
        shop.clock.sleep(0.2)
    assert shop.worker.step() is True
    ended = shop.now(job)
    assert (ended.state, ended.attempts) == (JobState.DEAD, 3)
    assert ended.failure is not None and ended.failure.hint == "look"


def test_a_retried_job_writes_identical_files(tmp_path: Path) -> None:
    def dies_late(task: Task, progress: Progress) -> Outcome:
        writes_a_mask(task, progress)
        raise ModelFailed("model: died")

    shop = Workshop(tmp_path, ScriptedRunner(dies_late, writes_a_mask))
    job = shop.submit()
    shop.worker.step()
    shop.clock.sleep(6)
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED
    first = shop.blobs.get(f"{job.prefix}/dicom/seg.dcm")
    again = shop.ledger.rerun("ward", job.id, shop.clock.now())
    shop.worker.step()
    assert shop.now(again).state is JobState.SUCCEEDED
    assert shop.blobs.get(f"{again.prefix}/dicom/seg.dcm") == first
    assert [result.job_id for result in shop.ledger.results("ward")] == [again.id]


def test_a_surprise_costs_an_attempt_and_not_the_worker(tmp_path: Path) -> None:
    def surprises(task: Task, progress: Progress) -> Outcome:
        raise KeyError("PatientName^Secret")

    shop = Workshop(tmp_path, ScriptedRunner(surprises, writes_a_mask))
    job = shop.submit()
    assert shop.worker.step() is True
    failure = shop.now(job).failure
    assert failure is not None and failure.error == "ModelFailed"
    assert "KeyError at test_loop.py" in failure.message
    assert "Secret" not in failure.message + "".join(shop.lines)
    shop.clock.sleep(6)
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED


def test_a_cancelled_job_stops_at_the_next_heartbeat_and_writes_nothing(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    after: list[str] = []

    def is_cancelled(task: Task, progress: Progress) -> Outcome:
        shop.ledger.cancel("ward", job.id, shop.clock.now())
        shop.clock.sleep(30)
        with pytest.raises(StaleLease):
            progress("forward", 0.5)
        after.append("stopped")
        raise StaleLease("lost")

    shop.runner.scripts = [is_cancelled]
    job = shop.submit()
    assert shop.worker.step() is True
    assert after == ["stopped"]
    assert shop.now(job).state is JobState.CANCELLED
    assert shop.keys("results/") == []
    assert any(line.startswith("job.lost") for line in shop.lines)


def test_a_lease_lost_during_delivery_gives_no_result(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)

    def loses_its_lease(task: Task, progress: Progress) -> Outcome:
        outcome = writes_a_mask(task, progress)
        shop.clock.sleep(61)
        shop.ledger.expire(shop.clock.now())
        taken = shop.ledger.lease(pools=["default"], worker="w2", now=shop.clock.now(), lease_s=60)
        assert taken is not None
        return outcome

    shop.runner.scripts = [loses_its_lease]
    job = shop.submit()
    shop.worker.step()
    assert shop.now(job).worker == "w2"
    assert f"{job.prefix}/result.json" not in shop.keys("results/")
    assert shop.ledger.result("ward", job.id) is None


def test_what_a_crash_left_half_written_is_removed_first(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.blobs.put(f"{job.prefix}/dicom/old.dcm", b"half")
    shop.blobs.put(f"{job.prefix}/result.json", b"{}")
    shop.worker.step()
    assert shop.keys("results/") == [f"{job.prefix}/dicom/seg.dcm", f"{job.prefix}/result.json"]


def test_stages_hand_on_their_output_and_leave_nothing(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    seen: list[list[str]] = []

    def prepares(task: Task, progress: Progress) -> Outcome:
        (task.output / "frames").mkdir()
        (task.output / "frames" / "1.txt").write_text("frame")
        return Outcome(report={"frames": 1}, timings_s={"run": 2.0})

    def infers(task: Task, progress: Progress) -> Outcome:
        seen.append(sorted(p.relative_to(task.input).as_posix() for p in task.input.rglob("*.*")))
        return writes_a_mask(task, progress)

    shop.runner.scripts = [prepares, infers]
    job = shop.submit(two_stages())
    shop.worker.step()
    assert shop.now(job).stage_index == 1
    assert shop.keys("work/") == [
        f"work/{job.id}/prepare/output/frames/1.txt",
        f"work/{job.id}/prepare/stage.json",
    ]
    shop.worker.step()
    assert seen == [[f"{1:064x}.dcm", f"{2:064x}.dcm", "stages/prepare/frames/1.txt"]]
    assert shop.now(job).state is JobState.SUCCEEDED
    assert shop.keys("work/") == []
    content = json.loads(shop.blobs.get(f"{job.prefix}/result.json"))
    # The last stage's delivery is not over when result.json is written; the ledger has it.
    timings = content["timings_s"]
    assert list(timings["prepare"]) == ["wait", "fetch", "run", "deliver"]
    assert list(timings["infer"]) == ["wait", "fetch", "run"]
    assert (timings["prepare"]["run"], timings["infer"]["run"]) == (2.0, 0.1)
    assert content["stages"][0]["report"] == {"frames": 1}


def test_a_stopping_worker_gives_its_job_back(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)

    def is_stopped(task: Task, progress: Progress) -> Outcome:
        shop.stop.request()
        progress("forward", 0.5)
        raise AssertionError("the grace is 0 s")

    shop.runner.scripts = [is_stopped]
    job = shop.submit()
    shop.worker.run()
    back = shop.now(job)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)
    assert back.not_before <= shop.clock.now()


def test_a_stopping_worker_finishes_within_the_grace(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, stop=Stop(grace_s=60))

    def is_stopped(task: Task, progress: Progress) -> Outcome:
        shop.stop.request()
        return writes_a_mask(task, progress)

    shop.runner.scripts = [is_stopped]
    job = shop.submit()
    shop.worker.run()
    assert shop.now(job).state is JobState.SUCCEEDED


def test_the_heartbeat_keeps_a_long_job(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)

    def is_long(task: Task, progress: Progress) -> Outcome:
        for tick in range(200):
            shop.clock.sleep(1)
            progress("forward", tick / 200)
            assert shop.ledger.expire(shop.clock.now()) == []
        running = shop.now(job)
        assert running.doing == "forward" and 0.9 < running.progress <= 1
        assert running.lease_until is not None
        assert running.lease_until > shop.clock.now() + timedelta(seconds=50)
        return writes_a_mask(task, progress)

    shop.runner.scripts = [is_long]
    job = shop.submit()
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED


def test_what_a_job_waited_for_a_worker_is_kept(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.clock.advance(12.5)
    shop.worker.step()
    result = shop.ledger.result("ward", job.id)
    assert result is not None
    timings = result.summary["timings_s"]
    assert isinstance(timings, dict) and timings["infer"]["wait"] == 12.5
