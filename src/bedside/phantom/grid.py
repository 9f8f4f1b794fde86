"""The grid a phantom is sampled on: from voxel indices to the body's own millimetres and back.

Refuses nothing but singular affines. Any orientation works: along the body's axes the coordinates
stay open (one short array per axis), on an oblique grid they fill up by broadcasting.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.phantom.shapes import Array, Point

Window = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Voxels and where they lie in the body.

    Attributes:
        shape: (slices, rows, columns).
        affine: 4×4, maps (k, i, j, 1) to body coordinates (left, back, head) in millimetres.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """(slice, row, column) spacing."""
        spacing: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing

    def coordinates(self, window: Window) -> tuple[Array, Array, Array]:
        """Return x, y and z of a window's voxels, float32, broadcastable to its shape."""
        indices = [
            np.arange(part.start, part.stop, dtype=np.float64).reshape(
                [-1 if a == axis else 1 for a in range(3)]
            )
            for axis, part in enumerate(window)
        ]
        found = []
        for row in self.affine[:3]:
            total = np.full((1, 1, 1), row[3])
            for coefficient, index in zip(row[:3], indices, strict=True):
                if (
                    abs(coefficient) > 1e-9
                ):  # an index that does not move this coordinate stays out of its shape
                    total = total + coefficient * index
            found.append(total.astype(np.float32))
        return found[0], found[1], found[2]

    def window(self, low: Point, high: Point, within: Window) -> Window | None:
        """Return the voxels of a box in body coordinates that lie within a window, or None."""
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1)
        back = np.linalg.inv(self.affine)
        indices = back[:3, :3] @ corners + back[:3, 3:]
        parts = []
        for axis, part in enumerate(within):
            start = max(part.start, int(np.floor(indices[axis].min())))
            stop = min(part.stop, int(np.ceil(indices[axis].max())) + 1)
            if start >= stop:
                return None
            parts.append(slice(start, stop))
        return parts[0], parts[1], parts[2]
