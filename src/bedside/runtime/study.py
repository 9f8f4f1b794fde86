"""One study from its files to its results: scan, choose, read, run, write.

Owns the order of these steps, their timings and the report of them. Knows neither the protocol nor
the process it runs in, so that the child, a packaged application's entry point and a test call the
same function. Reading does not overlap with loading the model: both hold the interpreter's lock, and
the slow codecs' processes must not be forked while another thread imports torch.
"""

from __future__ import annotations

import resource
import sys
import time
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

import bedside
from bedside.dicom.results import write_results
from bedside.dicom.scan import scan
from bedside.dicom.select import choose
from bedside.dicom.volume import read_volume
from bedside.domain.expression import parse
from bedside.domain.labels import accept, override
from bedside.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bedside.dicom.scan import Series, StudyScan
    from bedside.dicom.select import Choice
    from bedside.domain.request import RunRequest
    from bedside.domain.volume import ModelOutput
    from bedside.model.bundle import Bundle
    from bedside.model.session import Session
    from bedside.ports import Progress

#: Where reading and running end in the whole, from what was measured on the example bundle.
READ_UNTIL, RUN_UNTIL = 0.1, 0.9

#: Distributions whose versions a result names: what a voxel may depend on.
NAMED_VERSIONS = ("torch", "monai", "numpy", "pydicom", "highdicom", "openvino")


def run_study(
    bundle: Bundle,
    session: Session,
    request: RunRequest,
    *,
    folder: Path,
    output: Path,
    progress: Progress,
) -> Outcome:
    """Read the series that fits, run the model on it and write its results.

    Args:
        bundle: What the session runs: its labels and what it accepts.
        session: The loaded model.
        request: What to do, and under which identity.
        folder: The study's files, at any depth; read-only.
        output: Empty folder for what is written.
        progress: Called at each step; what it raises ends the run.

    Raises:
        InputRejected: No series fits, several do, or the one that fits cannot be read correctly.
        ModelFailed: The model failed on it.
    """
    clock = Steps()
    progress("read", 0.0)
    with clock.step("scan"):
        study = scan(sorted(path for path in folder.rglob("*") if path.is_file()))
    acceptance = accept(bundle.acceptance, request.accept)
    labels = override(bundle.labels, request.labels)
    select = parse(request.select) if request.select else None
    choice = choose(study, select=select, acceptance=acceptance)
    with clock.step("read"):
        volume = read_volume(choice.series)

    def of_the_run(doing: str, fraction: float) -> None:
        progress(doing, READ_UNTIL + fraction * (RUN_UNTIL - READ_UNTIL))

    with clock.step("run"):
        answer = session.run(volume, labels=labels, progress=of_the_run)
    progress("write", RUN_UNTIL)
    with clock.step("write"):
        written = write_results(output, request=request, series=choice.series, volume=volume, output=answer)
    progress("write", 1.0)
    timings = clock.seconds | dict(answer.timings_s)
    if isinstance(steps := written.pop("timings_s", None), dict):
        timings |= steps
    return Outcome(report=_report(study, choice, answer, written), timings_s=timings)


class Steps:
    """Wall seconds per named step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - begun, 4)


def _report(
    study: StudyScan, choice: Choice, answer: ModelOutput, written: Mapping[str, object]
) -> dict[str, object]:
    """Return the part of ``result.json`` that the model's side knows. JSON values, no patient data."""
    return {
        **written,
        "series": [
            {
                "uid": decision.series_uid,
                "taken": decision.taken,
                "reason": decision.reason,
                "fit": decision.fit.value,
            }
            for decision in choice.decisions
        ],
        "left_aside": [
            {"sop_instance_uid": left.sop_instance_uid, "reason": left.reason} for left in study.left
        ],
        "inputs": _inputs(choice.series),
        "numbers": dict(answer.numbers),
        "notes": dict(answer.notes),
        "versions": dict(versions()),
        "peak_memory_bytes": peak_memory_bytes(),
    }


def _inputs(series: Series) -> dict[str, object]:
    return {
        "study_uid": series.study_uid,
        "series_uid": series.uid,
        "sop_instance_uids": [instance.sop_instance_uid for instance in series.instances],
    }


@cache  # for the life of the process: looking them up reads a file for each
def versions() -> Mapping[str, str]:
    """Return the versions of bedside, Python and the libraries a result depends on."""
    found = {"bedside": bedside.__version__, "python": sys.version.split()[0]}
    for name in NAMED_VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def peak_memory_bytes() -> int:
    """Return the most memory this process held resident since it started, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
