"""Programs that keep the folder contract: followed to their end, and judged by it.

Owns what an exit status and a program's own report mean. Exit status 0 is good, 3 a wrong
configuration, 4 a rejected input, 5 something missing now; anything else failed.
"""

import json
import time
from pathlib import Path

from bedside.errors import BY_NAME, ConfigError, InputRejected, ModelFailed, Unavailable
from bedside.ports import Outcome, Progress, Task
from bedside.worker.children.spawned import Spawned

#: The longest silence towards the caller, who beats its lease on every call.
TICK_S = 1.0

#: A program's own findings, taken into ``result.json``; ``reason`` says why it rejected its input.
REPORT_FILE = "report.json"
MAX_REPORT_BYTES = 4 * 2**20


def follow(
    spawned: Spawned,
    task: Task,
    progress: Progress,
    *,
    timeout_s: float,
    hint: str = "raise timeout_s of the stage in bedside.toml, or --timeout when the MAP is packaged",
) -> Outcome:
    """Wait for a program, calling ``progress`` at least every `TICK_S`, and return what it gave.

    Args:
        spawned: The program; the caller ends it, whatever happens here.
        task: What it runs.
        progress: Called all along; what it raises passes.
        timeout_s: The longest wait, in seconds.
        hint: What to do where that is too short.

    Raises:
        InputRejected: It rejected its input.
        ConfigError: It says its configuration is wrong.
        Unavailable: It lacks something now.
        ModelFailed: It failed, died, or was not done in time.
    """
    begun = time.monotonic()
    while True:
        left = begun + timeout_s - time.monotonic()
        if left <= 0:
            raise ModelFailed(f"stage {task.stage.name}: not done after {timeout_s:g} s", hint=hint)
        status = spawned.wait(min(TICK_S, left))
        if status is not None:
            return _outcome(task, spawned, status, time.monotonic() - begun)
        progress(*(spawned.said() or (task.stage.name, 0.0)))


def _outcome(task: Task, spawned: Spawned, status: int, seconds: float) -> Outcome:
    who = f"stage {task.stage.name}"
    if status in (0, InputRejected.exit_code):
        report = _report(task.output / REPORT_FILE, who)
        if status == 0:
            return Outcome(report=report, timings_s={"run": round(seconds, 4)})
        reason = report.get("reason")
        raise InputRejected(f"{who}: {reason if isinstance(reason, str) else 'the program rejected it'}")
    _raise_as_told(task.output / REPORT_FILE, who, status)
    if status == ConfigError.exit_code:
        raise ConfigError(f"{who}: the program says its configuration is wrong (exit status {status})")
    if status == Unavailable.exit_code:
        raise Unavailable(f"{who}: the program lacks something now (exit status {status})")
    raise spawned.death(who)


def _raise_as_told(path: Path, who: str, status: int) -> None:
    """Raise the error that a program of bedside left in its report, where its exit status agrees."""
    report = _report(path, who)
    cls = BY_NAME.get(str(report.get("error")))
    if cls is not None and cls.exit_code == status:
        raise cls(f"{who}: {report.get('reason')}", hint=str(report.get("hint", "")))


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
