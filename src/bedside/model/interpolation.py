"""Trilinear interpolation that equals ``grid_sample`` in double precision, bit for bit, for less.

Owns the arithmetic behind bedside's fast equivalents. Interpolating axis by axis is several times cheaper
than corner by corner but rounds differently; the difference is bounded, so wherever it could show after
rounding to single precision, the value is computed again in ``grid_sample``'s own order. What is returned
is therefore not close to MONAI's result but equal to it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bedside.model.grid import Axis

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Bound on the difference between the two orders of summation, relative to the largest value. Three
#: interpolations and eight products of doubles stay below 2e-15.
_ROUNDING = 4e-14
#: Output planes finished together, so that writing them transposed fills cache lines.
_BLOCK = 16
#: Share of zeros above which it pays to find cells that hold nothing else: of a sum that cancels to
#: zero, no rounding can be told apart, and air in MR is zero.
_MANY_ZEROS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How the axes of a volume in memory make those of the tensor that is sampled.

    Attributes:
        order: For each axis (i, j, k) of the tensor, the axis of the array.
        flipped: For each axis (i, j, k), whether it runs against the array's.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def place_of(self, array_axis: int) -> int:
        """Return which of (i, j, k) an axis of the array is."""
        return self.order.index(array_axis)


#: A volume whose axes are (i, j, k) themselves.
IN_PLACE = Placement(order=(0, 1, 2), flipped=(False, False, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How one axis of an array is sampled: `Axis` as numpy arrays, in the array's direction."""

    low: Indices
    high: Indices
    low_weight: Floats
    high_weight: Floats
    nearest: Indices


def lines(axes: Sequence[Axis], placement: Placement) -> list[Line]:
    """Return the sampling of each axis of an array, in its order and direction."""
    result: list[Line] = []
    for array_axis in range(3):
        place = placement.place_of(array_axis)
        axis = axes[place]
        indices = [part.numpy() for part in (axis.low, axis.high, axis.nearest)]
        if placement.flipped[place]:
            indices = [axis.size - 1 - part for part in indices]
        low, high, nearest = indices
        result.append(
            Line(
                low=low,
                high=high,
                low_weight=axis.low_weight.numpy(),
                high_weight=axis.high_weight.numpy(),
                nearest=nearest,
            )
        )
    return result


