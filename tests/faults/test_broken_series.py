"""Broken bytes of a series end in a refusal or in being left aside: never in another error or much memory."""

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from bedside.dicom.attributes import series_attributes
from bedside.dicom.codec import encoded_frames
from bedside.dicom.header import read_header
from bedside.dicom.identify import identify
from bedside.dicom.pixels import stored_frames
from bedside.dicom.scan import scan
from bedside.dicom.select import choose
from bedside.dicom.volume import read_volume
from bedside.domain.acceptance import Acceptance
from bedside.errors import InputRejected
from dicom_samples import change, compress, enhanced, ramp, rewritten, series

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
MOST_MEMORY = 400 * 2**20


def read_all(paths: list[Path]) -> str:
    """Do with files what a job does with them; say how it ended."""
    for path in paths:
        identify(path)
    series_attributes(paths)
    try:
        choice = choose(scan(paths), select=None, acceptance=Acceptance())
        volume = read_volume(choice.series)
    except InputRejected as exc:
        assert exc.message
        return "refused"
    assert volume.array.ndim == 3
    assert np.isfinite(volume.affine).all()
    return "read"


def broken(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, insert or repeat bytes, mostly in the header."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(min(len(out), rng.choice((300, 1200, len(out)))))
        how = rng.randrange(5)
        if how == 0:
            out[place] ^= 1 << rng.randrange(8)
        elif how == 1:
            out[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", rng.randbytes(4)))
        elif how == 2:
            del out[place : place + rng.randrange(1, 40)]
        elif how == 3:
            out[place:place] = rng.randbytes(rng.randrange(1, 40))
        else:
            del out[place:]
        if not out:
            break
    return bytes(out)


def stored(folder: Path, syntax: pydicom.uid.UID, *, multi: bool) -> list[Path]:
    paths = series(folder, array=ramp((4, 8, 8)))
    if multi:
        packed = enhanced(paths, folder / "multi.dcm")
        for path in paths:
            path.unlink()
        paths = [packed]
    for path in paths:
        if syntax == RLELossless:
            change(path, lambda d: d.compress(syntax, generate_instance_uid=False))
        else:
            rewritten(path, syntax, path)
    return paths


def fuzz(tmp_path: Path, syntax: pydicom.uid.UID, *, multi: bool, rounds: int) -> dict[str, int]:
    paths = stored(tmp_path, syntax, multi=multi)
    originals = [path.read_bytes() for path in paths]
    rng = random.Random(f"{syntax} {multi}")
    ends = {"read": 0, "refused": 0}
    tracemalloc.start()
    for _ in range(rounds):
        victim = rng.randrange(len(paths))
        paths[victim].write_bytes(broken(originals[victim], rng))
        ends[read_all(paths)] += 1
        paths[victim].write_bytes(originals[victim])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak / 2**20:.0f} MiB for files of a few kilobytes"
    return ends


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless], ids=lambda s: s.name)
def test_a_little_damage(tmp_path: Path, syntax: pydicom.uid.UID, multi: bool) -> None:
    ends = fuzz(tmp_path, syntax, multi=multi, rounds=15)
    assert ends["refused"] > 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless], ids=lambda s: s.name)
def test_much_damage(tmp_path: Path, syntax: pydicom.uid.UID, multi: bool) -> None:
    fuzz(tmp_path, syntax, multi=multi, rounds=1000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless], ids=lambda s: s.name)
def test_broken_codestreams_end_no_process_of_ours(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    (path,) = series(tmp_path, array=ramp((1, 64, 80)), modality="MR")
    compress(path, syntax)
    header = read_header(path)
    assert header is not None
    (span,) = encoded_frames(header)[0].spans
    original, rng, refused = path.read_bytes(), random.Random(str(syntax)), 0
    for _ in range(60 if syntax == JPEGLosslessSV1 else 1500):  # the first starts a process each time
        data = bytearray(original)
        for _ in range(rng.choice((1, 2, 8))):
            data[span.offset + rng.randrange(rng.choice((200, span.length)))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            (frame,) = stored_frames(header)
            assert frame.shape == (64, 80)
        except InputRejected:
            refused += 1
    assert refused > 5
