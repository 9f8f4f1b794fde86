"""From a seed and a grid to HU and truth.

The anatomy is continuous and in millimetres; a grid only samples it, slab by slab so that temporary
arrays stay small. Noise belongs to the detector, so it is drawn per slice of the grid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.errors import UsageError
from bedside.phantom import organs, surroundings
from bedside.phantom.body import Body, draw_body
from bedside.phantom.grid import Grid, Window
from bedside.phantom.shapes import Array, Site
from bedside.phantom.structure import LABELS, Structure

#: Voxels worked on at a time: about 10 arrays of this size lie in memory.
_SLAB_VOXELS = 1 << 20
_AIR = -1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A synthetic CT and its truth.

    Attributes:
        array: (slices, rows, columns), int16, HU.
        masks: Label map on the same grid, uint8, 0 is background.
        labels: Names to values in ``masks``.
        affine: 4×4 float64, maps (k, i, j, 1) to LPS millimetres.
        seed: Who it is.
    """

    array: NDArray[np.int16]
    masks: NDArray[np.uint8]
    labels: Mapping[str, int]
    affine: NDArray[np.float64]
    seed: int

    def volume_ml(self, label: str) -> float:
        """Return the volume of one label's mask."""
        voxel = abs(float(np.linalg.det(self.affine[:3, :3])))
        return int(np.count_nonzero(self.masks == self.labels[label])) * voxel / 1000


def make_phantom(
    seed: int,
    *,
    shape: tuple[int, int, int] = (100, 512, 512),
    spacing_mm: tuple[float, float, float] = (2.5, 0.8, 0.8),
    affine: NDArray[np.float64] | None = None,
    noise: bool = True,
) -> Phantom:
    """Make the abdominal CT of one invented person.

    Args:
        seed: Who it is; the same seed is the same anatomy on every grid.
        shape: (slices, rows, columns).
        spacing_mm: (slice, row, column), for an axial grid about the upper abdomen.
        affine: 4×4 to LPS millimetres for any other orientation or place; ``spacing_mm`` is then unused.
        noise: Whether the detector adds noise.

    Raises:
        UsageError: A shape or spacing that is no grid.
    """
    if min(shape) < 1 or min(spacing_mm) <= 0:
        raise UsageError(f"phantom of shape {shape} and spacing {spacing_mm} mm: all must be positive")
    body = draw_body(seed)
    place = axial_affine(seed, shape=shape, spacing_mm=spacing_mm) if affine is None else affine
    grid = Grid(shape=shape, affine=body.pose() @ place)
    blur_mm = 0.9 + 0.3 * float(grid.spacing_mm.mean())
    array = np.empty(shape, np.int16)
    masks = np.zeros(shape, np.uint8)
    structures = list(anatomy(body))
    for window in _slabs(shape):
        picture = _sample(body, structures, grid, window, masks[window[0]], blur_mm)
        if noise:
            _add_noise(picture, body, float(grid.spacing_mm[0]), window[0].start)
        np.clip(picture, -1024, 3071, out=picture)
        array[window[0]] = np.rint(picture, out=picture)
    return Phantom(array=array, masks=masks, labels=LABELS, affine=place, seed=seed)


def axial_affine(
    seed: int, *, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return where a scanner would lay an axial grid: about the body, the spleen within its slices."""
    body = draw_body(seed)
    length = shape[0] * spacing_mm[0]
    rng = np.random.default_rng([seed, 2])
    # A short grid sees the upper abdomen; a long one reaches further down than up.
    level = 26 - min(60.0, max(0.0, (length - 140) * 0.2)) + rng.uniform(-12, 12)
    centre = np.array([rng.uniform(-6, 6), rng.uniform(-6, 6), level]) + body.shift_mm
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *spacing_mm, 1
    affine[:3, 3] = np.round(centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2), 3)
    return affine


def anatomy(body: Body) -> Iterator[Structure]:
    """Yield one person's structures in painting order; later ones cover earlier ones."""
    yield surroundings.table(body)
    yield surroundings.lungs(body)
    yield surroundings.heart(body)
    yield from surroundings.muscles(body)
    yield surroundings.discs(body)
    yield surroundings.spine(body)
    yield surroundings.ribs(body)
    yield from surroundings.pelvis(body)
    yield from surroundings.bowel(body)
    yield surroundings.pancreas(body)
    yield organs.stomach(body)
    yield organs.liver(body)
    yield organs.kidney(body, "right")
    yield organs.kidney(body, "left")
    yield from surroundings.vessels(body)
    yield organs.aorta(body)
    yield organs.spleen(body)


def _slabs(shape: tuple[int, int, int]) -> Iterator[Window]:
    step = max(1, _SLAB_VOXELS // (shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0])), slice(0, shape[1]), slice(0, shape[2])


def _sample(
    body: Body,
    structures: list[Structure],
    grid: Grid,
    window: Window,
    truth: NDArray[np.uint8],
    blur_mm: float,
) -> Array:
    """Return one slab's HU and write its truth."""
    x, y, z = grid.coordinates(window)
    depth = np.ascontiguousarray(np.broadcast_to(body.depth(x, y, z), truth.shape))
    picture = _layers(body, Site(x=x, y=y, z=z, depth=depth), blur_mm)
    for structure in structures:
        part = grid.window(structure.low, structure.high, window)
        if part is None:
            continue
        local = slice(part[0].start - window[0].start, part[0].stop - window[0].start), *part[1:]
        x, y, z = grid.coordinates(part)
        site = Site(x=x, y=y, z=z, depth=depth[local])
        structure.paint(site, picture[local], truth[local], blur_mm)
    return picture


def _layers(body: Body, site: Site, blur_mm: float) -> Array:
    """Paint air, skin, fat, muscle and the fat of the cavity by depth below the skin."""
    fat = body.fat(site.x, site.y)
    tissue = body.tissue
    picture = np.full(site.depth.shape, _AIR, np.float32)
    work = np.empty_like(picture)
    for start, step in (
        (0.0, 30 - _AIR),
        (2.0, tissue.fat - 30),
        (fat, tissue.muscle - tissue.fat),
        (fat + np.float32(body.wall_mm), tissue.fat - tissue.muscle),
    ):
        np.subtract(site.depth, start, out=work)
        work *= np.float32(1 / blur_mm)
        work += np.float32(0.5)
        np.clip(work, 0, 1, out=work)
        work *= np.float32(step)
        picture += work
    return picture


def _add_noise(picture: Array, body: Body, slice_mm: float, first_slice: int) -> None:
    """Add noise that is correlated within slices, and less of it in air, as after reconstruction."""
    level = body.noise_hu * min(1.6, (2.5 / slice_mm) ** 0.5)
    rng = np.random.default_rng([body.seed, 3, first_slice])
    noise = rng.standard_normal(picture.shape, np.float32)
    # A 2 × 2 mean twice, in place, along rows and columns: a 3-wide binomial kernel; 0.375 per axis is
    # what it leaves of the variance.
    for axis in (1, 2):
        for _ in range(2):
            ahead = noise[:, 1:] if axis == 1 else noise[:, :, 1:]
            behind = noise[:, :-1] if axis == 1 else noise[:, :, :-1]
            behind += ahead
            noise *= np.float32(0.5)
    noise *= np.float32(level / 0.375)
    noise *= np.clip(picture * np.float32(1 / 700) + np.float32(1.6), 0.35, 1)
    picture += noise
