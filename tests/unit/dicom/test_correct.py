"""A corrected segmentation: the masks are the reviewer's, the meaning is the model's, and it says so."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.dicom.compare import compare_segs
from bedside.dicom.correct import Reviewer, correct, identify_seg
from bedside.dicom.results import write_results
from bedside.errors import InputRejected
from results_samples import REQUEST, make_case
from viewer_seg import as_a_viewer_sends

REVIEWER = Reviewer(name="Curie^Marie", at=datetime(2026, 5, 4, 13, 2, 1, tzinfo=UTC), seed="c-1")


@pytest.fixture
def original(tmp_path: Path) -> Path:
    case = make_case(tmp_path / "study", "oblique", PatientName="Doe^Jane")
    write_results(
        tmp_path / "result",
        request=replace(REQUEST, outputs=("seg",)),
        series=case.series,
        volume=case.volume,
        output=case.output,
    )
    return tmp_path / "result" / "dicom" / "seg.dcm"


def shaved(mask: NDArray[np.bool_], _frame: int, segment: int) -> NDArray[np.bool_]:
    """Take every other row of the spleen away."""
    if segment != 1:
        return mask
    kept = mask.copy()
    kept[::2] = False
    return kept


def made(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "corrected.dcm"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("names", [True, False])
def test_the_masks_are_the_reviewers_and_the_meaning_is_the_models(
    tmp_path: Path, original: Path, names: bool
) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm", edit=shaved, names=names)
    got = correct(sent, original, REVIEWER)
    now, before = pydicom.dcmread(made(tmp_path, got.data)), pydicom.dcmread(original)
    compared = {label.label: label.dice for label in compare_segs(tmp_path / "corrected.dcm", original)}
    assert 0.3 < compared["spleen"] < 0.95 and compared["right kidney"] == 1.0
    assert {label.label: label.dice for label in got.labels} == compared
    for item, old in zip(now.SegmentSequence, before.SegmentSequence, strict=True):
        for keyword in ("SegmentNumber", "SegmentLabel", "TrackingID", "TrackingUID", "SegmentAlgorithmName"):
            assert item[keyword].value == old[keyword].value, keyword
        assert item.SegmentedPropertyTypeCodeSequence == old.SegmentedPropertyTypeCodeSequence
        assert item.RecommendedDisplayCIELabValue == old.RecommendedDisplayCIELabValue
    kinds = {str(item.SegmentLabel): item.SegmentAlgorithmType for item in now.SegmentSequence}
    assert kinds == {"spleen": "SEMIAUTOMATIC", "right kidney": "AUTOMATIC", "liver": "AUTOMATIC"}


def test_it_says_who_corrected_what_and_is_another_instance(tmp_path: Path, original: Path) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm", edit=shaved)
    got = correct(sent, original, REVIEWER)
    now, before = pydicom.dcmread(made(tmp_path, got.data)), pydicom.dcmread(original)
    assert str(now.PatientName) == "Doe^Jane"
    assert now.StudyInstanceUID == before.StudyInstanceUID
    assert now.SeriesInstanceUID != before.SeriesInstanceUID
    assert now.SOPInstanceUID == got.sop_instance_uid != before.SOPInstanceUID
    assert got.predecessor_uid == before.SOPInstanceUID
    assert str(now.ContentCreatorName) == "Curie^Marie"
    assert (now.ContentDate, now.ContentTime) == ("20260504", "130201")
    assert now.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert now.DeviceSerialNumber == before.DeviceSerialNumber, "the release that made what was corrected"
    assert now.ContributingEquipmentSequence[-1].Manufacturer == "OHIF"
    identity = identify_seg(tmp_path / "corrected.dcm")
    assert identity is not None
    assert identity.named == {str(before.SOPInstanceUID)}
    assert identity.series >= {str(before.ReferencedSeriesSequence[0].SeriesInstanceUID)}
    assert correct(sent, original, REVIEWER).data == got.data, "the same once more is the same"


def test_another_library_and_a_validator_can_read_it(tmp_path: Path, original: Path) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm", edit=shaved)
    path = made(tmp_path, correct(sent, original, REVIEWER).data)
    found = highdicom.seg.segread(path)
    assert [str(found.get_segment_description(n).segment_label) for n in found.segment_numbers] == [
        "spleen",
        "right kidney",
        "liver",
    ]
    if shutil.which("dciodvfy"):
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        first = subprocess.run(
            ["dciodvfy", str(original)], capture_output=True, text=True, check=False
        ).stderr
        ours = {line for line in said.splitlines() if line.startswith("Error")}
        assert ours <= {line for line in first.splitlines() if line.startswith("Error")}, ours


def test_a_segment_that_was_added_or_removed(tmp_path: Path, original: Path) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm")
    changed = pydicom.dcmread(sent)
    for item in changed.SegmentSequence:
        if item.SegmentLabel == "right kidney":
            item.SegmentLabel = "cyst"  # the model knows none
    changed.save_as(sent)
    got = correct(sent, original, REVIEWER)
    now = pydicom.dcmread(made(tmp_path, got.data))
    assert [int(item.SegmentNumber) for item in now.SegmentSequence] == [1, 2, 3]
    by_name = {str(item.SegmentLabel): item for item in now.SegmentSequence}
    assert set(by_name) == {"spleen", "liver", "cyst"}
    assert by_name["cyst"].SegmentAlgorithmType == "MANUAL"
    assert by_name["cyst"].TrackingUID
    dice = {label.label: label.dice for label in got.labels}
    assert dice == {"spleen": 1.0, "right kidney": 0.0, "liver": 1.0, "cyst": 0.0}


def spoil(path: Path, **values: object) -> None:
    found = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(found, keyword, value)
    found.save_as(path)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"SegmentationType": "FRACTIONAL"}, "BINARY"),
        ({"StudyInstanceUID": "1.2.3"}, "StudyInstanceUID"),
        ({"FrameOfReferenceUID": "1.2.3"}, "FrameOfReferenceUID"),
        ({"SegmentSequence": []}, "no segment"),
        ({"Rows": 3}, "frames of"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "no Segmentation"),
    ],
)
def test_what_does_not_belong_to_the_result_is_refused(
    tmp_path: Path, original: Path, values: dict[str, object], why: str
) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm")
    spoil(sent, **values)
    with pytest.raises(InputRejected, match=why) as caught:
        correct(sent, original, REVIEWER)
    assert "Doe" not in str(caught.value) and "LOST" not in str(caught.value)


def test_a_frame_of_no_segment_is_refused(tmp_path: Path, original: Path) -> None:
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm")
    found = pydicom.dcmread(sent)
    found.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 77
    found.save_as(sent)
    with pytest.raises(InputRejected, match="no segment"):
        correct(sent, original, REVIEWER)


def test_what_is_no_segmentation_has_no_identity(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no DICOM")
    assert identify_seg(tmp_path / "x") is None
    with pytest.raises(InputRejected):
        correct(tmp_path / "x", tmp_path / "x", REVIEWER)
