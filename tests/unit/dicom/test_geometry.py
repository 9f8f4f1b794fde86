"""Any orientation, order and spacing is placed right; what is no regular grid is refused with numbers."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bedside.dicom.frames import NoGeometry
from bedside.dicom.geometry import (
    GantryTilt,
    MissingSlice,
    MixedGrid,
    MixedOrientation,
    SamePosition,
    UnevenSpacing,
)
from bedside.dicom.scan import Series, scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected
from dicom_samples import AXIAL, assign, ramp, rotation, series


def only(paths: list[Path]) -> Series:
    (found,) = scan(paths).series
    return found


mm = st.floats(0.2, 8.0)


@st.composite
def affines(draw: st.DrawFn) -> NDArray[np.float64]:
    """A grid of any orientation and spacing; slices may run against the normal."""
    axis = draw(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda a: np.linalg.norm(a) > 0.1))
    turn = rotation(axis, draw(st.floats(0, 2 * math.pi)))
    along, down = turn[:, 0], turn[:, 1]
    normal = np.cross(along, down) * draw(st.sampled_from([1, -1]))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = normal * draw(mm), down * draw(mm), along * draw(mm)
    affine[:3, 3] = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    return affine


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(affine=affines(), order=st.permutations(range(5)), shuffle=st.permutations(range(5)))
def test_every_voxel_comes_back_at_its_place(
    tmp_path: Path, affine: NDArray[np.float64], order: list[int], shuffle: list[int]
) -> None:
    folder = tmp_path / str(abs(hash((affine.tobytes(), tuple(order), tuple(shuffle)))))
    array = ramp((5, 4, 6))
    paths = series(folder, array=array, affine=affine)
    for path, number in zip(paths, order, strict=True):
        assign(path, InstanceNumber=number + 1)  # says nothing about place
    renamed = [path.rename(folder / f"{name}.x") for path, name in zip(paths, shuffle, strict=True)]
    volume = read_volume(only(renamed))
    assert volume.array.shape == array.shape
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    assert volume.affine[:3, 0] @ normal > 0, "slices ascend along the row × column direction"
    written = affine @ np.stack([*np.indices(array.shape).reshape(3, -1), np.ones(array.size)])
    index = np.linalg.inv(volume.affine) @ written
    nearest = np.rint(index[:3]).astype(int)
    assert np.abs(index[:3] - nearest).max() < 1e-3
    assert (volume.array[tuple(nearest)] == array.ravel()).all()
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    assert volume.source_spacing_mm == pytest.approx(tuple(spacing), abs=1e-6)


def test_row_spacing_is_the_first_value(tmp_path: Path) -> None:
    volume = read_volume(only(series(tmp_path)))
    assert volume.source_spacing_mm == pytest.approx((2.5, 0.7, 0.8))
    np.testing.assert_allclose(volume.affine, AXIAL)


def test_a_missing_slice_is_refused_with_its_gap(tmp_path: Path) -> None:
    paths = series(tmp_path, array=ramp((12, 4, 4)))
    with pytest.raises(MissingSlice, match=r"gap of 7\.500 mm between slices 5 and 6, median 2\.500 mm: 2"):
        read_volume(only(paths[:5] + paths[7:]))


def test_uneven_spacing_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path)
    assign(paths[3], ImagePositionPatient=[-100, -120, 40 + 3 * 2.5 + 0.4])
    with pytest.raises(UnevenSpacing, match=r"gap of 2\.900 mm between slices 3 and 4, median 2\.500 mm"):
        read_volume(only(paths))


def test_a_slow_drift_of_the_gap_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path, array=ramp((30, 4, 4)))
    for k, path in enumerate(paths):  # each gap within tolerance, the middle 0.7 mm off an even grid
        height = 2.45 * k if k < 15 else 2.45 * 15 + 2.54 * (k - 15)
        assign(path, ImagePositionPatient=[-100, -120, height])
    with pytest.raises(UnevenSpacing, match="off an even grid"):
        read_volume(only(paths))


def test_positions_rounded_to_a_tenth_are_accepted(tmp_path: Path) -> None:
    paths = series(tmp_path, array=ramp((20, 4, 4)))
    for k, path in enumerate(paths):
        assign(path, ImagePositionPatient=[-100, -120, round(1.25 * k, 1)])
    assert read_volume(only(paths)).source_spacing_mm[0] == pytest.approx(1.25, abs=0.01)


@pytest.mark.parametrize(("angle", "refused"), [(12.0, True), (-12.0, True), (0.2, False)])
def test_gantry_tilt_is_refused_with_its_angle(tmp_path: Path, angle: float, refused: bool) -> None:
    affine = AXIAL.copy()
    affine[:3, 0] = [0, 2.5 * math.tan(math.radians(angle)), 2.5]
    found = only(series(tmp_path, affine=affine))
    if refused:
        with pytest.raises(GantryTilt, match=r"12\.00°"):
            read_volume(found)
    else:  # less than half a pixel at the far end: placed where the headers say
        np.testing.assert_allclose(read_volume(found).affine, affine, atol=1e-6)


def test_one_slice_shifted_sideways_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path)
    assign(paths[2], ImagePositionPatient=[-97, -120, 45])
    with pytest.raises(UnevenSpacing, match=r"slice 3 of 6 is shifted 3\.00 mm sideways"):
        read_volume(only(paths))


def test_orientations_must_agree(tmp_path: Path) -> None:
    paths = series(tmp_path)
    assign(paths[4], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    with pytest.raises(MixedOrientation, match="1 of 6 slices"):
        read_volume(only(paths))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"PixelSpacing": [0.7, 0.9]}, "pixel spacing of 0.8 mm and 0.9 mm"),
        ({"FrameOfReferenceUID": "1.2.3"}, "2 frames of reference"),
        ({"Rows": 8}, "slices of"),
    ],
)
def test_grids_must_agree(tmp_path: Path, values: dict[str, object], words: str) -> None:
    paths = series(tmp_path)
    assign(paths[4], **values)
    with pytest.raises(MixedGrid, match=words):
        read_volume(only(paths))


def test_two_volumes_in_one_series_are_refused(tmp_path: Path) -> None:
    first = series(tmp_path / "a", seed="one", SeriesInstanceUID="1.2.3", FrameOfReferenceUID="1.2.9")
    second = series(
        tmp_path / "b",
        seed="two",
        SeriesInstanceUID="1.2.3",
        FrameOfReferenceUID="1.2.9",
        StudyInstanceUID="1.2.4",
    )
    for path in first:
        assign(path, StudyInstanceUID="1.2.4")
    for k, path in enumerate(second):
        assign(path, SOPInstanceUID=f"1.2.3.{k}")
    with pytest.raises(SamePosition, match="12 slices at 6 positions"):
        read_volume(only(first + second))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ImagePositionPatient": None}, "Image Position"),
        ({"ImageOrientationPatient": None}, "Image Orientation"),
        ({"PixelSpacing": None}, "Pixel Spacing"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 1, 0]}, "perpendicular"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.6, 0.8, 0]}, "perpendicular"),
        ({"PixelSpacing": [0, 0]}, "not positive"),
    ],
)
def test_impossible_planes_are_refused(tmp_path: Path, values: dict[str, object], words: str) -> None:
    paths = series(tmp_path)
    for path in paths:
        assign(path, **values)
    with pytest.raises(NoGeometry, match=words):
        read_volume(only(paths))


def test_a_lone_slice_is_as_thick_as_it_says(tmp_path: Path) -> None:
    paths = series(tmp_path, array=ramp((1, 4, 4)))
    assert read_volume(only(paths)).source_spacing_mm == pytest.approx((2.5, 0.7, 0.8))
    assign(paths[0], SliceThickness=None)
    with pytest.raises(InputRejected, match="Slice Thickness"):
        read_volume(only(paths))
