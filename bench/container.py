"""The demo study through a MAP in a container, beside ``bedside run`` of its bundle.

Run ``python bench/container.py [--rounds 5] [--engines podman runc none] [--json]``. Each run is a new
process; the MAP lies in the engine already (``bedside package``, then one run that does not count). A
container's time is taken from its start to the first byte of its result and to its end, the bundle's
to its end. Masks are compared byte for byte.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from bedside.phantom import make_phantom, write_study
from bedside.phantom.example import example_bundle
from engines import running_engine

CACHE = Path(__file__).resolve().parents[1] / ".bench" / "package-cache"
BEDSIDE = [sys.executable, "-m", "bedside"]


@dataclass(slots=True)
class Contender:
    """Who reads the study, and what that took.

    Attributes:
        name: For the table.
        command: Reads the study into a folder.
        environment: Of its process, beside ours.
        first: Seconds to the first byte of the result, of each round.
        whole: Seconds to the end.
        mask: Hash of the SEG.
    """

    name: str
    command: Callable[[Path], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    mask: str = ""

    def run(self, output: Path) -> None:
        """Read the study once."""
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        begun = time.perf_counter()
        process = subprocess.Popen(
            self.command(output),
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        first = 0.0
        while process.poll() is None:
            if not first and (output / "dicom").exists():
                first = time.perf_counter() - begun
            time.sleep(0.005)
        whole = time.perf_counter() - begun
        assert process.stderr is not None
        if process.returncode:
            sys.exit(f"{self.name}: exit status {process.returncode}\n{process.stderr.read().decode()}")
        self.first.append(first or whole)
        self.whole.append(whole)
        self.mask = hashlib.sha256((output / "dicom" / "seg.dcm").read_bytes()).hexdigest()


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="*", default=["podman", "runc", "none"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-container-")))
        study = folder / "study"
        write_study(study, make_phantom(1), seed=1)
        layout = folder / "map"
        package = [*BEDSIDE, "package", str(example_bundle()), "-o", str(layout), "--no-prove"]
        subprocess.run([*package, "--cache", str(CACHE)], check=True, capture_output=True)
        contenders = [Contender("bedside run BUNDLE", lambda output: run(example_bundle(), study, output))]
        contenders += [stack.enter_context(container(name, layout, study)) for name in given.engines]
        for number in range(given.rounds + 1):
            for contender in contenders:
                contender.run(folder / "output")
                if not number:  # the engine takes the MAP in
                    contender.first.clear()
                    contender.whole.clear()
    rows = [figures(contender, contenders[0]) for contender in contenders]
    print(json.dumps(rows, indent=2) if given.json else table(rows))
    return 0


def run(model: Path, study: Path, output: Path, *options: str) -> list[str]:
    """Return the command of one study."""
    return [*BEDSIDE, "run", str(model), "-i", str(study), "-o", str(output), *options]


@contextmanager
def container(name: str, layout: Path, study: Path) -> Iterator[Contender]:
    """Give a contender that runs the MAP in an engine with a store of its own."""
    with running_engine(name) as (engine, environment):
        options = ["--container-engine", name]
        if name == "podman":  # its store is named on its command line
            wrapped = Path(environment["HOME"]) / "bin"
            wrapped.mkdir()
            program = wrapped / "podman"
            words = " ".join(f"'{word}'" for word in engine._program)
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            program.chmod(0o755)
            environment = {**environment, "PATH": f"{wrapped}:{environment['PATH']}"}
        yield Contender(
            f"bedside run MAP, {name}",
            lambda output: run(layout, study, output, *options),
            environment=environment,
        )


def figures(contender: Contender, bundle: Contender) -> dict[str, object]:
    """Return a row."""
    limit = statistics.median(bundle.whole)
    return {
        "contender": contender.name,
        "first_s": round(statistics.median(contender.first), 2),
        "whole_s": round(statistics.median(contender.whole), 2),
        "least_s": round(min(contender.whole), 2),
        "most_s": round(max(contender.whole), 2),
        "first_to_bundle": round(statistics.median(contender.first) / limit, 2),
        "whole_to_bundle": round(statistics.median(contender.whole) / limit, 2),
        "same_mask": contender.mask == bundle.mask,
    }


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| the demo study, new process | first byte, s | whole, s, median (least–most) | × bundle | mask |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['contender']} | {r['first_s']} | {r['whole_s']} ({r['least_s']}–{r['most_s']}) "
        f"| {r['whole_to_bundle']} | {'equal' if r['same_mask'] else 'DIFFERENT'} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
