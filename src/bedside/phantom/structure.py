"""One thing in the body: where it can be, its surface, its HU, and its value in the truth.

The painting rule is here because every structure shares it: HU are mixed by how much of a voxel lies
inside (partial volume), while the truth asks only whether the voxel's centre does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.phantom.shapes import Array, Point, Site

#: Truth values by name.
LABELS = {
    "spleen": 1,
    "liver": 2,
    "right kidney": 3,
    "left kidney": 4,
    "stomach": 5,
    "aorta": 6,
    "spine": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """An organ or a part of one.

    Attributes:
        name: For people.
        low: Least corner of a box that holds it, body millimetres.
        high: Greatest corner.
        surface: Signed distance in millimetres, negative inside.
        hu: HU at a site, given the distance.
        label: Value in the truth; 0 paints the picture only, and takes nothing from other labels.
    """

    name: str
    low: Point
    high: Point
    surface: Callable[[Site], Array]
    hu: Callable[[Site, Array], Array | float]
    label: int = 0

    def paint(self, site: Site, picture: Array, truth: NDArray[np.uint8], blur_mm: float) -> None:
        """Mix this structure into HU and truth of one window, in place.

        Args:
            site: The window's coordinates.
            picture: HU, float32.
            truth: Label map.
            blur_mm: Width over which the surface is smeared.
        """
        distance = self.surface(site)
        part = np.clip(np.float32(0.5) - distance * np.float32(1 / blur_mm), 0, 1)
        part *= self.hu(site, distance) - picture
        picture += part
        if self.label:
            truth[np.broadcast_to(distance < 0, truth.shape)] = self.label


def box(centre: Point, reach: Point | float) -> tuple[Point, Point]:
    """Return the corners of a box about a centre."""
    reach = (reach, reach, reach) if isinstance(reach, float | int) else reach
    x, y, z = centre
    return (x - reach[0], y - reach[1], z - reach[2]), (x + reach[0], y + reach[1], z + reach[2])


def even(value: float) -> Callable[[Site, Array], float]:
    """Return the HU of a structure that is the same throughout."""
    return lambda _site, _distance: value
