"""Says whether a mask came back where it belongs in the patient, and if not, what became of it.

Owns the comparison of a re-read SEG with the solid that was acquired, in patient millimetres, and the
words for what a wrong pipeline does: mirrored, turned, shifted, lost, deformed. It refuses more than a third
of a voxel of the coarser grid, because an error of convention (a voxel's corner for its centre) is half
a voxel.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.reread import Placed, dice
from bedside.phantom.solid import Acquisition

#: Most that a centroid may be off, along each axis of the grid, in voxels of the coarser of two grids.
TOLERANCE_VOXELS = 1 / 3
#: Least overlap of the solid with what came back; thick slices and coarse networks blur its surface.
LEAST_DICE = 0.8
#: Overlap from which on a mirrored or turned mask is called that.
_EVIDENT = 0.8
_AXES = (("right", "left"), ("front", "back"), ("feet", "head"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How a mask came back.

    Attributes:
        acquisition: How the solid was acquired.
        label: The label's name.
        offset_mm: Of the centroid, LPS.
        tolerance_mm: Most allowed along each of LPS.
        dice: With the solid.
        problem: What is wrong, in a sentence; empty where nothing is.
    """

    acquisition: str
    label: str
    offset_mm: tuple[float, float, float]
    tolerance_mm: tuple[float, float, float]
    dice: float
    problem: str = ""

    def to_json(self) -> dict[str, object]:
        """Return JSON values."""
        return {
            "acquisition": self.acquisition,
            "label": self.label,
            "offset_mm": [round(value, 3) for value in self.offset_mm],
            "tolerance_mm": [round(value, 3) for value in self.tolerance_mm],
            "dice": round(self.dice, 4),
        }


def compare(
    acquisition: Acquisition, found: Mapping[str, Placed], *, label: str, network_mm: float
) -> Deviation:
    """Compare what came back with the solid.

    Args:
        acquisition: How the solid was acquired.
        found: Segments of the SEG by label.
        label: The one that was asked for.
        network_mm: Largest spacing of the grid that the network saw; 0 where it is not known.
    """
    truth = acquisition.truth()
    spacing = np.linalg.norm(acquisition.affine[:3, :3], axis=0)
    coarser = np.maximum(spacing, network_mm)
    # A voxel's reach along x, y, z: a sum would let an oblique grid be off by more than any other.
    unit = np.abs(acquisition.affine[:3, :3] / spacing)
    tolerance = TOLERANCE_VOXELS * np.sqrt((unit * coarser) ** 2 @ np.ones(3))
    given = tuple(float(value) for value in tolerance)

    def deviation(offset: NDArray[np.float64], overlap: float, problem: str) -> Deviation:
        return Deviation(
            acquisition=acquisition.name,
            label=label,
            offset_mm=(float(offset[0]), float(offset[1]), float(offset[2])),
            tolerance_mm=(given[0], given[1], given[2]),
            dice=overlap,
            problem=problem,
        )

    if label not in found:
        return deviation(np.zeros(3), 0.0, _lost(label, found))
    mask, outside = _on_grid(found[label], acquisition)
    offset = _centroid(found[label].mask, found[label].affine) - _centroid(truth, acquisition.affine)
    overlap = dice(mask, truth)
    if outside:
        return deviation(offset, overlap, f"{outside} voxels of the mask lie outside the series")
    if overlap >= LEAST_DICE and bool((np.abs(offset) <= tolerance).all()):
        return deviation(offset, overlap, "")
    shifted = _shifted(offset, tolerance)
    moved = np.roll(
        mask, -np.rint(np.linalg.solve(acquisition.affine[:3, :3], offset)).astype(int), (0, 1, 2)
    )
    problem = _turned(mask, truth, acquisition) if overlap < _EVIDENT else ""
    if not problem and shifted and dice(moved, truth) >= _EVIDENT:
        problem = shifted
    problem = problem or _deformed(mask, truth)
    return deviation(offset, overlap, f"{problem} (Dice {overlap:.2f})")


def _lost(label: str, found: Mapping[str, Placed]) -> str:
    if not found:
        return "nothing of the solid comes back"
    others = ", ".join(repr(name) for name in sorted(found))
    return f"what the network finds as {label!r} comes back as {others}"


def _on_grid(placed: Placed, acquisition: Acquisition) -> tuple[NDArray[np.bool_], int]:
    """Return a mask on the acquisition's grid, and how many of its voxels lie beside it."""
    points = placed.affine[:3, :3] @ np.argwhere(placed.mask).T + placed.affine[:3, 3:]
    back = np.linalg.inv(acquisition.affine)
    index = np.rint(back[:3, :3] @ points + back[:3, 3:]).astype(int)
    within = (index >= 0).all(axis=0) & (index < np.array(acquisition.shape)[:, None]).all(axis=0)
    mask = np.zeros(acquisition.shape, dtype=np.bool_)
    mask[tuple(index[:, within])] = True
    return mask, int(np.count_nonzero(~within))


def _centroid(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    centroid: NDArray[np.float64] = affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]
    return centroid


def _turned(mask: NDArray[np.bool_], truth: NDArray[np.bool_], acquisition: Acquisition) -> str:
    """Return how a mask is mirrored or turned about the grid's middle, or ``""``."""
    best, words = 0.0, ""
    for order, flipped in _turns():
        moved = np.flip(mask.transpose(order), tuple(axis for axis in range(3) if flipped[axis]))
        if moved.shape != truth.shape:
            moved = _fitted(moved, truth.shape)
        overlap = dice(moved, truth)
        if overlap > best:
            best, words = overlap, _words(order, flipped, acquisition)
    return words if best >= _EVIDENT else ""


def _turns() -> Iterator[tuple[tuple[int, ...], tuple[bool, ...]]]:
    for order in permutations(range(3)):
        for flipped in product((False, True), repeat=3):
            if order != (0, 1, 2) or any(flipped):
                yield order, flipped


def _fitted(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask about the same middle in a grid of another shape."""
    result = np.zeros(shape, dtype=np.bool_)
    index = np.argwhere(mask) + (np.array(shape) - np.array(mask.shape)) // 2
    within = ((index >= 0) & (index < np.array(shape))).all(axis=1)
    result[tuple(index[within].T)] = True
    return result


def _words(order: tuple[int, ...], flipped: tuple[bool, ...], acquisition: Acquisition) -> str:
    names = ["–".join(_AXES[int(np.argmax(np.abs(acquisition.affine[:3, axis])))]) for axis in range(3)]
    said = []
    if any(flipped):
        said.append("flipped along " + " and ".join(names[axis] for axis in range(3) if flipped[axis]))
    if order != (0, 1, 2):
        swapped = [names[axis] for axis in range(3) if order[axis] != axis]
        said.append("with its axes swapped: " + ", ".join(swapped))
    return "the mask comes back " + " and ".join(said)


def _shifted(offset: NDArray[np.float64], tolerance: NDArray[np.float64]) -> str:
    """Return by how much a centroid is off and where to, or ``""`` where it is not."""
    parts = [
        f"{abs(offset[axis]):.1f} mm towards the {_AXES[axis][int(offset[axis] > 0)]} "
        f"({tolerance[axis]:.1f} allowed)"
        for axis in range(3)
        if abs(offset[axis]) > tolerance[axis]
    ]
    return f"the mask comes back shifted by {' and '.join(parts)}" if parts else ""


def _deformed(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> str:
    ratio = np.count_nonzero(mask) / np.count_nonzero(truth)
    return f"the mask comes back in another shape, with {ratio:.2f} times the solid's volume"
