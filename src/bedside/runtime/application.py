"""The application inside a MAP: one study from the input folder, one result into the output folder.

Owns the folder contract: ``result.json`` comes last, a study that cannot be read ends with status 4
and the reason in ``report.json``, the statuses are those of `bedside.errors`. It is ``bedside run``
without a second process, and writes the same bytes for the same files. What libraries and the bundle
print is not shown unless asked for: it may hold a patient's data. See docs/map.md.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from bedside.dicom.identify import identify
from bedside.domain.arrival import StoredFile, arrival_id
from bedside.domain.pipeline import Stage, StageKind
from bedside.domain.result import RESULT_FILE
from bedside.errors import BedsideError, ConfigError, InputRejected, ModelFailed, Unavailable, UsageError
from bedside.model.bundle import Bundle, open_bundle
from bedside.ports import Outcome
from bedside.runtime.child import PARENT_VARIABLE, described
from bedside.runtime.home import settle_in
from bedside.runtime.lifeline import bind_forks, die_with_parent
from bedside.runtime.protocol import Error
from bedside.runtime.record import StageReport, compose_result, list_files, result_bytes
from bedside.runtime.single import file_sha256, move_in, newest, single_request
from bedside.runtime.throttle import Throttle
from bedside.runtime.wishes import Wishes, read_wishes

#: What a host reads when there is no result: ``reason``, ``error``, ``hint``.
REPORT_FILE = "report.json"

#: Settings of a stage that belong to the session.
SESSION_SETTINGS = ("precision", "engine", "tolerance_dice")

_SCRATCH = ".bedside-run-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the application; return its exit status."""
    sys.dont_write_bytecode = True
    die_with_parent(int(os.environ.get(PARENT_VARIABLE, "0")))
    bind_forks()
    signal.signal(signal.SIGTERM, _stop)
    terminal = Terminal.of_this_process()
    output: Path | None = None
    try:
        wishes = read_wishes(sys.argv[1:] if arguments is None else arguments, os.environ)
        _check(wishes)
        output = wishes.output
        if not wishes.debug:
            terminal.silence()
        run(wishes, terminal.progress)
    except BedsideError as failed:
        if output is not None:
            traceback.print_exception(failed)  # seen only where silence was not kept
        return _failed(failed, terminal, output)
    except Exception as failed:  # noqa: BLE001 - a bundle's code raises anything, and its text stays here
        traceback.print_exception(failed)
        return _failed(ModelFailed(f"model: {described(failed)}"), terminal, output)
    terminal.say(f"result in {output}")
    return 0


def run(wishes: Wishes, progress: Callable[[str, float], None]) -> None:
    """Read the study, run the model on it, and move the result in.

    Raises:
        InputRejected: The study cannot be read correctly, or the model does not accept it.
        ModelFailed: The model failed on it.
    """
    bundle = open_bundle(_model(wishes))
    with _scratch(wishes.output) as scratch:
        settle_in([scratch])
        stage = Stage(
            name="infer",
            kind=StageKind.BUNDLE,
            release=wishes.release or bundle.digest,
            settings=wishes.stage,
        )
        outcome, arrival, received_at = _infer(bundle, stage, wishes, scratch, progress)
        written = scratch / "output"
        if wishes.flat:
            outcome = _flattened(outcome, written)
        content = compose_result(
            request=single_request(bundle, stage, arrival, received_at),
            stages=[
                StageReport(
                    name=stage.name, release=stage.release, report=outcome.report, timings_s=outcome.timings_s
                )
            ],
            files=list_files(written, outcome.report),
            created_at=datetime.now(UTC),
        )
        move_in(written, wishes.output, result_bytes(content))


def _infer(
    bundle: Bundle, stage: Stage, wishes: Wishes, scratch: Path, progress: Callable[[str, float], None]
) -> tuple[Outcome, str, datetime]:
    """Load the model while the study is hashed, then run it."""
    begun = time.perf_counter()
    paths = sorted(path for path in wishes.input.rglob("*") if path.is_file())
    if not paths:
        raise InputRejected(f"study: {wishes.input} holds no files")
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hash") as pool:
        hashed = pool.submit(_stored, paths)
        progress("load", 0.0)
        from bedside.model.session import Session, SessionOptions  # noqa: PLC0415 - torch: seconds

        chosen = {name: stage.settings[name] for name in SESSION_SETTINGS if name in stage.settings}
        options = SessionOptions(device=wishes.device, threads=wishes.threads)
        session = Session(bundle, replace(options, **chosen))  # type: ignore[arg-type]
        loaded_s = round(time.perf_counter() - begun, 4)
        arrival = arrival_id(hashed.result())
    from bedside.runtime.study import run_study  # noqa: PLC0415 - its imports hold the lock that torch's need

    received_at = newest(paths)
    output = scratch / "output"
    output.mkdir()
    try:
        outcome = run_study(
            bundle,
            session,
            single_request(bundle, stage, arrival, received_at),
            folder=wishes.input,
            output=output,
            progress=progress,
        )
    finally:
        session.close()
    return replace(outcome, timings_s={"load": loaded_s, **outcome.timings_s}), arrival, received_at


