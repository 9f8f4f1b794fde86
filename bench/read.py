"""What reading costs: CPU seconds from files to a volume, bedside beside plain pydicom.

    python bench/read.py [--slices 200] [--syntaxes]   → a table

The native series carries the header of a real GE scanner (pydicom's CT_small, 256 elements) and noise
of 512 × 512. Each figure is the least of three rounds over cached files; plain pydicom reads with
`dcmread`, sorts by position and stacks rescaled `pixel_array`s, which is what most pipelines do.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume

SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)


def write(folder: Path, slices: int) -> None:
    """Write a series of noise under a real header."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.Rows = dataset.Columns = 512
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    rng = np.random.default_rng(0)
    base = np.add.outer(np.arange(512), np.arange(512)) * 2
    for k in range(slices):
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.9.{k + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = slices - k
        dataset.ImagePositionPatient = [-200, -200, 1.25 * k]
        dataset.PixelData = (base + rng.integers(0, 64, (512, 512))).astype("<u2").tobytes()
        dataset.save_as(folder / f"{(k * 7919) % slices:04d}.dcm")


def with_bedside(folder: Path) -> np.ndarray:
    (series,) = scan([folder]).series
    return read_volume(series).array


def with_pydicom(folder: Path) -> np.ndarray:
    datasets = [pydicom.dcmread(path) for path in folder.iterdir()]
    datasets.sort(key=lambda d: float(d.ImagePositionPatient[2]))
    planes = [d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in datasets]
    return np.stack([plane.astype(np.int16) for plane in planes])


def best(read: Callable[[Path], np.ndarray], folder: Path) -> tuple[float, float, np.ndarray]:
    """Return CPU and wall seconds, children included, and the volume."""
    rounds = []
    for _ in range(3):
        times, wall = os.times(), time.perf_counter()
        array = read(folder)
        wall, now = time.perf_counter() - wall, os.times()
        rounds.append((sum(now[:4]) - sum(times[:4]), wall))
    return *min(rounds), array


def transcode(folder: Path, out: Path, syntax: pydicom.uid.UID) -> None:
    out.mkdir()
    for path in folder.iterdir():  # in one thread: the JPEG 2000 codec crashes in several
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(out / path.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--syntaxes", action="store_true", help="compressed ones as well")
    chosen = parser.parse_args()
    print(f"{chosen.slices} slices of 512 × 512, CPU (wall) seconds")
    print("| transfer syntax | bedside | plain pydicom | ratio of CPU |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        native = Path(name) / "native"
        native.mkdir()
        write(native, chosen.slices)
        for syntax in SYNTAXES if chosen.syntaxes else SYNTAXES[:1]:
            folder = native
            if syntax != ExplicitVRLittleEndian:
                folder = Path(name) / syntax.name
                transcode(native, folder, syntax)
            cpu, wall, ours = best(with_bedside, folder)
            cpu_plain, wall_plain, theirs = best(with_pydicom, folder)
            assert (ours == theirs).all()
            print(
                f"| {syntax.name} | {cpu:.3f} ({wall:.2f}) | {cpu_plain:.3f} ({wall_plain:.2f}) "
                f"| {cpu_plain / cpu:.1f} |"
            )


if __name__ == "__main__":
    main()
