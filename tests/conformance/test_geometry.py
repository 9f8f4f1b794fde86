"""The proof of geometry: a solid at a known place in the patient comes back at that place, everywhere.

Two ellipsoids with known centres and radii are acquired in every orientation, written as DICOM, read,
segmented by their HU, and written as results. The SEG re-read by highdicom, the surface, the report and
the NIfTI must all put them where they were.
"""

import random
import struct
import subprocess
from pathlib import Path

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.dicom.results import write_results
from results_samples import (
    LARGE_CENTRE,
    LARGE_HU,
    LARGE_RADII,
    REQUEST,
    SMALL_CENTRE,
    SMALL_HU,
    SMALL_RADII,
    Case,
    acquisitions,
    make_case,
    read_back,
)

_SOLIDS = (
    ("spleen", 1, LARGE_CENTRE, LARGE_RADII),
    ("right_kidney", 2, SMALL_CENTRE, SMALL_RADII),
)
#: Voxels. A sampled solid's centroid lies this near its true one; half a voxel is what an error of
#: convention (corner for centre) makes, and one voxel what an error of order makes.
_CENTROID_TOLERANCE = 0.25


@pytest.fixture(params=[*acquisitions(), "enhanced multi-frame"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param != "enhanced multi-frame":
        made = make_case(tmp_path / "study", request.param)
        shuffled = list(made.paths)
        random.Random(7).shuffle(shuffled)
        return read_back(shuffled)
    single = make_case(tmp_path / "single", "oblique")
    return read_back([enhance(single, tmp_path / "enhanced.dcm")])


def enhance(single: Case, path: Path) -> Path:
    """Make one Legacy Converted Enhanced CT of a single-frame series; its frames go from last to first."""
    instances = [pydicom.dcmread(one) for one in reversed(single.paths)]
    enhanced = hd.legacy.LegacyConvertedEnhancedCTImage(
        instances,
        series_instance_uid="2.25.11",
        series_number=5,
        sop_instance_uid="2.25.12",
        instance_number=1,
    )
    enhanced.save_as(path)
    return path


def centroid(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean place of a mask's voxels."""
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


def triangles(path: Path) -> NDArray[np.float64]:
    """Return (n, 3 corners, 3 coordinates) of a binary STL."""
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data, 80)
    assert len(data) == 84 + 50 * count
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    return np.frombuffer(data, dtype=kind, offset=84)["corners"].astype(np.float64)


def solid_centroid(corners: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return signed volume, mm³, and centroid of the solid a closed surface bounds."""
    origin = corners.reshape(-1, 3).mean(axis=0)
    a, b, c = np.moveaxis(corners - origin, 1, 0)
    signed = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    return float(signed.sum()), origin + (signed[:, None] * (a + b + c) / 4).sum(axis=0) / signed.sum()


def test_every_result_puts_every_solid_where_it_is(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    report = write_results(
        folder, request=REQUEST, series=case.series, volume=case.volume, output=case.output
    )
    seg = hd.seg.segread(folder / "dicom/seg.dcm")
    assert seg.FrameOfReferenceUID == pydicom.dcmread(case.paths[0]).FrameOfReferenceUID
    image = nibabel.load(folder / "nifti/segmentation.nii.gz")
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    voxel_mm = float(np.linalg.norm(case.volume.affine[:3, :3]))
    for (name, value, centre, radii), measured in zip(_SOLIDS, report["measurements"][:2], strict=True):
        segment = seg.get_volume(segment_numbers=[value], combine_segments=True, relabel=False)
        corners = triangles(folder / f"surfaces/{name}.stl")
        signed, solid = solid_centroid(corners)
        places = {
            "SEG": centroid(np.asarray(segment.array) == value, np.asarray(segment.affine)),
            "NIfTI": centroid(np.asarray(image.dataobj) == value, to_lps @ image.affine),
            "report": np.array(measured["centroid_mm"]),
            "surface": solid,
        }
        for where, found in places.items():
            off = np.linalg.inv(case.volume.affine[:3, :3]) @ (found - centre)
            assert np.abs(off).max() < _CENTROID_TOLERANCE, f"{name}, {where}: {off} voxels off"
        for where in ("SEG", "NIfTI"):
            assert np.abs(places[where] - places["report"]).max() < 2e-3, f"{name}: {where} and report differ"
        least, most = corners.reshape(-1, 3).min(axis=0), corners.reshape(-1, 3).max(axis=0)
        reach = np.abs(case.volume.affine[:3, :3]).sum(axis=1)  # of one voxel along x, y, z
        assert (np.abs(least - (centre - radii)) < reach).all()
        assert (np.abs(most - (centre + radii)) < reach).all()
        assert np.allclose(measured["bounding_box_mm"], [least, most], atol=2e-3)
        assert signed > 0, "wound inward"
        assert signed == pytest.approx(measured["volume_ml"] * 1000, rel=0.05)
        assert measured["max_diameter_mm"] == pytest.approx(2 * radii.max(), abs=voxel_mm)


def test_frames_name_the_source_that_lies_at_their_place(case: Case, tmp_path: Path) -> None:
    write_results(tmp_path, request=REQUEST, series=case.series, volume=case.volume, output=case.output)
    seg = pydicom.dcmread(tmp_path / "dicom/seg.dcm")
    places = {}
    for path in case.paths:
        source = pydicom.dcmread(path, stop_before_pixels=True)
        for number, frame in enumerate(source.get("PerFrameFunctionalGroupsSequence", [source]), start=1):
            plane = frame.PlanePositionSequence[0] if frame is not source else source
            key = (str(source.SOPInstanceUID), number if frame is not source else None)
            places[key] = np.array(plane.ImagePositionPatient, dtype=float)
    assert len(seg.PerFrameFunctionalGroupsSequence) > 10
    for frame in seg.PerFrameFunctionalGroupsSequence:
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        key = (str(image.ReferencedSOPInstanceUID), image.get("ReferencedFrameNumber"))
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        assert np.abs(places[key] - position).max() < 1e-3


@pytest.mark.needs("dcm2niix")
@pytest.mark.parametrize("acquisition", list(acquisitions()))
def test_nifti_lies_on_the_grid_that_dcm2niix_gives_the_series(acquisition: str, tmp_path: Path) -> None:
    made = make_case(tmp_path / "study", acquisition)
    write_results(tmp_path, request=REQUEST, series=made.series, volume=made.volume, output=made.output)
    command = ["dcm2niix", "-z", "n", "-f", "source", "-o", str(tmp_path), str(tmp_path / "study")]
    subprocess.run(command, check=True, capture_output=True)
    (source,) = (nibabel.load(path) for path in tmp_path.glob("source*.nii"))
    masks = nibabel.load(tmp_path / "nifti/segmentation.nii.gz")
    assert masks.shape == source.shape
    assert np.allclose(masks.affine, source.affine, atol=1e-3)
    found = np.asarray(masks.dataobj)
    assert (np.asarray(source.dataobj)[found == 1] == LARGE_HU).all()
    assert (np.asarray(source.dataobj)[found == 2] == SMALL_HU).all()
