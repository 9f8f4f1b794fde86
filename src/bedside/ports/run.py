"""What runs a stage of a job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bedside.domain.pipeline import Pipeline, Stage
from bedside.domain.request import RunRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One stage of one job, as a runner sees it.

    Attributes:
        stage: What to run.
        pipeline: The whole pipeline, for context.
        request: What to do, and under which identity.
        input: Folder with the study's files (or the stage before's output); read-only.
        output: Empty folder for what is written.
    """

    stage: Stage
    pipeline: Pipeline
    request: RunRequest
    input: Path
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave: its files lie in the task's output folder.

    Attributes:
        report: For ``result.json``: series taken and left with reasons, input UIDs, measurements,
            notes. JSON values.
        timings_s: Wall seconds per step.
    """

    report: Mapping[str, object]
    timings_s: Mapping[str, float] = field(default_factory=dict)


#: Called with what is done now and how much of it (0–1). Raises `Cancelled` to stop the run.
Progress = Callable[[str, float], None]


class ModelRunner(Protocol):
    """Runs a stage somewhere apart from the worker: a child process, a container."""

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end.

        ``progress`` is called at least every few seconds while the run lives, also when nothing
        moved, so that the caller can beat its lease.

        Raises:
            InputRejected: The study cannot be read correctly, or the model does not accept it.
            ModelFailed: The model failed, the child died, or the time-out passed.
            Unavailable: The runner itself cannot work now.
            Cancelled: ``progress`` asked for it; nothing of the run goes on.
        """
        ...

    def close(self) -> None:
        """End warm children."""
        ...
