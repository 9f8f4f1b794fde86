"""What `write_series` writes is what was given: voxels, places, identities, byte for byte."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bedside.dicom.create import SeriesSpec, write_series
from bedside.errors import UsageError

_RNG = np.random.default_rng(3)
ARRAY = _RNG.integers(-1000, 1500, (4, 6, 8)).astype(np.int16)


def _rotation() -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
    return q


def _affine(slices, rows, columns, origin=(-12.5, 33.25, 101.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = slices, rows, columns, origin
    return affine


AFFINES = {
    "axial": _affine((0, 0, 2.5), (0, 0.8, 0), (0.7, 0, 0)),
    "axial, reversed": _affine((0, 0, -2.5), (0, 0.8, 0), (0.7, 0, 0)),
    "sagittal": _affine((3, 0, 0), (0, 0, -0.9), (0, 0.8, 0)),
    "coronal": _affine((0, 2, 0), (0, 0, -0.9), (0.8, 0, 0)),
    "oblique": _affine(*(_rotation() * (3.1, 0.75, 0.85)).T),
    "tilted gantry": _affine((0, 0.4, 2.5), (0, 0.8, 0), (0.8, 0, 0)),
}


def _read_back(paths) -> tuple[np.ndarray, np.ndarray]:
    instances = [pydicom.dcmread(path) for path in paths]
    array = np.stack([d.pixel_array * int(d.get("RescaleSlope", 1)) for d in instances]).astype(int)
    array += int(instances[0].get("RescaleIntercept", 0))
    first = instances[0]
    along, down = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    positions = np.array([d.ImagePositionPatient for d in instances], float)
    down, along = down * first.PixelSpacing[0], along * first.PixelSpacing[1]
    return array, _affine(positions[1] - positions[0], down, along, positions[0])


@pytest.mark.parametrize("name", AFFINES)
def test_voxels_and_places_come_back_in_every_orientation(name, tmp_path):
    paths = write_series(tmp_path, ARRAY, AFFINES[name], spec=SeriesSpec(seed="s"))
    array, affine = _read_back(paths)
    np.testing.assert_array_equal(array, ARRAY)
    np.testing.assert_allclose(affine, AFFINES[name], atol=1e-9)


@pytest.mark.parametrize(("modality", "low"), [("CT", -3000), ("CT", -1024), ("MR", 0), ("MR", -5)])
def test_every_int16_value_that_can_occur_comes_back(modality, low, tmp_path):
    array = np.full((1, 3, 2), low, np.int16)
    array[0, 0] = 32767 if modality == "MR" else 30000
    paths = write_series(tmp_path, array, AFFINES["axial"], spec=SeriesSpec(seed="s", modality=modality))
    instance = pydicom.dcmread(paths[0])
    stored = instance.pixel_array.astype(int) + int(instance.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(stored, array[0])


def test_equal_input_gives_equal_bytes_and_another_seed_other_uids(tmp_path):
    first = write_series(tmp_path / "a", ARRAY, AFFINES["axial"], spec=SeriesSpec(seed="s"))
    again = write_series(tmp_path / "b", ARRAY, AFFINES["axial"], spec=SeriesSpec(seed="s"))
    other = write_series(tmp_path / "c", ARRAY, AFFINES["axial"], spec=SeriesSpec(seed="t"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert pydicom.dcmread(first[0])[keyword].value != pydicom.dcmread(other[0])[keyword].value


def test_series_of_one_study_share_study_and_frame_of_reference(tmp_path):
    one = write_series(tmp_path / "a", ARRAY, AFFINES["axial"], spec=SeriesSpec(seed="s"))
    two = write_series(tmp_path / "b", ARRAY, AFFINES["axial"], spec=SeriesSpec(seed="s", series_number=2))
    first, second = pydicom.dcmread(one[0]), pydicom.dcmread(two[0])
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_attributes_are_set_and_removed_last(tmp_path):
    spec = SeriesSpec(
        seed="s",
        study_at=datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC),
        attributes={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "PixelSpacing": None},
    )
    instance = pydicom.dcmread(write_series(tmp_path, ARRAY, AFFINES["axial"], spec=spec)[0])
    assert list(instance.ImageType) == ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert "PixelSpacing" not in instance
    assert (instance.StudyDate, instance.StudyTime) == ("20250304", "050607")


@pytest.mark.parametrize(
    ("array", "affine", "modality"),
    [
        (ARRAY.astype(np.float32), AFFINES["axial"], "CT"),
        (ARRAY[0], AFFINES["axial"], "CT"),
        (ARRAY, np.zeros((4, 4)), "CT"),
        (ARRAY, _affine((0, 0, 2), (0, 1, 0), (1, 0.5, 0)), "CT"),
        (ARRAY, AFFINES["axial"], "PT"),
    ],
)
def test_what_cannot_be_written_is_refused(array, affine, modality, tmp_path):
    with pytest.raises(UsageError):
        write_series(tmp_path, array, affine, spec=SeriesSpec(seed="s", modality=modality))


@pytest.mark.needs("dciodvfy")
@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("name", AFFINES)
def test_an_independent_validator_finds_no_error(modality, name, tmp_path):
    spec = SeriesSpec(seed="s", modality=modality, description="ABDOMEN AX", study_description="ABDOMEN")
    for path in write_series(tmp_path, abs(ARRAY), AFFINES[name], spec=spec)[:2]:
        assert _complaints(path) == []


def _complaints(path: Path) -> list[str]:
    report = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    text = report.stdout + report.stderr
    assert "Image" in text, "the validator must have recognised the IOD"
    return re.findall(r"^(?:Error|Warning).*$", text, re.MULTILINE)
