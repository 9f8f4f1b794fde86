"""One solid of known place in a patient, acquired in every way: the phantom of proofs of geometry.

Owns the solid, which is unlike its image under every turn and mirror and stays in one piece, because
many bundles keep the largest component only; and the acquisitions. It is no anatomy: a proof asks where
something comes back, not whether a model likes it. Its two contrasts survive what preprocessing does to
intensities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.create import SeriesSpec, write_series
from bedside.phantom.shapes import Point, ellipsoid, tube

#: LPS millimetres of the solid's middle and of every acquisition's, no two numbers alike.
CENTRE = np.array([19.0, -41.0, 408.0])
VIEW = np.array([22.0, -35.0, 404.0])
_CORE: Point = (23.0, 17.0, 20.0)
#: Arms from the core: where each ends and how thick it is, in millimetres.
_ARMS: tuple[tuple[Point, float], ...] = (
    ((36.0, 6.0, -8.0), 11.0),
    ((-6.0, 30.0, 16.0), 9.0),
    ((4.0, -12.0, 34.0), 12.0),
)


class Contrast(StrEnum):
    """How the solid stands out."""

    PLAIN = "plain"  # two values far apart: whatever window a bundle cuts lies between them
    SOFT = "soft"  # ramps inside a soft-tissue window: for bundles that divide by a spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """A way of looking at the solid.

    Attributes:
        name: For people.
        shape: (slices, rows, columns).
        affine: 4×4 float64, maps (k, i, j, 1) to LPS millimetres.
    """

    name: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return x, y and z of every voxel's centre, LPS millimetres, each of the acquisition's shape."""
        index = np.indices(self.shape, dtype=np.float64).reshape(3, -1)
        place = (self.affine[:3, :3] @ index + self.affine[:3, 3:]).astype(np.float32)
        x, y, z = place.reshape(3, *self.shape)
        return x, y, z

    def truth(self) -> NDArray[np.bool_]:
        """Return which voxels' centres lie in the solid, (slices, rows, columns)."""
        x, y, z = (part - np.float32(at) for part, at in zip(self.points(), CENTRE, strict=True))
        inside = ellipsoid(x, y, z, _CORE) <= 0
        for end, radius in _ARMS:
            inside |= tube(x, y, z, [(0.0, 0.0, 0.0), end], radius) <= 0
        return np.asarray(inside, dtype=np.bool_)


def acquisitions() -> Iterator[Acquisition]:
    """Yield the ways in which scanners lay their grids: every plane, both directions, odd spacings."""
    x, y, z = np.eye(3)
    turn = _rotation((1, 2, 3), 25)
    yield _about("axial", (50, 76, 84), 2.5 * z, 1.6 * y, 1.5 * x)
    yield _about("axial, head to feet", (50, 76, 84), -2.5 * z, 1.6 * y, 1.5 * x)
    yield _about("axial, prone", (48, 80, 72), 2.6 * z, -1.5 * y, -1.7 * x)
    yield _about("sagittal", (62, 66, 86), 2.0 * x, -1.9 * z, 1.4 * y)
    yield _about("coronal", (70, 66, 78), 1.7 * y, -1.9 * z, 1.6 * x)
    yield _about("oblique", (50, 78, 80), 2.6 * turn @ z, 1.7 * turn @ y, 1.6 * turn @ x)
    yield _about("thick slices, long pixels", (26, 134, 60), 5.0 * z, 0.9 * y, 2.1 * x)


def write_solid(folder: Path, acquisition: Acquisition, *, modality: str, contrast: Contrast) -> list[Path]:
    """Write one acquisition of the solid as a series.

    Args:
        folder: Made if missing.
        acquisition: How.
        modality: ``"CT"`` or ``"MR"``.
        contrast: How the solid stands out.

    Returns:
        Paths in the acquisition's slice order.
    """
    inside = acquisition.truth()
    if contrast is Contrast.PLAIN:
        low, high = (-1000, 1000) if modality == "CT" else (100, 1000)
        array = np.where(inside, high, low).astype(np.int16)
    else:
        ramp = np.linspace(-1, 1, acquisition.shape[2])
        base, range_ = ((0, 180), 25) if modality == "CT" else ((300, 900), 50)
        array = (np.where(inside, base[1], base[0]) + range_ * ramp).astype(np.int16)
    spec = SeriesSpec(
        seed=f"bedside solid {acquisition.name} {contrast}",
        modality=modality,
        description="SYNTHETIC SOLID",
        study_description="SYNTHETIC PROOF OF GEOMETRY",
        patient_id="PHANTOM-SOLID",
    )
    return write_series(folder, array, acquisition.affine, spec=spec)


def _about(
    name: str,
    shape: tuple[int, int, int],
    step: NDArray[np.float64],
    down: NDArray[np.float64],
    along: NDArray[np.float64],
) -> Acquisition:
    """Return an acquisition about `VIEW`; the vectors hold the spacing, mm."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, down, along
    affine[:3, 3] = VIEW - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Acquisition(name=name, shape=shape, affine=affine)


def _rotation(axis: Point, degrees: float) -> NDArray[np.float64]:
    """Return a rotation matrix (Rodrigues)."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    turned: NDArray[np.float64] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned
