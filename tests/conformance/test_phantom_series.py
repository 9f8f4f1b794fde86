"""The phantom's DICOM series stands before independent programs: a validator and a converter."""

import re
import subprocess

import nibabel
import numpy as np
import pydicom
import pytest

from bedside.phantom import make_phantom, write_study

SHAPE, SPACING = (12, 96, 80), (5.0, 4.1, 4.4)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    phantom = make_phantom(21, shape=SHAPE, spacing_mm=SPACING)
    folder = tmp_path_factory.mktemp("study")
    return phantom, folder, write_study(folder, phantom, seed=21)


@pytest.mark.needs("dciodvfy")
def test_a_validator_finds_nothing_to_say(study):
    _, _, paths = study
    for path in paths:
        report = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        text = report.stdout + report.stderr
        assert "CTImage" in text
        assert re.findall(r"^(?:Error|Warning).*$", text, re.MULTILINE) == []


@pytest.mark.needs("dcm2niix")
def test_a_converter_sees_the_same_voxels_at_the_same_places(study, tmp_path):
    phantom, folder, _ = study
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "out", "-o", str(tmp_path), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    image = nibabel.load(tmp_path / "out.nii")
    found = np.asarray(image.dataobj)
    # Every voxel of ours, through patient space (LPS to RAS), in the converter's grid.
    indices = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).reshape(3, -1)
    places = (phantom.affine @ np.vstack([indices, np.ones(indices.shape[1])])) * [[-1], [-1], [1], [1]]
    theirs = np.linalg.inv(image.affine) @ places
    np.testing.assert_allclose(theirs[:3], np.rint(theirs[:3]), atol=2e-3)
    at = np.rint(theirs[:3]).astype(int)
    np.testing.assert_array_equal(found[tuple(at)], phantom.array.ravel())


def test_the_study_says_that_it_is_synthetic(study):
    _, _, paths = study
    instance = pydicom.dcmread(paths[0])
    assert "PHANTOM" in str(instance.PatientName)
    assert "SYNTHETIC" in instance.SeriesDescription
    assert instance.BodyPartExamined == "ABDOMEN"
    assert len(paths) == SHAPE[0]


def test_a_seed_writes_the_same_bytes_again(study, tmp_path):
    phantom, _, paths = study
    again = write_study(tmp_path, phantom, seed=21)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
