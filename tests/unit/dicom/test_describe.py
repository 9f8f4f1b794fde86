"""What an instance says of itself: JSON as PS3.18 F wants it, and where its bytes lie."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from bedside.dicom.describe import describe
from bedside.dicom.names import path_of
from bedside.domain.catalogue import BULK_MARK, Described
from bedside.errors import InputRejected
from dicom_samples import change, enhanced, ramp, rewritten, series


def described(path: Path) -> Described:
    with path.open("rb") as stream:
        return describe(stream, path.stat().st_size)


def told(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(described(path).metadata)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return series(tmp_path, array=ramp((1, 10, 12)))[0]


def test_values_are_what_json_has_for_them(path: Path) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
        dataset.PatientComments = "two\\lines are one text"
        dataset.OtherPatientIDs = ["A", "", "B"]
        dataset.FrameIncrementPointer = [0x00181063, 0x00181065]
        dataset.SliceThickness = "2.50"
        dataset.ImageComments = ""
        dataset.add_new(0x00189074, "DT", "20260115093000")
        dataset.add_new(0x00189332, "FD", [1.5, -2.25])
        dataset.add_new(0x00720064, "IS", [1, -2])
        dataset.add_new(0x00091001, "UN", b"\1\2\3\4")

    change(path, edit)
    found = told(path)
    assert found["00100010"] == {
        "vr": "PN",
        "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}],
    }
    assert found["00104000"]["Value"] == ["two\\lines are one text"]
    assert found["00101000"]["Value"] == ["A", None, "B"]
    assert found["00280009"] == {"vr": "AT", "Value": ["00181063", "00181065"]}
    assert found["00180050"] == {"vr": "DS", "Value": [2.5]}
    assert found["00204000"] == {"vr": "LT"}
    assert found["00189332"]["Value"] == [1.5, -2.25]
    assert found["00720064"] == {"vr": "IS", "Value": [1, -2]}
    assert found["00091001"] == {"vr": "UN", "InlineBinary": "AQIDBA=="}
    assert list(found) == sorted(found)
    assert not any(tag.endswith("0000") or tag.startswith("0002") for tag in found)


def test_what_is_not_as_its_kind_says_is_told_as_text(path: Path) -> None:
    whole = path.read_bytes()
    marked = whole.replace(b"DS\x04\x002.5 ", b"DS\x04\x00abc ").replace(b"IS\x02\x001 ", b"IS\x02\x001.")
    assert marked != whole
    path.write_bytes(marked)
    found = told(path)
    assert found["00180050"] == {"vr": "DS", "Value": ["abc"]}
    assert found["00080018"]["Value"] == [described(path).sop_instance_uid]


def test_infinite_numbers_are_told_by_address(path: Path) -> None:
    change(path, lambda dataset: dataset.add_new(0x00189332, "FD", [float("nan"), 1.0]))
    found = described(path)
    assert json.loads(found.metadata)["00189332"] == {"vr": "FD", "BulkDataURI": f"{BULK_MARK}00189332"}
    extent = found.layout.bulk["00189332"].extent
    assert extent is not None and extent.length == 16


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=str
)
def test_the_encoding_changes_nothing_that_is_told(path: Path, tmp_path: Path, syntax: Any) -> None:
    other = rewritten(path, syntax, tmp_path / "other.dcm")
    first, second = described(path), described(other)
    assert json.loads(second.metadata) == json.loads(first.metadata)
    assert second.transfer_syntax_uid == syntax
    lies = syntax == ImplicitVRLittleEndian
    assert bool(second.layout.frames) is lies and second.layout.count == 1
    if lies:
        (extent,) = second.layout.frames[0]
        data = other.read_bytes()[extent.offset : extent.offset + extent.length]
        assert data == pydicom.dcmread(path).PixelData


@pytest.mark.parametrize("extended", [False, True])
def test_frames_of_several_fragments_are_found_by_their_table(tmp_path: Path, extended: bool) -> None:
    path = enhanced(series(tmp_path, array=ramp((3, 10, 12))), tmp_path / "enhanced.dcm")
    contents = [bytes([n]) * (40 + 2 * n) for n in range(3)]

    def edit(dataset: Dataset) -> None:
        if extended:
            dataset.PixelData, table, lengths = encapsulate_extended(contents)
            dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = table, lengths
        else:
            dataset.PixelData = encapsulate(contents, fragments_per_frame=2)
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.file_meta.TransferSyntaxUID = RLELossless

    change(path, edit)
    layout, whole = described(path).layout, path.read_bytes()
    assert layout.count == 3 and not layout.problem
    assert [len(frame) for frame in layout.frames] == [1 if extended else 2] * 3
    given = [b"".join(whole[some.offset : some.offset + some.length] for some in f) for f in layout.frames]
    assert given == contents


def test_pixels_that_are_cut_hide_nothing_else(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])
    found = described(path)
    assert found.layout.frames == () and "230 bytes" in found.layout.problem
    assert json.loads(found.metadata)["00280010"]["Value"] == [10]


@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00XX"])
def test_what_is_no_instance_is_refused(content: bytes) -> None:
    with pytest.raises(InputRejected):
        describe(BytesIO(content), len(content))


def test_an_instance_without_series_is_refused(path: Path) -> None:
    change(path, lambda dataset: dataset.__delitem__("SeriesInstanceUID"))
    with pytest.raises(InputRejected):
        described(path)


def test_attributes_are_known_by_keyword_and_by_tag() -> None:
    assert path_of("PatientID") == path_of("00100020") == "00100020"
    assert path_of("RequestAttributesSequence.0040000a") == "00400275.0040000A"
    assert path_of("nonsense") == path_of("PatientID.") == path_of("") == ""
