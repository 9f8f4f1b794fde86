"""Command stages: any program that reads one folder and writes another."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from bedside.errors import ConfigError
from bedside.ports import Outcome, Progress, Task
from bedside.runtime import lifeline
from bedside.worker.children.program import follow
from bedside.worker.children.spawned import Spawned

#: From SIGTERM to SIGKILL.
GRACE_S = 5.0


class CommandRunner:
    """Runs command stages, one process each.

    ``{input}`` and ``{output}`` in the arguments, and the variables ``BEDSIDE_INPUT`` and
    ``BEDSIDE_OUTPUT``, are the folders. Exit status 0 is good, 3 a wrong configuration, 4 a rejected
    input, 5 something missing now; anything else failed.

    Args:
        scratch: Where private homes are made.
        environment: The worker's, scrubbed before a program sees it.
    """

    def __init__(self, *, scratch: Path, environment: Mapping[str, str]) -> None:
        self._scratch = scratch
        self._environment = environment

    def run(self, task: Task, progress: Progress) -> Outcome:
        """Run one stage to its end. See `bedside.ports.ModelRunner.run`."""
        command = self._command(task)
        spawned = Spawned(
            # -I -S: nothing but the launcher is imported, 10 ms
            [sys.executable, "-I", "-S", str(lifeline.__file__), str(os.getpid()), *command],
            environment=self._environment,
            extra={"BEDSIDE_INPUT": str(task.input), "BEDSIDE_OUTPUT": str(task.output)},
            scratch=self._scratch,
            piped=False,
        )
        try:
            return follow(spawned, task, progress, timeout_s=task.stage.timeout_s)
        finally:
            spawned.end(GRACE_S)

    def close(self) -> None:
        """Nothing outlives a run."""

    def _command(self, task: Task) -> list[str]:
        replaced = [
            part.replace("{input}", str(task.input)).replace("{output}", str(task.output))
            for part in task.stage.command
        ]
        found = shutil.which(replaced[0], path=self._environment.get("PATH")) if replaced else None
        if found is None:
            program = Path(replaced[0]).name if replaced else ""
            raise ConfigError(
                f"stage {task.stage.name}: program {program!r} is not there or not executable",
                hint="bedside config check",
            )
        return [str(Path(found).absolute()), *replaced[1:]]
