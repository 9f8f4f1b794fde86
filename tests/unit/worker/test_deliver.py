"""What lies in ``result.json``, and what is never taken from an output folder."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.domain.job import JobState
from bedside.domain.pipeline import Pipeline
from bedside.errors import ModelFailed
from bedside.ports import Outcome, Progress, Task
from bedside.runtime.record import list_files, result_bytes
from unit.worker.workshop import RELEASE, T0, ScriptedRunner, Workshop, writes_a_mask


def test_a_result_names_what_made_it(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.worker.step()
    content = json.loads(shop.blobs.get(f"{job.prefix}/result.json"))
    written = shop.blobs.get(f"{job.prefix}/dicom/seg.dcm")
    assert content["schema"] == "bedside.result/1"
    assert content["release"] == {"digest": RELEASE, "name": "spleen", "version": "1.0"}
    assert content["job"]["id"] == job.id
    assert (content["job"]["arrival_version"], content["job"]["attempt"]) == (1, 1)
    assert content["created_at"] == T0.isoformat()
    assert content["files"] == [
        {
            "path": "dicom/seg.dcm",
            "sha256": hashlib.sha256(written).hexdigest(),
            "size_bytes": len(written),
        }
    ]


def test_a_gpus_seconds_are_counted(tmp_path: Path) -> None:
    def on_a_gpu(task: Task, progress: Progress) -> Outcome:
        writes_a_mask(task, progress)
        return Outcome(report={"notes": {"device": "cuda:0"}}, timings_s={"run": 2.5, "write": 1})

    shop = Workshop(tmp_path, ScriptedRunner(on_a_gpu))
    job = shop.submit()
    shop.worker.step()
    assert json.loads(shop.blobs.get(f"{job.prefix}/result.json"))["gpu_s"] == 2.5


def test_what_is_known_of_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "a.dcm").write_bytes(b"abc")
    known = {"files": [{"path": "dicom/a.dcm", "sha256": "f" * 64, "sop_instance_uid": "1.2"}]}
    assert list_files(tmp_path, known) == [
        {"path": "dicom/a.dcm", "sha256": "f" * 64, "sop_instance_uid": "1.2", "size_bytes": 3}
    ]


def test_a_link_in_the_output_brings_nothing_in(tmp_path: Path) -> None:
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ModelFailed, match="only files are taken"):
        list_files(tmp_path, {})


def test_a_stage_cannot_forge_the_mark_of_a_finished_result(tmp_path: Path) -> None:
    def forges(task: Task, progress: Progress) -> Outcome:
        (task.output / "result.json").write_text("{}")
        return Outcome(report={})

    shop = Workshop(tmp_path, ScriptedRunner(forges))
    job = shop.submit()
    shop.worker.step()
    assert shop.now(job).state is JobState.QUEUED
    assert shop.keys("results/") == []


def test_a_report_that_is_not_json_is_the_models_fault() -> None:
    with pytest.raises(ModelFailed, match="holds what JSON cannot"):
        result_bytes({"mean_hu": float("nan")})


def test_a_worker_that_stood_still_clears_nothing_away(tmp_path: Path) -> None:
    """It wakes after another worker finished its job: the result that exists must stay."""
    shop = Workshop(tmp_path)

    def stands_still(task: Task, progress: Progress) -> Outcome:
        outcome = writes_a_mask(task, progress)
        shop.clock.sleep(61)
        shop.ledger.expire(shop.clock.now())
        shop.runner.scripts = [writes_a_mask]
        assert shop.another_worker("w2").step()
        return outcome

    shop.runner.scripts = [stands_still]
    job = shop.submit()
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED
    assert shop.now(job).worker == "w2"
    assert shop.keys("results/") == [f"{job.prefix}/dicom/seg.dcm", f"{job.prefix}/result.json"]
    assert json.loads(shop.blobs.get(f"{job.prefix}/result.json"))["job"]["worker"] == "w2"


def test_a_machine_without_a_price_leaves_results_as_they_were(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.worker.step()
    assert "compute" not in json.loads(shop.blobs.get(f"{job.prefix}/result.json"))


def test_a_priced_machine_says_what_a_result_cost(tmp_path: Path) -> None:
    def on_a_gpu(task: Task, progress: Progress) -> Outcome:
        shop.clock.advance(36.0)
        return Outcome(report={"notes": {"device": "cuda:0"}}, timings_s={"run": 30.0})

    shop = Workshop(tmp_path, ScriptedRunner(on_a_gpu), machine="g4dn.xlarge", usd_per_h=0.5)
    job = shop.submit()
    shop.worker.step()
    compute = {
        "machine": "g4dn.xlarge",
        "price_usd_per_hour": 0.5,
        "seconds": 36.0,
        "gpu_s": 30.0,
        "usd": 0.005,
    }
    assert json.loads(shop.blobs.get(f"{job.prefix}/result.json"))["compute"] == compute
    result = shop.ledger.result("ward", job.id)
    assert result is not None
    assert result.summary["compute"] == compute


def test_the_cost_of_every_stage_counts(tmp_path: Path) -> None:
    def takes_a_while(task: Task, progress: Progress) -> Outcome:
        shop.clock.advance(18.0)
        return Outcome(report={})

    shop = Workshop(tmp_path, ScriptedRunner(takes_a_while), machine="c7i.xlarge", usd_per_h=0.1)
    one = shop.pipeline.stages[0]
    job = shop.submit(Pipeline(name="two", stages=(replace(one, name="prepare"), one)))
    shop.worker.step()
    shop.worker.step()
    compute = json.loads(shop.blobs.get(f"{job.prefix}/result.json"))["compute"]
    assert (compute["seconds"], compute["gpu_s"], compute["usd"]) == (36.0, 0, 0.001)
