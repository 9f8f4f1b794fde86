"""A program by the folder contract: its progress, and the error it leaves in its report."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.request import RunRequest
from bedside.errors import BedsideError, ConfigError, InputRejected, ModelFailed, Unavailable, UsageError
from bedside.ports import Task
from bedside.worker.children.program import follow
from bedside.worker.children.spawned import Spawned


def followed(folder: Path, script: str) -> list[tuple[str, float]]:
    """Follow a program that has ``output`` for its folder; return the progress that was told."""
    output = folder / "output"
    output.mkdir()
    stage = Stage(name="infer", kind=StageKind.MAP)
    task = Task(
        stage=stage,
        pipeline=Pipeline(name="p", stages=(stage,)),
        request=RunRequest(
            job_identity="j",
            arrival_id="a",
            release="",
            release_name="",
            release_version="",
            content_at=datetime(2026, 3, 1, tzinfo=UTC),
        ),
        input=folder,
        output=output,
    )
    told: list[tuple[str, float]] = []
    spawned = Spawned(
        [sys.executable, "-c", f"output = {str(output)!r}\n{script}"],
        environment=os.environ,
        extra={},
        scratch=folder / "scratch",
        piped=False,
    )
    try:
        follow(spawned, task, lambda doing, fraction: told.append((doing, fraction)), timeout_s=60)
    finally:
        spawned.end()
    return told


def test_progress_of_the_application_is_told(tmp_path: Path) -> None:
    script = (
        "import time; print('bedside: forward 42%', flush=True); print('noise', flush=True); time.sleep(2.5)"
    )
    assert ("forward", 0.42) in followed(tmp_path, script)


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (2, "UsageError", UsageError),
        (3, "ConfigError", ConfigError),
        (4, "InputRejected", InputRejected),
        (5, "Unavailable", Unavailable),
        (6, "ModelFailed", ModelFailed),
        (6, "ConfigError", ModelFailed),
        (9, "ModelFailed", ModelFailed),
        (6, "Unknown", ModelFailed),
    ],
)
def test_the_error_in_a_report_counts_where_the_status_agrees(
    tmp_path: Path, status: int, name: str, expected: type[BedsideError]
) -> None:
    report = json.dumps({"error": name, "reason": "slices are missing", "hint": "bedside doctor"})
    script = f"import sys; open(output + '/report.json', 'w').write({report!r}); sys.exit({status})"
    with pytest.raises(BedsideError) as failed:
        followed(tmp_path, script)
    assert type(failed.value) is expected
    if name == expected.__name__ and expected.exit_code == status:
        assert "slices are missing" in failed.value.message
    else:
        assert f"exit status {status}" in failed.value.message
