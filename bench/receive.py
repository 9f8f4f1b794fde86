"""How fast studies come in by C-STORE: instances per second, beside other receivers.

Run ``python bench/receive.py [--instances 200] [--rounds 3] [--folder DIR]``. The sender is dcmtk's storescu,
one association, instances of 512 × 512 CT in the clear over loopback; receivers take turns. bedside is
`bedside serve --workers 0`: each instance is flushed to the disk, looked at and in the drop-box before it is
answered. The peers write a file and answer; nothing is flushed.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np

from dicom_samples import series
from dicom_sender import free_port

CONFIGURATION = """
[system]
root = "data"
[intake]
quiet_s = 600
[worker]
count = 0
[dicom]
port = {port}
min_free_bytes = 0
"""
BEDSIDE = "bedside serve, flushed"
PEERS = {
    "dcmtk's storescp": ["storescp", "-od"],
    "pynetdicom's storescp": [sys.executable, "-m", "pynetdicom", "storescp", "-od"],
}


@dataclass(frozen=True)
class Result:
    name: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk whose flushes are measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder = Path(made)
        array = np.random.default_rng(1).integers(-1000, 1000, (options.instances, 512, 512), dtype=np.int16)
        study = series(folder / "study", array=array)
        results = [
            Result(name, once(name, study, folder / f"{number}-{place}"))
            for number in range(options.rounds)
            for place, name in enumerate((*PEERS, BEDSIDE))
        ]
    print(table(results, options.instances))


def once(name: str, study: Sequence[Path], folder: Path) -> float:
    """Return the seconds in which the study was sent."""
    folder.mkdir()
    port = free_port()
    receiver = bedside(folder, port) if name == BEDSIDE else peer(PEERS[name], folder, port)
    with receiver:
        command = ["storescu", "-aec", "BEDSIDE", "+sd", "127.0.0.1", str(port), str(study[0].parent)]
        began = time.monotonic()
        subprocess.run(command, check=True)
        seconds = time.monotonic() - began
    kept = sum(path.is_file() and path.stat().st_size > 512 * 1024 for path in folder.rglob("*"))
    assert kept == len(study), f"{name} kept {kept} of {len(study)}"
    shutil.rmtree(folder)
    return seconds


@contextmanager
def peer(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    with running([*command, str(folder), str(port)], folder, port):
        yield


@contextmanager
def bedside(folder: Path, port: int) -> Iterator[None]:
    (folder / "bedside.toml").write_text(CONFIGURATION.format(port=port))
    with running([sys.executable, "-m", "bedside", "serve"], folder, port):
        yield


@contextmanager
def running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        for _ in range(300):
            echo = ["echoscu", "-aec", "BEDSIDE", "127.0.0.1", str(port)]
            asked = subprocess.run(echo, capture_output=True)
            if asked.returncode == 0:
                break
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def table(results: Sequence[Result], instances: int) -> str:
    rows = ["| receiver | instances per s, median (least–most) | × dcmtk's storescp |", "|---|---|---|"]
    rates = {name: [instances / r.seconds for r in results if r.name == name] for name in (*PEERS, BEDSIDE)}
    usual = statistics.median(rates[next(iter(PEERS))])
    for name, found in rates.items():
        middle = statistics.median(found)
        rows.append(f"| {name} | {middle:.0f} ({min(found):.0f}–{max(found):.0f}) | {middle / usual:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
