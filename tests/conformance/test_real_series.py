"""Real scanners' headers: read, placed and refused correctly, and where read, as dcm2niix places them.

dcm2niix flips rows and speaks RAS, so voxels are compared in patient space: each of ours is looked up
at its own millimetres in dcm2niix's volume.
"""

import gzip
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.dicom.frames import NoGeometry
from bedside.dicom.geometry import MissingSlice, MixedOrientation
from bedside.dicom.scan import Series, scan
from bedside.dicom.select import choose
from bedside.dicom.volume import read_volume
from bedside.domain.acceptance import Acceptance
from bedside.domain.volume import Volume
from bedside.errors import InputRejected
from dicom_samples import change, rotation, series

STUDIES = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
NICOM = Path(nib.__file__).parent / "nicom" / "tests" / "data"
NIFTI = Path(nib.__file__).parent / "tests" / "data"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def only(paths: list[Path]) -> Series:
    (found,) = scan(paths).series
    return found


def dcm2niix(source: Path, out: Path) -> nib.Nifti1Image:
    """Convert one series; dcm2niix wants a folder."""
    out.mkdir()
    folder = source
    if source.is_file():
        folder = out / "in"
        folder.mkdir()
        shutil.copy(source, folder)
    subprocess.run(["dcm2niix", "-z", "n", "-f", "x", "-o", out, folder], check=True, capture_output=True)
    (path,) = out.glob("*.nii")
    return nib.load(path)