def _stored(paths: list[Path]) -> list[StoredFile]:
    """Return the DICOM instances among some files; what is none is no part of what was read."""
    return [
        StoredFile(
            sop_instance_uid=found.sop_instance_uid,
            sha256=file_sha256(path),
            size_bytes=path.stat().st_size,
        )
        for path in paths
        if (found := identify(path))
    ]


def _model(wishes: Wishes) -> Path:
    """Return the folder of the model to run."""
    if (wishes.models / "configs").is_dir():  # a bundle mounted in the place of all
        return wishes.models
    found = sorted(path for path in wishes.models.iterdir()) if wishes.models.is_dir() else []
    if wishes.model:
        found = [path for path in found if path.name == wishes.model]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "nothing"
    raise ConfigError(
        f"model: {wishes.models} holds {names}, one is needed"
        + (f" named {wishes.model}" * bool(wishes.model)),
        hint="set BEDSIDE_MODEL to the name of one",
    )


def _check(wishes: Wishes) -> None:
    """Check the folders before the first slow step, and take away what an earlier run left."""
    if not wishes.input.is_dir():
        raise UsageError(
            f"input: there is no folder {wishes.input}", hint="podman run -v STUDY:/var/holoscan/input:ro …"
        )
    if not os.access(wishes.input, os.R_OK | os.X_OK):
        raise Unavailable(
            f"input: {wishes.input} cannot be read as uid {os.getuid()}", hint="podman run --user UID …"
        )
    try:
        wishes.output.mkdir(parents=True, exist_ok=True)
        (wishes.output / RESULT_FILE).unlink(missing_ok=True)
        (wishes.output / REPORT_FILE).unlink(missing_ok=True)
        for left in wishes.output.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=wishes.output):
            pass
    except OSError as exc:
        raise Unavailable(
            f"output: {wishes.output} cannot be written as uid {os.getuid()}: {exc.strerror}",
            hint="mount a folder that this user may write to, or: podman run --user UID …",
        ) from exc


@contextmanager
def _scratch(output: Path) -> Iterator[Path]:
    """Make a work folder inside the output folder, so that moving the result in is a rename."""
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=output) as scratch:
        yield Path(scratch).absolute()


def _flattened(outcome: Outcome, written: Path) -> Outcome:
    """Move DICOM objects to the top of the output folder, for hosts that look nowhere else."""
    folder = written / "dicom"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        path.rename(written / path.name)
    if folder.is_dir():
        folder.rmdir()
    known: Any = outcome.report.get("files", ())
    moved = [{**entry, "path": str(entry["path"]).removeprefix("dicom/")} for entry in known]
    return replace(outcome, report={**outcome.report, "files": moved})


def _failed(failed: BedsideError, terminal: "Terminal", output: Path | None) -> int:
    """Say what went wrong, on stderr and, where the output folder can be written, in `REPORT_FILE`."""
    terminal.say(f"error: {failed.message}")
    if failed.hint:
        terminal.say(f"hint: {failed.hint}")
    if output is not None:
        name = Error.of("", failed).name
        report = {"error": name, "reason": failed.message, "hint": failed.hint}
        try:
            (output / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        except OSError as exc:
            terminal.say(f"warning: {REPORT_FILE} cannot be written: {exc.strerror}")
    return failed.exit_code


@dataclass(slots=True)
class Terminal:
    """Lines for a person, on the process's own stderr, whatever libraries do to theirs."""

    stream: TextIO
    throttle: Throttle

    @classmethod
    def of_this_process(cls) -> "Terminal":
        """Keep stderr for this object."""
        return cls(os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1), Throttle(every_s=2.0))

    def say(self, line: str) -> None:
        """Write one line."""
        self.stream.write(f"bedside: {line}\n")

    def progress(self, doing: str, fraction: float) -> None:
        """Write a line where there is news."""
        if self.throttle.passes(doing):
            self.say(f"{doing} {fraction:.0%}")

    def silence(self) -> None:
        """Let nothing else of this process reach stdout and stderr."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nothing, descriptor)
        os.close(nothing)


def _stop(sign: int, _frame: FrameType | None) -> None:
    """End in order when asked to, so that nothing half-done stays in the output folder."""
    raise SystemExit(128 + sign)
