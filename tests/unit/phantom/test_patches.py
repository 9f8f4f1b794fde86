"""Training patches are the network's view of a phantom, reproducible and mostly about the organ."""

import numpy as np

from bedside.phantom.patches import PatchSpec, draw_patches

SPEC = PatchSpec(spacing_mm=(4.0, 4.0, 4.0), size=(32, 40, 48), count=6)


def test_patches_have_the_size_asked_for_and_are_reproducible():
    first, again = list(draw_patches(7, SPEC)), list(draw_patches(7, SPEC))
    assert len(first) == SPEC.count
    for (hu, mask), (hu_again, mask_again) in zip(first, again, strict=True):
        assert hu.shape == mask.shape == SPEC.size
        assert (hu.dtype, mask.dtype) == (np.float32, np.uint8)
        np.testing.assert_array_equal(hu, hu_again)
        np.testing.assert_array_equal(mask, mask_again)


def test_most_patches_hold_the_organ_and_its_hu():
    patches = [pair for seed in range(8) for pair in draw_patches(seed, SPEC)]
    holding = [(hu, mask) for hu, mask in patches if mask.any()]
    assert len(holding) > len(patches) // 2
    levels = np.concatenate([hu[mask > 0] for hu, mask in holding])
    assert 20 < np.median(levels) < 150


def test_axes_run_to_the_right_the_front_and_the_head():
    """The whole body in one patch: the spleen is left of the middle (low x in RAS), the couch behind."""
    spec = PatchSpec(spacing_mm=(4.0, 4.0, 4.0), size=(110, 110, 60), count=1, near=1.0)
    for seed in range(4):
        hu, mask = next(draw_patches(seed, spec))
        if not mask.any():
            continue
        body = np.argwhere(hu > -200).mean(0)
        spleen = np.argwhere(mask).mean(0)
        assert spleen[0] < body[0], "RAS: x grows to the right, the spleen is on the left"
        back, front = np.flatnonzero((hu > -300).any((0, 2)))[[0, -1]]
        assert spleen[1] < (back + front) / 2, "RAS: y grows to the front, the spleen is at the back"