def assert_same_in_patient_space(volume: Volume, image: nib.Nifti1Image, *, tolerance: float = 0.0) -> None:
    # 3-D acquisitions are turned to near-axial by dcm2niix, so the axes may come in another order.
    assert sorted(image.shape[:3]) == sorted(volume.array.shape)
    # All voxels, or many of a large volume with its first and last.
    step = max(1, volume.array.size // 200_003)
    flat = np.r_[np.arange(0, volume.array.size, step), volume.array.size - 1]
    grid = np.stack([*np.unravel_index(flat, volume.array.shape), np.ones(flat.size)])
    index = np.linalg.inv(image.affine) @ LPS_TO_RAS @ volume.affine @ grid
    nearest = np.rint(index[:3]).astype(int)
    assert np.abs(index[:3] - nearest).max() < 0.01, (
        "a hundredth of a voxel: NIfTI affines are single precision"
    )
    theirs = np.asanyarray(image.dataobj)[tuple(nearest)]
    assert np.abs(theirs.astype(float) - volume.array.ravel()[flat].astype(float)).max() <= tolerance


@pytest.mark.needs("dcm2niix")
def test_ct_series_of_five_slices(tmp_path: Path) -> None:
    folder = STUDIES / "98892001" / "CT5N"
    volume = read_volume(only([folder]))
    assert volume.array.shape == (5, 16, 16)
    assert volume.source_spacing_mm == pytest.approx((2.5, 0.488281, 0.488281))
    np.testing.assert_allclose(volume.affine[:3, 3], [-72.199997, -143.0, -1.2375])
    assert_same_in_patient_space(volume, dcm2niix(folder, tmp_path / "out"))


@pytest.mark.needs("dcm2niix")
def test_enhanced_mr_of_176_sagittal_frames(tmp_path: Path) -> None:
    path = tmp_path / "mprage.dcm"
    path.write_bytes(gzip.decompress((NICOM / "philips_mprage.dcm.gz").read_bytes()))
    volume = read_volume(only([path]))
    assert volume.array.shape == (176, 256, 256)
    assert_same_in_patient_space(volume, dcm2niix(path, tmp_path / "out"))


@pytest.mark.needs("dcm2niix")
@pytest.mark.parametrize("name", ["4467", "4558", "4678"])
def test_oblique_mr_projections_one_by_one(tmp_path: Path, name: str) -> None:
    """Seven projections round one axis: no volume together, each one well placed."""
    path = STUDIES / "98892003" / "MR700" / name
    assert_same_in_patient_space(read_volume(only([path])), dcm2niix(path, tmp_path / "out"))


def test_what_is_no_volume_is_refused_though_dcm2niix_converts_it() -> None:
    with pytest.raises(
        MissingSlice, match=r"gap of 202\.500 mm between slices 1 and 2, median 1\.250 mm: 161"
    ):
        read_volume(only([STUDIES / "77654033" / "CT2"]))
    with pytest.raises(MixedOrientation, match="6 of 7 slices"):
        read_volume(only([STUDIES / "98892003" / "MR700"]))


def test_a_whole_real_study_is_sorted_out() -> None:
    found = scan([STUDIES / "98892001"])
    choice = choose(found, select=None, acceptance=Acceptance(modalities=frozenset({"CT"}), min_slices=3))
    assert len(choice.series.instances) == 5
    assert [d.reason for d in choice.decisions if not d.taken] == ["a localizer (Image Type)"]
    with pytest.raises(InputRejected, match="modality MR is not what the model reads"):
        choose(scan([STUDIES / "98892003"]), select=None, acceptance=Acceptance(modalities=frozenset({"CT"})))
    found = scan([STUDIES / "77654033"])
    assert (
        sorted(left.reason for left in found.left)
        == ["Computed Radiography Image Storage is no CT, MR or PET image"] * 3
    )


@pytest.mark.parametrize("name", ["0.dcm", "1.dcm"])
def test_a_siemens_mosaic_is_refused(name: str) -> None:
    with pytest.raises(InputRejected, match="mosaic"):
        read_volume(only([NICOM / name]))


def test_an_empty_thickness_is_no_thickness() -> None:
    with pytest.raises(NoGeometry, match="Slice Thickness"):
        read_volume(only([NICOM / "slicethickness_empty_string.dcm"]))


def real_volume(name: str) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """A real MR volume as (slices, rows, columns) with its affine to LPS."""
    image = nib.load(NIFTI / name)
    array = np.asanyarray(image.dataobj)
    array = array[..., 0] if array.ndim == 4 else array
    affine = LPS_TO_RAS @ image.affine
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    # The nearest rigid orientation: headers of old volumes are orthogonal to 1e-7 only.
    left, _, right = np.linalg.svd(affine[:3, :3] / lengths)
    affine[:3, :3] = (left @ right) * lengths
    return array.astype(np.int16).transpose(2, 1, 0), affine[:, [2, 1, 0, 3]]


@pytest.mark.needs("dcm2niix")
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", ["anatomical.nii", "example4d.nii.gz", "reoriented_anat_moved.nii"])
def test_real_mr_volumes_written_as_dicom(tmp_path: Path, name: str, turned: bool) -> None:
    array, affine = real_volume(name)
    if turned:
        affine[:3, :3] = rotation((1, 2, -0.5), 0.7) @ affine[:3, :3]
    folder = tmp_path / "in"
    paths = series(folder, array=array, affine=affine, modality="MR")
    volume = read_volume(only(paths))
    grid = np.stack([*np.indices(array.shape).reshape(3, -1), np.ones(array.size)])
    index = np.linalg.inv(volume.affine) @ affine @ grid
    nearest = np.rint(index[:3]).astype(int)
    assert np.abs(index[:3] - nearest).max() < 1e-4
    np.testing.assert_array_equal(volume.array[tuple(nearest)], array.ravel())
    assert_same_in_patient_space(volume, dcm2niix(folder, tmp_path / "out"))


@pytest.mark.needs("dcm2niix")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("view", ["axial", "sagittal", "coronal", "oblique"])
def test_ct_in_every_view_lies_where_dcm2niix_puts_it(tmp_path: Path, view: str, reverse: bool) -> None:
    turn = {
        "axial": np.eye(3),
        "sagittal": rotation((0, 1, 0), np.pi / 2),
        "coronal": rotation((1, 0, 0), np.pi / 2),
        "oblique": rotation((0.3, 1, -0.4), 0.6),
    }[view]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, 0, 0.8], [0, 0.65, 0], [-3.0 if reverse else 3.0, 0, 0]])
    affine[:3, 3] = [12.5, -80.25, 31.0]
    folder = tmp_path / "in"
    volume = read_volume(only(series(folder, affine=affine)))
    assert_same_in_patient_space(volume, dcm2niix(folder, tmp_path / "out"))


@pytest.mark.needs("dcm2niix")
@pytest.mark.parametrize(
    "values",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"RescaleSlope": "0.5", "RescaleIntercept": "-100.25"},
        {"PixelPaddingValue": 7},
    ],
    ids=lambda v: next(iter(v)),
)
def test_values_are_those_of_dcm2niix(tmp_path: Path, values: dict[str, object]) -> None:
    folder = tmp_path / "in"
    for path in series(folder):
        for keyword, value in values.items():
            vr = "US" if keyword == "PixelPaddingValue" else pydicom.datadict.dictionary_VR(keyword)
            change(path, lambda d, k=keyword, r=vr, v=value: d.add_new(k, r, v))
    assert_same_in_patient_space(
        read_volume(only([folder])), dcm2niix(folder, tmp_path / "out"), tolerance=1e-3
    )
