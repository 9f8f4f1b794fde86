"""Dice and volumes of two SEGs: the numbers of the arrays they were made of, and no other grid's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.dicom.compare import compare_segs, is_seg
from bedside.dicom.results import write_results
from bedside.domain.volume import ModelOutput, Segmentation
from bedside.errors import InputRejected
from results_samples import LABELS, REQUEST, Case, make_case


def write_seg(folder: Path, case: Case, array: NDArray[np.uint8]) -> Path:
    found = Segmentation(array=array, affine=case.volume.affine, labels=LABELS)
    write_results(
        folder,
        request=replace(REQUEST, outputs=("seg",)),
        series=case.series,
        volume=case.volume,
        output=ModelOutput(segmentation=found),
    )
    return folder / "dicom" / "seg.dcm"


def masks_of(case: Case) -> NDArray[np.uint8]:
    assert case.output.segmentation is not None
    return np.array(case.output.segmentation.array, dtype=np.uint8)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = one.sum() + other.sum()
    return float(2 * (one & other).sum() / total) if total else 1.0


@pytest.mark.parametrize("acquisition", ["axial", "sagittal", "oblique", "thick slices, long pixels"])
def test_dice_and_volume_are_those_of_the_arrays(tmp_path: Path, acquisition: str) -> None:
    case = make_case(tmp_path / "study", acquisition)
    mine = masks_of(case)
    theirs = np.roll(mine, (1, 3, -2), axis=(0, 1, 2))
    theirs[theirs == 2] = 3  # the small one is called otherwise
    found = compare_segs(write_seg(tmp_path / "a", case, theirs), write_seg(tmp_path / "b", case, mine))
    voxel_ml = abs(float(np.linalg.det(case.volume.affine[:3, :3]))) / 1000
    assert [c.label for c in found] == [label.name for label in LABELS]
    for comparison, value in zip(found, (1, 2, 3), strict=True):
        assert comparison.dice == pytest.approx(dice(theirs == value, mine == value), abs=1e-5)
        assert comparison.volume_ml == pytest.approx((theirs == value).sum() * voxel_ml, rel=1e-3)
        assert comparison.against_volume_ml == pytest.approx((mine == value).sum() * voxel_ml, rel=1e-3)
    assert 0 < found[0].dice < 1
    assert found[1].dice == found[2].dice == 0


def test_frames_that_begin_inside_a_byte(tmp_path: Path) -> None:
    """Frames follow one another bit by bit: 5 × 9 pixels do not fill bytes (PS3.5 8.2)."""
    case = make_case(tmp_path / "study")
    path = write_seg(tmp_path / "a", case, masks_of(case))
    made = pydicom.dcmread(path)
    count = int(made.NumberOfFrames)
    frames = np.random.default_rng(7).random((count, 5, 9)) > 0.5
    made.Rows, made.Columns = 5, 9
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    made.PixelData = packed + b"\0" * (len(packed) % 2)
    made.save_as(path)
    other = pydicom.dcmread(path)
    nothing = np.zeros_like(frames)
    nothing[:, 2, 3] = True
    other.PixelData = np.packbits(nothing.reshape(-1), bitorder="little").tobytes() + b"\0" * (
        len(packed) % 2
    )
    other.save_as(tmp_path / "other.dcm")
    numbers = [
        int(f.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for f in made.PerFrameFunctionalGroupsSequence
    ]
    for number, comparison in zip((1, 2), compare_segs(path, tmp_path / "other.dcm"), strict=False):
        chosen = [n for n, segment in enumerate(numbers) if segment == number]
        assert comparison.dice == pytest.approx(dice(frames[chosen], nothing[chosen]), abs=1e-5)


def test_masks_that_find_nothing_agree(tmp_path: Path) -> None:
    case = make_case(tmp_path / "study")
    empty = np.zeros_like(masks_of(case))
    both = compare_segs(write_seg(tmp_path / "a", case, empty), write_seg(tmp_path / "b", case, empty))
    assert [(c.dice, c.volume_ml, c.against_volume_ml) for c in both] == [(1.0, 0.0, 0.0)] * 3
    one = compare_segs(tmp_path / "a" / "dicom" / "seg.dcm", write_seg(tmp_path / "c", case, masks_of(case)))
    assert [c.dice for c in one] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("frame of reference", "two frames of reference"),
        ("spacing", "spacing of"),
        ("orientation", "two orientations"),
        ("half a slice", "between one another"),
        ("half a pixel", "between one another"),
        ("class", "SOP Class"),
        ("no place", "no place"),
    ],
)
def test_what_does_not_lie_on_one_grid_is_refused(tmp_path: Path, change: str, reason: str) -> None:
    case = make_case(tmp_path / "study")
    path = write_seg(tmp_path / "a", case, masks_of(case))
    assert is_seg(path) and not is_seg(case.paths[0])
    changed = pydicom.dcmread(path)
    shared = changed.SharedFunctionalGroupsSequence[0]
    places = [item.PlanePositionSequence[0] for item in changed.PerFrameFunctionalGroupsSequence]
    match change:
        case "frame of reference":
            changed.FrameOfReferenceUID = "1.2.3"
        case "spacing":
            shared.PixelMeasuresSequence[0].PixelSpacing = ["1.7", "1.5"]
        case "orientation":
            shared.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
        case "half a slice" | "half a pixel":
            axis, by = (2, 1.25) if change == "half a slice" else (0, 0.75)
            for place in places:
                position = [float(value) for value in place.ImagePositionPatient]
                position[axis] += by
                place.ImagePositionPatient = position
        case "class":
            changed.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        case _:
            del places[0].ImagePositionPatient
    changed.save_as(tmp_path / "changed.dcm")
    with pytest.raises(InputRejected, match=reason):
        compare_segs(tmp_path / "changed.dcm", path)
