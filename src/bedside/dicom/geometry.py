"""From frames to a stack: their order along the normal, the affine, and the refusals.

Owns what counts as a regular grid of voxels. It refuses everything that an affine cannot say: a
missing slice, uneven spacing, a tilted gantry, mixed orientations or grids. Instance Number and Slice
Location play no part: only position and orientation are geometry (PS3.3 C.7.6.2). Reasons for the
tolerances: docs/decisions/011-regular-grid.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.frames import Frame, NoGeometry
from bedside.errors import InputRejected

#: Most that a gap may differ from the median gap, and a slice from its place on the grid, mm. Positions
#: rounded to a tenth of a millimetre pass; dcm2niix (kSliceTolerance) warns from 0.2.
SPACING_TOLERANCE_MM = 0.1
#: The same as a part of the median gap, for thin slices.
SPACING_TOLERANCE = 0.25
#: Most that direction cosines may differ between slices, or from unit length and a right angle.
ORIENTATION_TOLERANCE = 1e-3
#: Most that Pixel Spacing may differ between slices, as a part of it.
PIXEL_SPACING_TOLERANCE = 1e-3
#: Most that the last slice may lie beside the normal through the first, in pixels; more is a tilt.
DRIFT_TOLERANCE_PIXELS = 0.5


class MissingSlice(InputRejected):
    """A gap is a whole multiple of the median gap."""


class UnevenSpacing(InputRejected):
    """A gap differs from the median by more than the tolerance, and no slice missing explains it."""


class SamePosition(InputRejected):
    """Two frames lie at one position: several echoes, phases or time points, or a repeated slice."""


class GantryTilt(InputRejected):
    """Slices are stacked along another direction than their normal."""


class MixedOrientation(InputRejected):
    """Slices of one series face different ways."""


class MixedGrid(InputRejected):
    """Slices of one series differ in matrix, pixel spacing or frame of reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A series' frames as a regular grid.

    Attributes:
        frames: In ascending order along the normal (row × column direction).
        affine: 4×4, maps (k, i, j, 1) to LPS mm. See PS3.3 Equation C.7.6.2.1-1.
        spacing_mm: (slice, row, column).
    """

    frames: tuple[Frame, ...]
    affine: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        header = self.frames[0].header
        return len(self.frames), header.rows, header.columns


def stack(frames: Sequence[Frame]) -> Stack:
    """Order frames along their normal and prove that they are a regular grid.

    Raises:
        NoGeometry: Cosines or spacing are impossible, or a lone slice states no thickness.
        MixedOrientation: Orientations differ.
        MixedGrid: Matrices, pixel spacings or frames of reference differ.
        SamePosition: Two frames at one position.
        MissingSlice: A gap is a multiple of the others.
        UnevenSpacing: Gaps differ otherwise.
        GantryTilt: Slices slide sideways.
    """
    along, down = _directions(frames)
    _same_grid(frames)
    normal = np.cross(along, down)
    positions = np.array([frame.position for frame in frames])
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    positions, heights = positions[order], heights[order]
    row_mm, column_mm = frames[0].spacing
    if len(frames) == 1:
        slice_mm = frames[0].slice_mm
        if not slice_mm:
            raise NoGeometry("one slice without Spacing Between Slices or Slice Thickness")
        step = normal * slice_mm
    else:
        _even(heights)
        step = (positions[-1] - positions[0]) / (len(frames) - 1)
        _straight(positions, step, normal, min(row_mm, column_mm))
        slice_mm = float(step @ normal)
    affine = np.eye(4)
    # Pixel Spacing[0] is the distance of rows, along a column: PS3.3 10.7.1.3.
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, down * row_mm, along * column_mm
    affine[:3, 3] = positions[0]
    return Stack(
        frames=tuple(frames[i] for i in order),
        affine=affine,
        spacing_mm=(slice_mm, row_mm, column_mm),
    )


def _directions(frames: Sequence[Frame]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return unit vectors along a row and down a column."""
    cosines = np.array([frame.orientation for frame in frames])
    most = cosines[np.abs(cosines - np.median(cosines, axis=0)).max(axis=1).argmin()]
    difference = np.abs(cosines - most).max(axis=1)
    if difference.max() > ORIENTATION_TOLERANCE:
        differing = int((difference > ORIENTATION_TOLERANCE).sum())
        raise MixedOrientation(
            f"{differing} of {len(frames)} slices face another way than the others "
            f"(cosines differ by up to {difference.max():.4f})"
        )
    along, down = most[:3], most[3:]
    lengths = float(np.linalg.norm(along)), float(np.linalg.norm(down))
    skew = float(along @ down)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(skew)) > 10 * ORIENTATION_TOLERANCE:
        raise NoGeometry(
            f"Image Orientation (Patient) has vectors of length {lengths[0]:.4f} and {lengths[1]:.4f} "
            f"at a cosine of {skew:.4f}, not perpendicular unit vectors"
        )
    return along / lengths[0], down / lengths[1]


