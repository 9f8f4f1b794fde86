"""One study: cold and warm, beside the limit, plain MONAI and the App SDK, in one run.

    python bench/latency.py [--rounds 3] [--peer .bench/app-sdk]

Every round runs each contender once, in turn, so that a machine that slows down slows them all. The
masks are compared voxel by voxel. Prints a Markdown table; nothing is asserted here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pydicom

import workload
from workload import BENCH, CACHE, Measured, measure, spread, table

PYTHON = sys.executable


def cold(bundle: Path, study: Path, out: Path, *options: str) -> Measured:
    """``bedside run``: a new process for the study."""
    shutil.rmtree(out, ignore_errors=True)
    command = [PYTHON, "-m", "bedside", "run", str(bundle), str(study), "-o", str(out), *options]
    return measure(command, log=CACHE / "cold.log")


def plain(bundle: Path, study: Path, out: Path) -> Measured:
    """A MONAI script, a new process for the study."""
    return measure(
        [PYTHON, str(BENCH / "peers" / "plain_monai.py"), str(bundle), str(study), str(out)],
        log=CACHE / "plain.log",
    )


def app_sdk(python: Path, torchscript: Path, study: Path, out: Path) -> Measured:
    """The App SDK's application, a new process for the study, as its packages run."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    cuda = next(python.parent.parent.glob("lib/python*/site-packages/nvidia/cuda_runtime/lib"))
    return measure(
        [
            str(python),
            str(BENCH / "peers" / "app_sdk.py"),
            "-i",
            str(study),
            "-o",
            str(out),
            "-m",
            str(torchscript),
        ],
        log=CACHE / "app_sdk.log",
        environment={"LD_LIBRARY_PATH": str(cuda)},
    )


def warm(bundle: Path, study: Path, rounds: int, *options: str) -> dict[str, object]:
    """The same study again and again through one warm child; the first, cold one is not counted."""
    command = [PYTHON, str(BENCH / "warm.py"), str(bundle), str(study), "--rounds", str(rounds), *options]
    log = CACHE / "warm.log"
    measure(command, log=log)
    answer: dict[str, object] = json.loads(log.read_text().strip().splitlines()[-1])
    return answer


def forward(bundle: Path, study: Path, rounds: int) -> list[float]:
    """The limit: the network over the windows and nothing else."""
    log = CACHE / "forward.log"
    measure([PYTHON, str(BENCH / "forward.py"), str(bundle), str(study), "--rounds", str(rounds)], log=log)
    seconds: list[float] = json.loads(log.read_text().strip().splitlines()[-1])["seconds"]
    return seconds


def seg_mask(seg: Path, study: Path) -> np.ndarray:
    """Return a SEG's first segment as (slices, rows, columns) of 0 and 1, slices by position."""
    positions = sorted(
        float(pydicom.dcmread(p, stop_before_pixels=True).ImagePositionPatient[2]) for p in study.iterdir()
    )
    dataset = pydicom.dcmread(seg)
    mask = np.zeros((len(positions), dataset.Rows, dataset.Columns), np.uint8)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for groups, frame in zip(dataset.PerFrameFunctionalGroupsSequence, frames, strict=True):
        z = float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        mask[int(np.argmin(np.abs(np.array(positions) - z)))] |= frame
    return mask


def differing(ours: np.ndarray, other: np.ndarray) -> str:
    """Say by how many voxels two masks differ."""
    count = int((ours != other).sum())
    return "equal" if count == 0 else f"{count} voxels of {int(ours.sum())}"


def torchscript(bundle: Path) -> Path:
    """Return the bundle as the TorchScript archive that the App SDK reads, made once."""
    made = CACHE / "app_sdk_model" / "model.ts"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        command = [PYTHON, "-m", "monai.bundle", "ckpt_export", "--net_id", "network_def"]
        command += ["--filepath", str(made), "--ckpt_file", str(bundle / "models" / "model.pt")]
        command += ["--meta_file", str(bundle / "configs" / "metadata.json")]
        command += ["--config_file", str(bundle / "configs" / "inference.json")]
        measure(command, log=CACHE / "export.log")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path, default=CACHE / "app-sdk")
    parser.add_argument("--seed", type=int, default=900)
    options = parser.parse_args()
    bundle, study, out = workload.bundle(), workload.study(options.seed), CACHE / "out"
    peer = options.peer / "bin" / "python"
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, int] = {}

    def note(name: str, value: float, peak: int = 0) -> None:
        seconds.setdefault(name, []).append(value)
        peaks[name] = max(peaks.get(name, 0), peak)
        print(f"{time.strftime('%H:%M:%S')} {name}: {value:.2f} s", file=sys.stderr)

    for _ in range(options.rounds):
        for value in forward(bundle, study, 1):
            note("forward pass alone (the limit)", value)
        answer = warm(bundle, study, 1)
        note("bedside, warm", answer["seconds"][0], answer["peak_bytes"])
        one = cold(bundle, study, out / "cold")
        note("bedside run, cold", one.wall_s, one.peak_bytes)
        one = plain(bundle, study, out / "plain")
        note("plain MONAI, new process", one.wall_s, one.peak_bytes)
        if peer.exists():
            one = app_sdk(peer, torchscript(bundle), study, out / "app_sdk")
            note("App SDK 3.5.0, new process", one.wall_s, one.peak_bytes)

    ours = seg_mask(next((out / "cold" / "dicom").glob("*seg*.dcm")), study)
    masks = {"plain MONAI, new process": np.load(out / "plain" / "mask.npy")}
    if peer.exists():
        masks["App SDK 3.5.0, new process"] = seg_mask(next((out / "app_sdk").glob("*.dcm")), study)
    base = statistics.median(seconds["forward pass alone (the limit)"])
    rows = [
        [
            name,
            spread(values),
            f"{statistics.median(values) / base:.2f}",
            f"{peaks[name] / 2**30:.2f}" if peaks[name] else "",
            differing(ours, masks[name]) if name in masks else "",
        ]
        for name, values in seconds.items()
    ]
    print(
        table(
            ["one study", "seconds, median (least–most)", "× forward", "peak GiB", "mask against bedside's"],
            rows,
        )
    )


if __name__ == "__main__":
    main()
