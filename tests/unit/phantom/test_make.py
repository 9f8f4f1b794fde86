"""A phantom is one person on every grid, unlike the next person, and shaped like one."""

import time

import numpy as np
import pytest

from bedside.errors import UsageError
from bedside.phantom import LABELS, axial_affine, make_phantom

SHAPE, SPACING = (64, 128, 128), (4.0, 3.2, 3.2)


def _centroid(phantom, name) -> np.ndarray:
    indices = np.argwhere(phantom.masks == LABELS[name]).mean(0)
    return (phantom.affine @ [*indices, 1])[:3]


@pytest.fixture(scope="module")
def people():
    return [make_phantom(seed, shape=SHAPE, spacing_mm=SPACING) for seed in range(6)]


def test_a_seed_is_reproducible_and_another_seed_is_another_person(people):
    again = make_phantom(2, shape=SHAPE, spacing_mm=SPACING)
    np.testing.assert_array_equal(people[2].array, again.array)
    np.testing.assert_array_equal(people[2].masks, again.masks)
    assert (people[2].array.dtype, people[2].masks.dtype) == (np.int16, np.uint8)
    volumes = [round(person.volume_ml("spleen")) for person in people]
    assert len(set(volumes)) == len(volumes)
    levels = [round(person.array[person.masks == LABELS["spleen"]].mean()) for person in people]
    assert max(levels) - min(levels) > 20, "contrast phases differ"


def test_the_truth_does_not_depend_on_the_grid(people):
    fine = people[1]
    window = (slice(5, 60, 3), slice(10, 120, 2), slice(7, 128, 4))
    affine = fine.affine.copy()
    affine[:3, 3] = (fine.affine @ [5, 10, 7, 1])[:3]
    affine[:3, :3] *= (3, 2, 4)
    coarse = make_phantom(1, shape=fine.masks[window].shape, affine=affine)
    # Single precision may put a centre that lies on a surface on its other side.
    assert np.mean(coarse.masks != fine.masks[window]) < 1e-4
    assert coarse.masks.any()


def test_hu_of_a_part_of_the_grid_are_those_of_the_whole():
    whole = make_phantom(4, shape=(20, 90, 100), spacing_mm=SPACING, noise=False)
    affine = whole.affine.copy()
    affine[:3, 3] = (whole.affine @ [6, 11, 13, 1])[:3]
    part = make_phantom(4, shape=(5, 40, 50), affine=affine, noise=False)
    np.testing.assert_allclose(part.array, whole.array[6:11, 11:51, 13:63], atol=1)


@pytest.mark.parametrize("turned", ["sagittal", "coronal", "oblique", "upside down"])
def test_every_orientation_shows_the_same_organs_at_the_same_place(turned, people):
    axial = people[0]
    axes = {
        "sagittal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
        "coronal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]),
        "oblique": np.linalg.qr(np.array([[0.2, 0.3, 1.0], [0.1, 1.0, -0.4], [1.0, 0.2, 0.3]]))[0],
        "upside down": np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]]),
    }[turned]
    shape = (120, 120, 120)
    centre = (axial.affine @ [*(np.array(SHAPE) - 1) / 2, 1])[:3]
    affine = np.eye(4)
    affine[:3, :3] = axes * 3.0
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    other = make_phantom(0, shape=shape, affine=affine)
    for name in ("spleen", "left kidney", "right kidney"):
        np.testing.assert_allclose(_centroid(other, name), _centroid(axial, name), atol=0.7)
        assert other.volume_ml(name) == pytest.approx(axial.volume_ml(name), rel=0.03)


def test_organs_have_the_size_place_and_hu_of_a_person(people):
    for person in people:
        shift = _centroid(person, "spine")
        spleen, liver = _centroid(person, "spleen") - shift, _centroid(person, "liver") - shift
        left, right = (_centroid(person, f"{side} kidney") - shift for side in ("left", "right"))
        assert spleen[0] > 50 > -20 > liver[0], "spleen left, liver right (LPS: +x is left)"
        assert right[0] < 0 < left[0]
        assert left[2] - right[2] > 5, "the right kidney lies lower"
        assert spleen[2] > left[2]
        assert 120 < person.volume_ml("spleen") < 400
        assert 900 < person.volume_ml("liver") < 2800
        assert all(60 < person.volume_ml(f"{side} kidney") < 260 for side in ("left", "right"))
        hu = {n: person.array[person.masks == v].mean() for n, v in LABELS.items()}
        assert 15 < hu["spleen"] < 180
        assert 20 < hu["liver"] < 150
        assert hu["spine"] > 120
        assert person.array[:, 0].mean() < -900, "air outside"


def test_no_axis_is_a_mirror(people):
    for person in people:
        for axis in range(3):
            spleen = person.masks == LABELS["spleen"]
            mirrored = np.flip(spleen, axis)
            assert 2 * (spleen & mirrored).sum() / (2 * spleen.sum()) < 0.6
            difference = np.abs(person.array - np.flip(person.array, axis).astype(float))
            assert difference[person.array > -200].mean() > 40, "noise alone would give about 20"


def test_noise_is_correlated_and_can_be_left_out():
    noisy = make_phantom(3, shape=(8, 256, 256), spacing_mm=(2.5, 0.8, 0.8))
    clean = make_phantom(3, shape=(8, 256, 256), spacing_mm=(2.5, 0.8, 0.8), noise=False)
    np.testing.assert_array_equal(noisy.masks, clean.masks)
    soft = (clean.array > 0) & (clean.array < 150)
    noise = (noisy.array - clean.array).astype(float)
    assert 5 < noise[soft].std() < 35
    beside = noise[:, :, 1:] * noise[:, :, :-1]
    assert 0.4 < beside[soft[:, :, 1:]].mean() / noise[soft].var() < 0.9


def test_a_study_lies_about_the_spleen_whatever_its_length():
    for seed, shape, spacing in ((0, (60, 96, 96), (3, 4, 4)), (1, (150, 96, 96), (5, 4, 4))):
        phantom = make_phantom(seed, shape=shape, spacing_mm=spacing)
        spleen = phantom.masks == LABELS["spleen"]
        assert spleen.any()
        assert not spleen[0].any()
        assert not spleen[-1].any()
        expected = axial_affine(seed, shape=shape, spacing_mm=spacing)
        np.testing.assert_array_equal(phantom.affine, expected)


def test_a_full_size_study_is_made_quickly():
    began = time.process_time()
    make_phantom(5)
    assert time.process_time() - began < 9  # 2–3 s on an idle core


@pytest.mark.parametrize(("shape", "spacing"), [((0, 4, 4), (1, 1, 1)), ((4, 4, 4), (1, 0, 1))])
def test_what_is_no_grid_is_refused(shape, spacing):
    with pytest.raises(UsageError, match="positive"):
        make_phantom(1, shape=shape, spacing_mm=spacing)
