"""Command stages: any program that reads one folder and writes another."""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bedside.adapters.process.spawned import Spawned
from bedside.errors import ConfigError, InputRejected, ModelFailed, Unavailable
from bedside.ports import Outcome, Progress, Task
from bedside.runtime import lifeline

#: The longest silence towards the caller, who beats its lease on every call.
TICK_S = 1.0

#: From SIGTERM to SIGKILL.
GRACE_S = 5.0

#: A command's own findings, taken into ``result.json``; ``reason`` says why it rejected its input.
REPORT_FILE = "report.json"
MAX_REPORT_BYTES = 4 * 2**20


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
        begun = time.monotonic()
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
            while True:
                left = begun + task.stage.timeout_s - time.monotonic()
                if left <= 0:
                    raise ModelFailed(
                        f"stage {task.stage.name}: not done after {task.stage.timeout_s:g} s",
                        hint="set timeout_s of the stage in bedside.toml higher",
                    )
                status = spawned.wait(min(TICK_S, left))
                if status is not None:
                    break
                progress(task.stage.name, 0.0)
            return self._outcome(task, spawned, status, time.monotonic() - begun)
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

    def _outcome(self, task: Task, spawned: Spawned, status: int, seconds: float) -> Outcome:
        who = f"stage {task.stage.name}"
        if status in (0, InputRejected.exit_code):
            report = _report(task.output / REPORT_FILE, who)
            if status == 0:
                return Outcome(report=report, timings_s={"run": round(seconds, 4)})
            reason = report.get("reason")
            raise InputRejected(f"{who}: {reason if isinstance(reason, str) else 'the program rejected it'}")
        if status == ConfigError.exit_code:
            raise ConfigError(f"{who}: the program says its configuration is wrong (exit status {status})")
        if status == Unavailable.exit_code:
            raise Unavailable(f"{who}: the program lacks something now (exit status {status})")
        raise spawned.death(who)


def _report(path: Path, who: str) -> dict[str, object]:
    """Read and remove a program's report; none is an empty one."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_REPORT_BYTES:
        raise ModelFailed(f"{who}: {REPORT_FILE} is longer than {MAX_REPORT_BYTES} bytes")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise ModelFailed(f"{who}: {REPORT_FILE} is not JSON") from exc
    if not isinstance(value, dict):
        raise ModelFailed(f"{who}: {REPORT_FILE} is not a JSON object")
    path.unlink()
    value.pop("files", None)  # the worker lists and hashes them itself
    return value
