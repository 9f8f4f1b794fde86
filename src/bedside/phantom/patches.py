"""Training patches straight on a network's grid, so that no full-size study is made to train on.

Owns the sampling a resampling transform would do and the variety of scanners (noise, offset, contrast,
field of view, slice distance); knows no network. Arrays here are (x, y, z) towards right-anterior-
superior indices growing in that order (RAS), as MONAI's ``Orientationd`` gives them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.phantom.make import axial_affine, make_phantom
from bedside.phantom.structure import LABELS


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchSpec:
    """What to cut.

    Attributes:
        spacing_mm: (x, y, z) of the network's grid.
        size: (x, y, z) voxels of a patch.
        count: Patches per phantom.
        label: Name of the structure to learn.
        near: Share of patches that hold some of it.
    """

    spacing_mm: tuple[float, float, float]
    size: tuple[int, int, int]
    count: int = 2
    label: str = "spleen"
    near: float = 0.65


def draw_patches(seed: int, spec: PatchSpec) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield (HU, mask) patches of one phantom seen by one invented scanner.

    Args:
        seed: Of person, scanner and patches.
        spec: What to cut.

    Returns:
        Arrays of ``spec.size``, axes (x, y, z) of RAS; HU float32, mask uint8 of 0 and 1. Beyond the
        field of view: -1024 and 0.
    """
    rng = np.random.default_rng([seed, 11])
    volume, mask = _scan(seed, rng, spec)
    found = np.argwhere(mask)
    half = np.array(spec.size) // 2
    for _ in range(spec.count):
        if len(found) and rng.uniform() < spec.near:
            centre = found[rng.integers(len(found))] + rng.integers(-half // 2, half // 2 + 1)
        else:
            centre = np.array([rng.integers(0, n) for n in mask.shape])
        # Mostly inside, as the windows of sliding-window inference are.
        edges = np.sort([half, np.array(mask.shape) - half], axis=0)
        start = np.clip(centre, edges[0], edges[1]) - half
        cut = _cut(volume, start, spec.size, -1024)
        yield _as_scanned(cut, rng), _cut(mask, start, spec.size, 0)


def _scan(
    seed: int, rng: np.random.Generator, spec: PatchSpec
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Sample a study as wide and long as a real one, then resample along z as the transform would."""
    slice_mm, pixel_mm = rng.uniform(2, 5), rng.uniform(0.7, 0.9)
    slices = int(rng.integers(60, 151))
    dx, dy, dz = spec.spacing_mm
    shape = (slices, round(512 * pixel_mm / dy), round(512 * pixel_mm / dx))
    spacing = (slice_mm, dy, dx)
    affine = axial_affine(seed, shape=shape, spacing_mm=spacing)
    # Not the tidy grid the demo uses: any start, so that the organ may be cut.
    affine[2, 3] += rng.uniform(-0.3, 0.3) * slices * slice_mm * rng.integers(0, 2)
    phantom = make_phantom(seed, shape=shape, spacing_mm=spacing, affine=affine)
    hu = phantom.array.astype(np.float32)
    mask = (phantom.masks == LABELS[spec.label]).astype(np.float32)
    at = np.arange(0, slices - 1 + 1e-6, dz / slice_mm)
    low = np.minimum(at.astype(int), slices - 2)
    part = (at - low).astype(np.float32)[:, None, None]
    hu = hu[low] * (1 - part) + hu[low + 1] * part
    inside = mask[low] * (1 - part) + mask[low + 1] * part > 0.5
    # (z, y to the back, x to the left) to (x to the right, y to the front, z).
    return hu.transpose(2, 1, 0)[::-1, ::-1], inside.astype(np.uint8).transpose(2, 1, 0)[::-1, ::-1]


def _cut(
    array: NDArray[Any], start: NDArray[np.int64], size: tuple[int, int, int], beyond: int
) -> NDArray[Any]:
    patch = np.full(size, beyond, array.dtype)
    source, target = [], []
    for first, length, extent in zip(start, size, array.shape, strict=True):
        begin, end = max(first, 0), min(first + length, extent)
        source.append(slice(begin, max(begin, end)))
        target.append(slice(begin - first, max(begin, end) - first))
    patch[tuple(target)] = array[tuple(source)]
    return patch


def _as_scanned(hu: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Vary calibration, contrast and noise."""
    varied: NDArray[np.float32] = (hu - 40) * np.float32(rng.uniform(0.9, 1.1)) + np.float32(
        40 + rng.uniform(-15, 15)
    )
    varied += rng.standard_normal(hu.shape, np.float32) * np.float32(rng.uniform(0, 12))
    return varied
