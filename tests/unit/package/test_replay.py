"""A golden case is read in the settings it was captured in, whatever the MAP chooses for its own studies."""

import json
from pathlib import Path

import numpy as np
import pytest

from bedside.domain.pipeline import Stage, StageKind
from bedside.errors import ModelFailed
from bedside.package.golden import Golden, Study
from bedside.package.replay import replay
from bedside.ports import Outcome, Progress, Task
from proof_samples import proof_of, write_proof_bundle


class Noting:
    """A runner that notes what it was asked, and fails."""

    def __init__(self) -> None:
        self.asked: list[Task] = []

    def warm_up(self, stage: Stage) -> None:
        """Nothing to warm."""

    def run(self, task: Task, progress: Progress) -> Outcome:
        self.asked.append(task)
        raise ModelFailed("noted")

    def close(self) -> None:
        """Nothing to close."""


def test_the_case_says_how_it_is_run(tmp_path: Path) -> None:
    document = {
        "format": 1,
        "bundle": {"digest": "sha256:0", "name": "n", "version": "1"},
        "study": Study(seed=7).to_json(Study(seed=7).write(tmp_path / "study")),
        "settings": {"engine": "torch", "precision": "bf16"},
        "expected": {"shape": [1], "labels": [], "sop_instance_uids": [], "numbers": {}},
    }
    golden = Golden(document=json.loads(json.dumps(document)), masks={"spleen": np.ones(1, dtype=np.bool_)})
    runner = Noting()
    (tmp_path / "scratch").mkdir()
    with pytest.raises(ModelFailed, match="noted"):
        replay(
            golden,
            runner,
            Stage(
                name="verify",
                kind=StageKind.MAP,
                release="sha256:1",
                settings={"select": "SliceThickness > 9"},
            ),
            scratch=tmp_path / "scratch",
            progress=lambda _doing, _fraction: None,
        )
    (task,) = runner.asked
    assert task.stage.settings["precision"] == "bf16"
    assert task.request.select == task.stage.settings["select"] == ""
    assert task.request.outputs == ("seg",)


def test_a_proof_in_the_precision_of_the_release_says_so(tmp_path: Path) -> None:
    golden = proof_of(write_proof_bundle(tmp_path / "bundle"), tmp_path, precision="bf16").golden
    assert golden.settings == {"engine": "torch", "precision": "bf16"}
