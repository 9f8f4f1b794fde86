"""The input folder of a stage, and the request made of its settings."""

from pathlib import Path

from bedside.domain.job import JobState
from bedside.domain.pipeline import Stage, StageKind
from bedside.domain.request import request_settings
from bedside.ports import Outcome, Progress, Task
from unit.worker.workshop import ScriptedRunner, Workshop, writes_a_mask


def test_files_are_named_by_content(tmp_path: Path) -> None:
    found: dict[str, bytes] = {}

    def looks(task: Task, progress: Progress) -> Outcome:
        found.update({path.name: path.read_bytes() for path in task.input.iterdir()})
        assert list(task.output.iterdir()) == []
        return writes_a_mask(task, progress)

    shop = Workshop(tmp_path, ScriptedRunner(looks))
    shop.submit()
    shop.worker.step()
    assert found == {f"{1:064x}.dcm": b"file1", f"{2:064x}.dcm": b"file2"}


def test_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    file = shop.ledger.arrival("ward", job.arrival_id).files[0]
    content = shop.blobs.get(file.key)
    shop.blobs.delete(file.key)
    shop.worker.step()
    waiting = shop.now(job)
    assert waiting.state is JobState.QUEUED
    assert waiting.failure is not None and waiting.failure.error == "Unavailable"
    shop.blobs.put(file.key, content)
    shop.clock.sleep(6)
    shop.worker.step()
    assert shop.now(job).state is JobState.SUCCEEDED


def test_settings_become_arguments_of_the_request() -> None:
    stage = Stage(
        name="infer",
        kind=StageKind.BUNDLE,
        settings={
            "select": 'Modality == "CT"',
            "outputs": ["seg", "nifti"],
            "labels": {"1": {"name": "spleen"}},
            "accept": {"min_slices": 3},
            "precision": "bf16",
        },
    )
    assert request_settings(stage) == {
        "select": 'Modality == "CT"',
        "outputs": ("seg", "nifti"),
        "labels": {"1": {"name": "spleen"}},
        "accept": {"min_slices": 3},
    }
