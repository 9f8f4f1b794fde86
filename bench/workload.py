"""What the latency and throughput benches share: the studies, the bundle, and how a process is measured."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bedside.phantom import make_phantom, write_study

BENCH = Path(__file__).resolve().parent
CACHE = BENCH.parent / ".bench"
BUNDLE = CACHE / "spleen_zoo"
SHAPE = (150, 512, 512)
SPACING_MM = (2.5, 0.8, 0.8)


def study(seed: int) -> Path:
    """Return the folder of a phantom series of 150×512×512 at 2.5×0.8×0.8 mm, made once."""
    folder = CACHE / f"study-{seed}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_study(folder / "dicom", make_phantom(seed, shape=SHAPE, spacing_mm=SPACING_MM), seed=seed)
        (folder / "done").touch()
    return folder / "dicom"


def bundle() -> Path:
    """Return the bench bundle, or say how it is trained."""
    if not (BUNDLE / "models" / "model.pt").exists():
        sys.exit(f"{BUNDLE} is missing: train it (about 20 minutes): python bench/train_zoo.py")
    return BUNDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a command: wall and CPU seconds, and the peak of its largest process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def measure(command: list[str], *, log: Path, environment: dict[str, str] | None = None) -> Measured:
    """Run a command to its end and account for it and what it started; its output goes to a file."""
    begun = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )
        largest = 0
        while process.poll() is None:
            largest = max(largest, *(peak_bytes(pid) for pid in family(process.pid)))
            time.sleep(0.02)
    wall_s = time.perf_counter() - begun
    if process.returncode != 0:
        sys.exit(f"{command[:4]}… ended with {process.returncode}:\n{log.read_text()[-3000:]}")
    children = os.times()
    global _children_cpu_s
    cpu_s = children.children_user + children.children_system - _children_cpu_s
    _children_cpu_s += cpu_s
    return Measured(wall_s=wall_s, cpu_s=cpu_s, peak_bytes=largest)


_children_cpu_s = 0.0


def family(pid: int) -> list[int]:
    """Return a process and all its descendants that live now."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def peak_bytes(pid: int) -> int:
    """Return the most memory a living process held resident (VmHWM), or 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def spread(values: list[float]) -> str:
    """Return median (least–most) of some seconds."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
