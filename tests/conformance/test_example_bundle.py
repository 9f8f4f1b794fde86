"""The example model finds the spleen of people it was not trained on, through its own configuration."""

import importlib
import sys

import nibabel
import numpy as np
import pytest

from bedside.phantom import LABELS, example_bundle, make_phantom


@pytest.fixture(scope="module")
def evaluate():
    """Import the bundle's own evaluation, as a user runs it."""
    sys.path.insert(0, str(example_bundle()))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the wheel ships this folder as it is
    try:
        yield importlib.import_module("evaluate")
    finally:
        sys.path.remove(str(example_bundle()))
        sys.dont_write_bytecode = writes


def test_a_saved_phantom_lies_where_the_phantom_lies(evaluate, tmp_path):
    """The evaluation must not be fair to itself only: NIfTI is RAS, the phantom LPS."""
    phantom = make_phantom(3, shape=(20, 40, 50), spacing_mm=(9, 8, 8))
    evaluate.save(phantom, tmp_path / "i.nii", tmp_path / "l.nii")
    image, label = nibabel.load(tmp_path / "i.nii"), nibabel.load(tmp_path / "l.nii")
    k, i, j = 4, 11, 30
    place = (phantom.affine @ [k, i, j, 1]) * [-1, -1, 1, 1]
    np.testing.assert_allclose(image.affine @ [j, i, k, 1], place, atol=1e-3)  # NIfTI: float32
    assert np.asarray(image.dataobj)[j, i, k] == phantom.array[k, i, j]
    assert np.asarray(label.dataobj).sum() == (phantom.masks == LABELS["spleen"]).sum()


def test_the_spleen_of_an_unseen_person_is_found(evaluate):
    seed, shape, spacing = evaluate.held_out(0)
    found = evaluate.score(example_bundle(), make_phantom(seed, shape=shape, spacing_mm=spacing))
    assert found.dice >= 0.90
    assert found.found_ml == pytest.approx(found.truth_ml, rel=0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("index", range(1, 9))
def test_the_spleen_is_found_over_the_whole_promised_range(index, evaluate):
    seed, shape, spacing = evaluate.held_out(index)
    found = evaluate.score(example_bundle(), make_phantom(seed, shape=shape, spacing_mm=spacing))
    assert found.dice >= 0.90