def _same_grid(frames: Sequence[Frame]) -> None:
    first = frames[0]
    rows, columns = first.header.rows, first.header.columns
    for frame in frames:
        if min(frame.spacing) <= 0:
            raise NoGeometry(f"Pixel Spacing {frame.spacing[0]:g} × {frame.spacing[1]:g} mm is not positive")
        if (frame.header.rows, frame.header.columns) != (rows, columns):
            raise MixedGrid(
                f"slices of {rows} × {columns} and {frame.header.rows} × {frame.header.columns} pixels"
            )
        for value, wanted in zip(frame.spacing, first.spacing, strict=True):
            if abs(value - wanted) > PIXEL_SPACING_TOLERANCE * wanted:
                raise MixedGrid(f"slices with a pixel spacing of {wanted:g} mm and {value:g} mm")
    spaces = {frame.header.frame_of_reference_uid for frame in frames}
    if len(spaces) > 1:
        raise MixedGrid(f"slices in {len(spaces)} frames of reference")


def _even(heights: NDArray[np.float64]) -> None:
    gaps = np.diff(heights)
    median = float(np.median(gaps))
    tolerance = min(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * median) + 1e-6
    narrow = int(np.argmin(gaps))
    if gaps[narrow] <= min(tolerance, 0.5 * median) or median <= 1e-3:
        places = int((gaps > max(tolerance, 1e-3)).sum()) + 1
        raise SamePosition(
            f"slices {narrow + 1} and {narrow + 2} lie {gaps[narrow]:.3f} mm apart: {len(heights)} slices at "
            f"{places} positions, several volumes in one series or a repeated slice"
        )
    wide = np.flatnonzero(np.abs(gaps - median) > tolerance)
    if wide.size:
        worst = int(wide[np.argmax(gaps[wide])])
        gap, times = float(gaps[worst]), round(float(gaps[worst]) / median)
        where = f"gap of {gap:.3f} mm between slices {worst + 1} and {worst + 2}, median {median:.3f} mm"
        if times >= 2 and abs(gap - times * median) <= times * tolerance:
            missing = f"{times - 1} slice{'s' if times > 2 else ''} missing"
            raise MissingSlice(f"{where}: {missing} ({wide.size} such gaps in {len(heights)} slices)")
        raise UnevenSpacing(f"{where}: more than {tolerance:.3f} mm off ({wide.size} of {gaps.size} gaps)")
    grid = np.linspace(heights[0], heights[-1], len(heights))
    off = np.abs(heights - grid)
    if off.max() > tolerance:
        raise UnevenSpacing(
            f"slice {int(off.argmax()) + 1} of {len(heights)} lies {off.max():.3f} mm off an even grid, "
            f"more than {tolerance:.3f} mm"
        )


def _straight(
    positions: NDArray[np.float64], step: NDArray[np.float64], normal: NDArray[np.float64], pixel_mm: float
) -> None:
    sideways = step - (step @ normal) * normal
    drift = float(np.linalg.norm(sideways)) * (len(positions) - 1)
    if drift > DRIFT_TOLERANCE_PIXELS * pixel_mm:
        angle = np.degrees(np.arctan2(np.linalg.norm(sideways), abs(float(step @ normal))))
        raise GantryTilt(
            f"slices are stacked {angle:.2f}° off their normal, {drift:.2f} mm sideways over "
            f"{len(positions)} slices: a tilted gantry, which is not corrected",
            hint="send the series that the scanner or PACS has reformatted without tilt",
        )
    line = positions[0] + np.arange(len(positions))[:, None] * step
    off = positions - line
    off -= (off @ normal)[:, None] * normal
    shift = np.linalg.norm(off, axis=1)
    if shift.max() > DRIFT_TOLERANCE_PIXELS * pixel_mm:
        raise UnevenSpacing(
            f"slice {int(shift.argmax()) + 1} of {len(positions)} is shifted {shift.max():.2f} mm sideways"
        )
