"""Masks equal those of ``monai.bundle run`` on dcm2niix's NIfTI of the same series, voxel for voxel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bedside.dicom.create import SeriesSpec, write_series
from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume
from bedside.domain.volume import Volume
from bedside.model.bundle import open_bundle
from bedside.model.nifti import as_nifti, to_source
from bedside.model.session import Session, SessionOptions
from bedside.phantom import example_bundle, make_phantom
from bundles.build import BUILDERS

REFERENCE = Path(__file__).parents[1] / "bundles/reference.py"
SHAPE = (33, 70, 78)

pytestmark = pytest.mark.needs("dcm2niix")


def direction(slices: list[float], rows: list[float], columns: list[float]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 0] = np.array(slices) * 2.5
    affine[:3, 1] = np.array(rows) * 0.8
    affine[:3, 2] = np.array(columns) * 0.9
    affine[:3, 3] = [-31.3, 24.5, -56.7]
    return affine


TILT = 0.31
ACQUISITIONS = {
    "axial": direction([0, 0, 1], [0, 1, 0], [1, 0, 0]),
    "axial_downwards": direction([0, 0, -1], [0, 1, 0], [1, 0, 0]),
    "sagittal": direction([1, 0, 0], [0, 0, -1], [0, 1, 0]),
    "coronal": direction([0, 1, 0], [0, 0, -1], [1, 0, 0]),
    "oblique": direction([0, -np.sin(TILT), np.cos(TILT)], [0, np.cos(TILT), np.sin(TILT)], [1, 0, 0]),
}


def noise(seed: int) -> np.ndarray:
    values = gaussian_filter(np.random.default_rng(seed).normal(0, 1, SHAPE), 2.5)
    return (values / values.std() * 250 + 50).clip(-1000, 2000).astype(np.int16)


def converted(root: Path, name: str, array: np.ndarray, affine: np.ndarray) -> tuple[Volume, Path]:
    """Write a series; return it as bedside reads it, and the folder of its NIfTI by dcm2niix."""
    paths = write_series(root / name / "dicom", array, affine, spec=SeriesSpec(seed=name))
    nifti = root / name / "nifti"
    nifti.mkdir()
    subprocess.run(
        ["dcm2niix", "-z", "n", "-b", "n", "-f", "series", "-o", nifti, root / name / "dicom"],
        check=True,
        capture_output=True,
    )
    return read_volume(scan(paths).series[0]), nifti


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Volume, Path]]:
    """Each acquisition as bedside reads it, and the folder of its NIfTI by dcm2niix."""
    root = tmp_path_factory.mktemp("studies")
    found = {}
    for number, (name, affine) in enumerate(ACQUISITIONS.items()):
        found[name] = converted(root, name, noise(number), affine)
    phantom = make_phantom(11, shape=(56, 150, 150), spacing_mm=(4.5, 2.6, 2.6))
    found["phantom"] = converted(root, "phantom", phantom.array, phantom.affine)
    return found


#: Every bundle on an axial series; those that see the most of orientation on the others too.
CASES = [(name, "axial") for name in BUILDERS] + [
    ("lps_softmax", "axial_downwards"),
    ("lps_softmax", "sagittal"),
    ("lps_softmax", "oblique"),
    ("unoriented", "coronal"),
    ("unoriented", "sagittal"),
    ("example", "phantom"),
]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bundles")
    return {name: build(root / name) for name, build in BUILDERS.items()} | {"example": example_bundle()}


@pytest.fixture(scope="module")
def references(
    studies: dict[str, tuple[Volume, Path]],
    bundles: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """What MONAI itself writes for every case, made in one process."""
    root = tmp_path_factory.mktemp("references")
    jobs = [
        {
            "bundle": str(bundles[bundle]),
            "config": open_bundle(bundles[bundle]).config,
            "dataset": str(studies[study][1]),
            "output": str(root / f"{bundle}-{study}"),
        }
        for bundle, study in CASES
    ]
    (root / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [sys.executable, REFERENCE, root / "jobs.json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return root


def saved(folder: Path, volume: Volume) -> np.ndarray:
    """Return the one NIfTI in a folder on the volume's grid, channels first."""
    (path,) = folder.rglob("*.nii*")
    image: Any = nib.load(path)
    voxels = np.asanyarray(image.dataobj)
    if voxels.ndim == 3:
        return np.asarray(to_source(voxels, image.affine, volume))
    return np.stack([to_source(voxels[..., n], image.affine, volume) for n in range(voxels.shape[3])])


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_volume_is_what_dcm2niix_writes(name: str, studies: dict[str, tuple[Volume, Path]]) -> None:
    volume, folder = studies[name]
    ours = as_nifti(volume)
    image: Any = nib.load(next(folder.glob("*.nii")))
    assert np.array_equal(ours.array, np.asanyarray(image.dataobj))
    assert np.array_equal(ours.affine, image.affine)


def test_order_of_a_3d_mr_acquisition_is_dcm2niix_s(tmp_path: Path) -> None:
    for name in ("sagittal", "coronal", "axial"):
        spec = SeriesSpec(seed=name, modality="MR", attributes={"MRAcquisitionType": "3D"})
        paths = write_series(tmp_path / name, abs(noise(7)), ACQUISITIONS[name], spec=spec)
        subprocess.run(
            ["dcm2niix", "-z", "n", "-b", "n", "-f", name, "-o", tmp_path, tmp_path / name],
            check=True,
            capture_output=True,
        )
        volume = read_volume(scan(paths).series[0])
        assert volume.acquisition_3d
        ours = as_nifti(volume)
        image: Any = nib.load(tmp_path / f"{name}.nii")
        assert np.array_equal(ours.array, np.asanyarray(image.dataobj))
        assert np.array_equal(ours.affine, image.affine)


@pytest.mark.parametrize(("bundle", "study"), CASES)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "as-monai"])
def test_result_equals_monai_bundle_run(
    bundle: str,
    study: str,
    fast: bool,
    studies: dict[str, tuple[Volume, Path]],
    bundles: dict[str, Path],
    references: Path,
) -> None:
    volume, _ = studies[study]
    session = Session(open_bundle(bundles[bundle]), SessionOptions(device="cpu", fast=fast, threads=1))
    output = session.run(volume)
    session.close()
    folder = references / f"{bundle}-{study}"
    if bundle == "classifier":
        expected = torch.load(folder / "numbers.pt").tolist()
        assert output.segmentation is None
        assert list(output.numbers) == ["normal", "nodule", "mass"]
        assert list(output.numbers.values()) == expected
        return
    assert output.segmentation is not None
    expected_mask = saved(folder, volume)
    ours = output.segmentation.array
    assert ours.shape == expected_mask.shape
    assert np.count_nonzero(ours != expected_mask) == 0
    # A mask that is empty or full would prove nothing.
    shares = np.bincount(ours.ravel()) / ours.size
    assert len(shares) > 1
    assert (0.02 if study != "phantom" else 0.0005) < shares[1] < 0.98


def test_archive_is_the_same_bundle(bundles: dict[str, Path], tmp_path: Path) -> None:
    folder = open_bundle(bundles["lps_softmax"])
    for form in ("zip", "gztar"):
        archive = shutil.make_archive(
            str(tmp_path / "bundle"), form, bundles["lps_softmax"].parent, "lps_softmax"
        )
        packed = open_bundle(Path(archive))
        assert (packed.digest, packed.labels, packed.weights) == (
            folder.digest,
            folder.labels,
            folder.weights,
        )
