"""Ten studies through the queue with one worker, beside the App SDK and plain MONAI, in one run.

    python bench/throughput.py [--studies 10] [--peer-studies 3] [--peer .bench/app-sdk]

bedside: ten ZIPs in the drop-box, ``bedside serve --once`` from its start to its end, so that
start-up, intake, queue, results and settling are all counted. The peers do a study per process, as
they are used, and are given fewer of the same studies, since their rate does not depend on how many.
Every job must end well with one result. Prints a Markdown table; nothing is asserted on times.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

import workload
from latency import app_sdk, plain, seg_mask, torchscript
from workload import CACHE, Measured, measure, table

FIRST_SEED = 901
#: Engine and precision. The first that runs is the reference for Dice.
ENGINES = {
    "torch fp32 (default)": ("torch", "fp32"),
    "torch bf16": ("torch", "bf16"),
    "OpenVINO fp32": ("openvino", "fp32"),
    "OpenVINO bf16": ("openvino", "bf16"),
}


def queue(bundle: Path, zips: list[Path], root: Path, engine: str, precision: str) -> Measured:
    """Put all ZIPs into a new deployment's drop-box and serve until nothing is left."""
    shutil.rmtree(root, ignore_errors=True)
    drop = root / "data" / "default" / "input"
    drop.mkdir(parents=True)
    (root / "bedside.toml").write_text(
        f"""
[system]
root = "data"

[intake]
quiet_s = 0

[[pipeline]]
name = "spleen"
bundle = {json.dumps(str(bundle))}
engine = "{engine}"
precision = "{precision}"
tolerance_dice = 0.99

[[rule]]
name = "every CT"
when = 'Modality == "CT"'
pipeline = "spleen"
"""
    )
    for archive in zips:
        shutil.copy(archive, drop / archive.name)
    command = [sys.executable, "-m", "bedside", "serve", "--once", "--workers", "1"]
    return measure([*command, "--config", str(root / "bedside.toml")], log=root / "serve.log")


def results(root: Path, count: int) -> list[Path]:
    """Return the result folders of a deployment, which must be one per study."""
    found = sorted((root / "data" / "default" / "results").glob("*/*/result.json"))
    if len(found) != count:
        sys.exit(f"{root}: {len(found)} results of {count} studies; see serve.log")
    return [path.parent for path in found]


def masks(root: Path, studies: list[Path]) -> dict[str, np.ndarray]:
    """Return the mask of every study by its Study Instance UID."""
    found = {}
    uids = {study_uid(study): study for study in studies}
    for folder in results(root, len(studies)):
        uid = json.loads((folder / "result.json").read_text())["inputs"]["study_uid"]
        found[uid] = seg_mask(folder / "dicom" / "seg.dcm", uids[uid])
    return found


def study_uid(study: Path) -> str:
    """Return the Study Instance UID of a folder."""
    import pydicom

    return str(pydicom.dcmread(next(study.iterdir()), stop_before_pixels=True).StudyInstanceUID)


def zipped(study: Path) -> Path:
    """Return a study as a ZIP, made once."""
    archive = study.parent / f"{study.parent.name}.zip"
    if not archive.exists():
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
            for path in sorted(study.iterdir()):
                opened.write(path, path.name)
    return archive


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Dice coefficient of two masks."""
    return float(2 * np.count_nonzero(one & other) / (one.sum(dtype=int) + other.sum(dtype=int)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--peer-studies", type=int, default=3)
    parser.add_argument("--peer", type=Path, default=CACHE / "app-sdk")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    options = parser.parse_args()
    bundle = workload.bundle()
    studies = [workload.study(seed) for seed in range(FIRST_SEED, FIRST_SEED + options.studies)]
    zips = [zipped(study) for study in studies]
    peer = options.peer / "bin" / "python"
    rows: list[tuple[str, float, int, str]] = []
    sdk_s = 0.0
    if peer.exists():
        model = torchscript(bundle)
        runs = [app_sdk(peer, model, s, CACHE / "out" / "sdk") for s in studies[: options.peer_studies]]
        sdk_s = sum(run.wall_s for run in runs) / len(runs)
        rows.append(("App SDK 3.5.0, a process per study", sdk_s, max(r.peak_bytes for r in runs), ""))
    runs = [plain(bundle, study, CACHE / "out" / "plain") for study in studies[: options.peer_studies]]
    plain_s = sum(run.wall_s for run in runs) / len(runs)
    rows.append(("plain MONAI, a process per study", plain_s, max(r.peak_bytes for r in runs), ""))
    reference: dict[str, np.ndarray] = {}
    for name in options.engines:
        engine, precision = ENGINES[name]
        root = CACHE / "queue" / f"{engine}-{precision}"
        run = queue(bundle, zips, root, engine, precision)
        print(f"{name}: {run.wall_s:.1f} s", file=sys.stderr)
        found = masks(root, studies)
        reference = reference or found
        worst = min(dice(reference[uid], mask) for uid, mask in found.items())
        rows.append((f"bedside, queue, {name}", run.wall_s / len(studies), run.peak_bytes, f"{worst:.5f}"))
    head = ["studies through the queue", "s per study", "× App SDK's rate", "peak GiB", "least Dice to fp32"]
    print(
        table(
            head,
            [
                [name, f"{s:.2f}", f"{sdk_s / s:.2f}" if sdk_s else "", f"{peak / 2**30:.2f}", worst]
                for name, s, peak, worst in rows
            ],
        )
    )


if __name__ == "__main__":
    main()
