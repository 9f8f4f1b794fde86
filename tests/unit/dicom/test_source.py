"""However long, deflated, swapped or cut a file is: the same values, bounded memory, or a refusal."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from bedside.dicom.header import _WISH, read_header
from bedside.dicom.source import (
    FIRST_READ,
    INFLATION_FLOOR_BYTES,
    MAX_HEADER_BYTES,
    open_source,
    read_dataset,
)
from bedside.errors import InputRejected, Unavailable
from dicom_samples import change, rewritten, series

FIELDS = (
    "sop_instance_uid",
    "series_uid",
    "rows",
    "columns",
    "position",
    "spacing",
    "slope",
    "intercept",
)


def same(a: Path, b: Path) -> None:
    one, other = read_header(a), read_header(b)
    assert one is not None and other is not None
    for name in FIELDS:
        assert getattr(one, name) == getattr(other, name)
    assert one.problem == other.problem == ""


def test_long_private_elements_before_the_needed_ones(tmp_path: Path) -> None:
    plain = series(tmp_path / "a")[0]
    for size in (FIRST_READ - 700, FIRST_READ, FIRST_READ * 40):
        grown = tmp_path / f"{size}.dcm"

        def edit(dataset: pydicom.Dataset, size: int = size) -> None:
            dataset.private_block(0x0009, "TEST", create=True).add_new(1, "OB", b"\1" * size)

        change(plain, edit, to=grown)
        same(plain, grown)


def test_a_header_that_ends_where_the_first_read_does(tmp_path: Path) -> None:
    plain = series(tmp_path / "a")[0]
    size = plain.stat().st_size
    for fill in range(FIRST_READ - size - 40, FIRST_READ - size + 400, 6):
        grown = tmp_path / "grown.dcm"

        def edit(dataset: pydicom.Dataset, fill: int = fill) -> None:
            dataset.private_block(0x0009, "TEST", create=True).add_new(1, "OB", b"\1" * fill)

        change(plain, edit, to=grown)
        header = read_header(grown)
        assert header is not None
        assert header.problem == ""


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_encodings_give_the_same_header(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    plain = series(tmp_path / "a")[0]
    other = rewritten(plain, syntax, tmp_path / "other.dcm")
    same(plain, other)
    header = read_header(other)
    assert header is not None
    reference = read_dataset(other, deflated=header.deflated, end=header.pixel_offset)
    assert reference.PatientID == "PHANTOM"
    assert "PixelData" not in reference


def test_neither_preamble_nor_meta(tmp_path: Path) -> None:
    plain = series(tmp_path / "a")[0]
    data = plain.read_bytes()
    start = (
        data.index(b"\x08\x00\x05\x00") if b"\x08\x00\x05\x00" in data else data.index(b"\x08\x00\x08\x00CS")
    )
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(data[start:])
    same(plain, bare)


def deflated(path: Path, data_set: bytes) -> Path:
    """Write file meta information and a data set that deflates to almost nothing."""
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    path.write_bytes(b"\0" * 128 + b"DICM" + meta + packer.compress(data_set) + packer.flush())
    return path


def test_a_deflated_bomb_is_refused_within_bounds(tmp_path: Path) -> None:
    element = struct.pack("<HH2sHL", 0x0008, 0x0005, b"UN", 0, 2**30)
    bomb = deflated(tmp_path / "bomb.dcm", element + b"\0" * (6 * INFLATION_FLOOR_BYTES))
    tracemalloc.start()
    with pytest.raises(InputRejected, match="inflates to more than"):
        open_source(bomb, _WISH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * MAX_HEADER_BYTES, peak


def test_deflated_pixels_that_would_inflate_too_far_are_a_problem_before_they_are(tmp_path: Path) -> None:
    plain = pydicom.dcmread(series(tmp_path / "a")[0])
    plain.Rows = plain.Columns = 4000
    plain.PixelData = b"\0" * (4000 * 4000 * 2)
    plain.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    bomb = tmp_path / "bomb.dcm"
    plain.save_as(bomb)
    header = read_header(bomb)
    assert header is not None
    assert "would inflate to 32000000 bytes" in header.problem


def test_malformed_meta_of_a_deflated_file_does_not_reach_an_unbounded_inflater(tmp_path: Path) -> None:
    bomb = deflated(tmp_path / "bomb.dcm", b"\0" * (6 * INFLATION_FLOOR_BYTES))
    raw = bomb.read_bytes()
    odd = struct.pack("<HH2sH", 2, 2, b"ZZ", 2) + b"1\0"
    bomb.write_bytes(raw[:132] + odd + raw[132:])
    with pytest.raises(InputRejected):
        open_source(bomb, _WISH)


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        read_header(tmp_path / "gone.dcm")