def resampled(array: NDArray[Any], placement: Placement, axes: Sequence[Axis]) -> torch.Tensor:
    """Resample a volume as ``spatial_resample`` would: double arithmetic, single result.

    Args:
        array: The volume in memory, any real dtype that single precision holds exactly.
        placement: How its axes make (i, j, k).
        axes: How (i, j, k) are sampled.

    Returns:
        (i', j', k') float32, contiguous.
    """
    work = _Resampling(array, placement, axes)
    starts = range(0, work.planes, _BLOCK)
    threads = max(1, min(torch.get_num_threads(), len(starts)))
    share = -(-len(starts) // threads)
    with ThreadPoolExecutor(threads) as pool:  # numpy lets go of the interpreter lock
        list(pool.map(work.blocks, [starts[n * share : (n + 1) * share] for n in range(threads)]))
    return torch.from_numpy(work.result)


class _Resampling:
    """One volume being resampled, plane by plane of its first axis in memory."""

    def __init__(self, array: NDArray[Any], placement: Placement, axes: Sequence[Axis]) -> None:
        self.array = array
        self.lines = lines(axes, placement)
        self.order = placement.order
        sizes = [len(line.low) for line in self.lines]
        self.planes = sizes[0]
        self.result = np.empty([sizes[axis] for axis in placement.order], dtype=np.float32)
        # The result seen with its axes in the array's order: planes are written through this view.
        self.view = self.result.transpose([placement.place_of(axis) for axis in range(3)])
        largest = max(abs(float(array.max())), abs(float(array.min())))
        self.tolerance = largest * _ROUNDING
        self.zeros = bool(np.count_nonzero(array) < (1 - _MANY_ZEROS) * array.size)

    def blocks(self, starts: Sequence[int]) -> None:
        """Do a run of blocks; neighbouring planes are interpolated once."""
        kept: dict[int, tuple[Floats, NDArray[np.bool_] | None]] = {}
        buffer = np.empty((_BLOCK, *self.view.shape[1:]), dtype=np.float32)
        for start in starts:
            stop = min(start + _BLOCK, self.planes)
            for index in range(start, stop):
                low, high = int(self.lines[0].low[index]), int(self.lines[0].high[index])
                kept = {key: kept.get(key) or self._plane(key) for key in (low, high)}
                self._finish(index, kept[low], kept[high], buffer[index - start])
            self.view[start:stop] = buffer[: stop - start]

    def _plane(self, index: int) -> tuple[Floats, NDArray[np.bool_] | None]:
        plane = self.array[index].astype(np.float64)
        second, third = self.lines[1], self.lines[2]
        rows = _lerp(plane, second, 0)
        filled = None
        if self.zeros:
            present = plane != 0
            present = np.take(present, second.low, axis=0) | np.take(present, second.high, axis=0)
            filled = np.take(present, third.low, axis=1) | np.take(present, third.high, axis=1)
        return _lerp(rows, third, 1), filled

    def _finish(
        self,
        index: int,
        low: tuple[Floats, NDArray[np.bool_] | None],
        high: tuple[Floats, NDArray[np.bool_] | None],
        out: NDArray[np.float32],
    ) -> None:
        value = low[0] * self.lines[0].low_weight[index]
        value += high[0] * self.lines[0].high_weight[index]
        out[...] = value
        doubtful = (value - self.tolerance).astype(np.float32) != (value + self.tolerance).astype(np.float32)
        if low[1] is not None and high[1] is not None:
            doubtful &= low[1] | high[1]
        where = np.flatnonzero(doubtful)
        if where.size:
            second, third = np.divmod(where, doubtful.shape[1])
            points = (np.full_like(where, index), second, third)
            out.reshape(-1)[where] = sampled_points([self.array], self.lines, points, self.order)[0]


def _lerp(plane: Floats, line: Line, dim: int) -> Floats:
    shape = (-1, 1) if dim == 0 else (1, -1)
    low: Floats = np.take(plane, line.low, axis=dim)
    low *= line.low_weight.reshape(shape)
    high: Floats = np.take(plane, line.high, axis=dim)
    high *= line.high_weight.reshape(shape)
    low += high
    return low


def sampled_points(
    channels: Sequence[NDArray[Any]],
    by_axis: Sequence[Line],
    points: tuple[Indices, Indices, Indices],
    order: Sequence[int],
) -> Floats:
    """Interpolate at chosen output voxels, in the order of operations of torch's ``grid_sampler_3d``.

    Args:
        channels: Contiguous arrays of one shape; values are taken as float64.
        by_axis: How each axis of the arrays is sampled.
        points: Output indices along each axis of the arrays, (n,) each.
        order: The arrays' axes that are (i, j, k), i.e. (z, y, x) of ``grid_sample``.

    Returns:
        (channels, n) float64.
    """
    shape = channels[0].shape
    strides = (shape[1] * shape[2], shape[2], 1)
    corners = []
    for axis in order:
        line, at = by_axis[axis], points[axis]
        corners.append(
            (
                (line.low[at] * strides[axis], line.low_weight[at]),
                (line.high[at] * strides[axis], line.high_weight[at]),
            )
        )
    flat = [np.ascontiguousarray(channel).reshape(-1) for channel in channels]
    result = np.zeros((len(flat), len(points[0])))
    for z, weight_z in corners[0]:
        for y, weight_y in corners[1]:
            for x, weight_x in corners[2]:
                weight = (weight_x * weight_y) * weight_z
                where = z + y + x
                for channel, values in enumerate(flat):
                    result[channel] += values[where].astype(np.float64) * weight
    return result
