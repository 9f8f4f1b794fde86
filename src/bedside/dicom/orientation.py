"""Which axis of an array runs nearest to which direction of the patient.

Owns the order that people look at volumes in: from feet to head, from front to back, from the patient's
right to the left. An oblique series keeps its own axes, under the letters of the directions nearest to them.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Directions of patient space from low to high index: head, posterior, left.
LETTERS = (("F", "H"), ("A", "P"), ("R", "L"))
#: Directions beside the nearest are named from this part of an axis on: 15 degrees.
_NAMED = 0.2588


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Which array axis lies nearest each direction (head, posterior, left).

    Attributes:
        order: Array axis of each.
        reverse: Whether the index falls in that direction.
        step_mm: Spacing along each.
    """

    order: tuple[int, ...]
    reverse: tuple[bool, ...]
    step_mm: tuple[float, ...]

    def turn(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of an array with the axes (to the head, to the back, to the left)."""
        turned = array.transpose(self.order)
        return turned[tuple(slice(None, None, -1) if falls else slice(None) for falls in self.reverse)]

    def turned_affine(self, affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the affine of `turn`'s view.

        Args:
            affine: 4×4 of the array, to LPS millimetres.
            shape: Of the array.
        """
        turned = np.eye(4)
        turned[:3, 3] = affine[:3, 3]
        for place, (axis, falls) in enumerate(zip(self.order, self.reverse, strict=True)):
            turned[:3, place] = -affine[:3, axis] if falls else affine[:3, axis]
            if falls:
                turned[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
        return turned

    def before(
        self, affine: NDArray[np.float64], shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float64], tuple[int, ...]]:
        """Return affine and shape of the array whose view `turn` gave, from those of the view."""
        first, sizes = np.eye(4), [0, 0, 0]
        first[:3, 3] = affine[:3, 3]
        for place, (axis, falls) in enumerate(zip(self.order, self.reverse, strict=True)):
            sizes[axis] = shape[place]
            first[:3, axis] = -affine[:3, place] if falls else affine[:3, place]
            if falls:
                first[:3, 3] += affine[:3, place] * (shape[place] - 1)
        return first, tuple(sizes)


def anatomical(affine: NDArray[np.float64]) -> Axes:
    """Return the axes of an array by its affine (4×4, to LPS millimetres)."""
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    # Rows of an LPS affine are left, posterior, head: turned to head, posterior, left.
    cosines = (affine[:3, :3] / steps)[::-1]
    order = max(
        permutations(range(3)),
        key=lambda axes: round(sum(abs(float(cosines[way, axis])) for way, axis in enumerate(axes)), 6),
    )
    return Axes(
        order=order,
        reverse=tuple(bool(cosines[way, axis] < 0) for way, axis in enumerate(order)),
        step_mm=tuple(float(steps[axis]) for axis in order),
    )


def ends(direction: NDArray[np.float64]) -> tuple[str, str]:
    """Return the letters at the low and the high end of an axis, e.g. ``("R", "L")`` or ``("RA", "LP")``.

    Args:
        direction: Where the index grows to, LPS; any length. See PS3.3 C.7.6.1.1.1.
    """
    cosines = (direction / np.linalg.norm(direction))[::-1]
    low = high = ""
    for way in sorted(range(3), key=lambda way: -abs(float(cosines[way]))):
        along = float(cosines[way])
        if abs(along) < _NAMED and high:
            continue
        before, after = LETTERS[way]
        low, high = (low + before, high + after) if along > 0 else (low + after, high + before)
    return low, high
