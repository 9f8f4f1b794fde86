"""A model's process: says hello, loads a bundle, reads studies until its worker is gone.

Owns the order of things at the start, which is what a cold run waits for: hello goes out before
anything slow is imported, and the model loads as soon as the worker names it, while the worker still
unpacks the study. Every failure becomes a typed message; only errors that bedside raised on purpose
keep their text, since a library's text may hold a value from a DICOM header.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import bedside
from bedside.errors import BedsideError, ConfigError, ModelFailed
from bedside.runtime.channel import Channel
from bedside.runtime.home import settle_in
from bedside.runtime.lifeline import bind_forks, die_with_parent
from bedside.runtime.protocol import (
    VERSIONS,
    Bye,
    Error,
    Hello,
    Load,
    Progress,
    Result,
    Run,
    request_from_json,
)
from bedside.runtime.throttle import Throttle

if TYPE_CHECKING:
    from bedside.model.bundle import Bundle
    from bedside.model.session import Session

#: Set by the worker to its process id, where the child can see it.
PARENT_VARIABLE = "BEDSIDE_PARENT_PID"

CAPABILITIES = ("bundle", "cancel", "progress")


def main() -> int:
    """Speak the protocol until the worker says bye or is gone."""
    channel = Channel.of_this_process()
    sys.dont_write_bytecode = True  # a release stays as it was registered
    die_with_parent(int(os.environ.get(PARENT_VARIABLE, "0")))
    bind_forks()
    channel.send(_hello())
    channel.start()
    loaded: Loaded | BedsideError = ModelFailed("protocol: run before load")
    while True:
        match channel.receive():
            case Load() as load:
                loaded = _answer_load(load)
            case Run() as run:
                _answer(channel, loaded, run)
                if isinstance(loaded, BedsideError):
                    return loaded.exit_code  # the next attempt begins in a fresh process
                loaded = replace(loaded, seconds=0.0)  # only the first run waited for it
            case Bye():
                return 0


def _hello() -> Hello:
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = ""
    return Hello(
        protocols=VERSIONS,
        capabilities=CAPABILITIES,
        bedside=bedside.__version__,
        python=platform.python_version(),
        torch=torch,
        pid=os.getpid(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A bundle, the session that runs it, and what loading cost the run that comes next."""

    bundle: Bundle
    session: Session
    seconds: float


def _load(load: Load) -> Loaded:
    """Open a bundle, check that it is the release asked for, and load its model.

    Raises:
        ConfigError: The protocol's version is not ours, the files are not the release's, or the
            bundle cannot be loaded.
        Unavailable: Nothing can be written, not even temporary files.
    """
    begun = time.perf_counter()
    settle_in()
    if load.protocol not in VERSIONS:
        raise ConfigError(f"protocol: the worker chose version {load.protocol}, this side has {VERSIONS}")
    from bedside.model.bundle import open_bundle  # noqa: PLC0415 - after hello

    bundle = open_bundle(Path(load.bundle))
    if load.release and bundle.digest != load.release:
        raise ConfigError(
            f"release {load.release}: its files were changed, their digest is now {bundle.digest}",
            hint="remove that folder under releases/ and register the bundle again: bedside serve",
        )
    from bedside.model.session import Session, SessionOptions  # noqa: PLC0415 - torch: seconds, after hello

    session = Session(bundle, SessionOptions(**load.options))
    return Loaded(bundle=bundle, session=session, seconds=round(time.perf_counter() - begun, 4))


def _answer_load(load: Load) -> Loaded | BedsideError:
    """Load, and keep what went wrong for the run that follows."""
    try:
        return _load(load)
    except BedsideError as failed:
        return failed
    except Exception as failed:  # noqa: BLE001 - a bundle's code raises anything; the next run says it
        traceback.print_exception(failed)
        return ModelFailed(f"model: loading failed: {described(failed)}")


def _answer(channel: Channel, loaded: Loaded | BedsideError, run: Run) -> None:
    """Run one study and send its result or its error."""
    throttle = Throttle(every_s=0.1)

    def progress(doing: str, fraction: float) -> None:
        channel.check(run.id)
        if throttle.passes(doing):
            channel.send(Progress(id=run.id, doing=doing, fraction=min(max(float(fraction), 0.0), 1.0)))

    try:
        if isinstance(loaded, BedsideError):
            raise loaded
        from bedside.runtime.study import run_study  # noqa: PLC0415 - pydicom and highdicom, after hello

        outcome = run_study(
            loaded.bundle,
            loaded.session,
            request_from_json(run.request),
            folder=Path(run.input),
            output=Path(run.output),
            progress=progress,
        )
        timings = {"load": loaded.seconds, **outcome.timings_s}
        channel.send(Result(id=run.id, report=outcome.report, timings_s=timings))
    except BedsideError as failed:
        channel.send(Error.of(run.id, failed))
    except Exception as failed:  # noqa: BLE001 - a bundle's code raises anything; the worker must hear of it
        traceback.print_exception(failed)
        channel.send(Error(id=run.id, name="ModelFailed", message=f"model: {described(failed)}"))
    finally:
        channel.forget(run.id)


def described(failed: BaseException) -> str:
    """Return an error's type and place without its text, which may hold a patient's data."""
    frames = traceback.extract_tb(failed.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(failed).__name__}{place}"
