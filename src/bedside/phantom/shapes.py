"""Surfaces in millimetres: signed distances (negative inside) of ellipsoids, tubes and their blends.

Owns no anatomy. Coordinates are float32 arrays that broadcast against one another, so that a grid
along the body's axes costs one full-size array per operation and not three. Distances are near true
close to the surface, which is all that partial volume needs, and smooth, so any grid sees one shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: float32 throughout; numpy's stubs widen scalar operands to any float.
Array = NDArray[np.floating[Any]]
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a structure is evaluated.

    Attributes:
        x: Millimetres towards the patient's left of the body's axis.
        y: Millimetres towards the back.
        z: Millimetres towards the head.
        depth: Millimetres below the skin, on the full grid.
    """

    x: Array
    y: Array
    z: Array
    depth: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """A smooth deformation: each axis is moved by a function of the other two.

    Attributes:
        terms: Per axis, rows of (amplitude mm, rad/mm along each of the other two axes, phase).
    """

    terms: NDArray[np.float64]

    def apply(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Return moved coordinates."""
        return (x + self._shift(0, y, z), y + self._shift(1, x, z), z + self._shift(2, x, y))

    def _shift(self, axis: int, first: Array, second: Array) -> Array:
        total: Array = np.zeros((), np.float32)
        for amplitude, k_first, k_second, phase in self.terms[axis]:
            wave = np.float32(k_first) * first + np.float32(k_second) * second
            total = total + np.float32(amplitude) * np.sin(wave + np.float32(phase))
        return total


def draw_warp(rng: np.random.Generator, amplitude_mm: float, wavelength_mm: float) -> Warp:
    """Draw a deformation of two waves per axis."""
    terms = np.empty((3, 2, 4))
    terms[..., 0] = rng.uniform(0.4, 1.0, (3, 2)) * amplitude_mm
    terms[..., 1:3] = rng.uniform(-1, 1, (3, 2, 2)) * 2 * np.pi / wavelength_mm
    terms[..., 3] = rng.uniform(0, 2 * np.pi, (3, 2))
    return Warp(terms=terms)


def rotated(x: Array, y: Array, z: Array, *, about: Point, angles_deg: Point) -> tuple[Array, Array, Array]:
    """Return coordinates in a frame centred at ``about`` and turned about z, then y, then x."""
    matrix = np.eye(3)
    for axis, angle in zip((2, 1, 0), reversed(angles_deg), strict=True):
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[first, first], turn[first, second], turn[second, first], turn[second, second] = c, s, -s, c
        matrix = turn @ matrix
    x, y, z = x - np.float32(about[0]), y - np.float32(about[1]), z - np.float32(about[2])
    if not any(angles_deg):
        return x, y, z
    u, v, w = (row[0] * x + row[1] * y + row[2] * z for row in matrix.astype(np.float32))
    return u, v, w


def ellipsoid(x: Array, y: Array, z: Array, radii: Point) -> Array:
    """Distance to an ellipsoid about the origin, exact to first order at its surface."""
    squares = [np.square(axis / np.float32(radius)) for axis, radius in zip((x, y, z), radii, strict=True)]
    inside = squares[0] + squares[1] + squares[2]
    slopes = [square / np.float32(radius**2) for square, radius in zip(squares, radii, strict=True)]
    slope = slopes[0] + slopes[1] + slopes[2]
    slope += np.float32(1e-9)
    # k0 (k0 - 1) / k1 with k0² = inside and k1² = slope.
    distance: Array = (inside - np.sqrt(inside)) / np.sqrt(slope)
    return distance


def tube(x: Array, y: Array, z: Array, path: Sequence[Point], radius: float) -> Array:
    """Distance to a tube of one radius along straight pieces between points."""
    nearest: Array | None = None
    for start, end in pairwise(path):
        axis = np.subtract(end, start)
        steps = [p - np.float32(first) for p, first in zip((x, y, z), start, strict=True)]
        u, v, w = (np.float32(component) for component in axis)
        along = np.clip((u * steps[0] + v * steps[1] + w * steps[2]) / np.float32(axis @ axis), 0, 1)
        square = (
            np.square(steps[0] - u * along)
            + np.square(steps[1] - v * along)
            + np.square(steps[2] - w * along)
        )
        nearest = square if nearest is None else np.minimum(nearest, square)
    assert nearest is not None
    distance: Array = np.sqrt(nearest) - np.float32(radius)
    return distance


def union(a: Array, b: Array, blend_mm: float) -> Array:
    """Join two surfaces with a rounded seam."""
    h = np.maximum(np.float32(blend_mm) - np.abs(a - b), 0)
    joined: Array = np.minimum(a, b) - np.square(h) * np.float32(0.25 / blend_mm)
    return joined


def common(a: Array, b: Array, blend_mm: float) -> Array:
    """Keep what is inside both, with a rounded edge."""
    return -union(-a, -b, blend_mm)
