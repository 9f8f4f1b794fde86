"""Numbers about each mask: volume, diameter, place, extent, intensity.

Owns what is measured and how; it refuses to guess: an empty mask measures 0 and has neither place
nor intensity. The diameter is exact over the convex hull, since the two voxels farthest apart are
always corners of it, and a hull has thousands of times fewer points than a mask.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from bedside.dicom.masks import Mask
from bedside.domain.volume import Code, Volume

#: Rows of the distance table held at once: bounds memory at some ten megabytes.
_CHUNK = 256
_HOUNSFIELD = Code(value="[hnsf'U]", scheme="UCUM", meaning="Hounsfield unit")
#: UCUM for a plain number.
NO_UNITS = Code(value="1", scheme="UCUM", meaning="no units")


def intensity_unit(modality: str) -> Code:
    """Return the unit of a volume's voxel values: HU for CT, none otherwise."""
    return _HOUNSFIELD if modality == "CT" else NO_UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one mask measures.

    Attributes:
        mask: The mask.
        volume_ml: Voxel count times voxel volume, millilitres.
        max_diameter_mm: Longest distance between two points of the surface (IBSI L0JK); 0 when empty.
        centroid_mm: Mean voxel centre, LPS; None when empty.
        box_mm: Least and greatest LPS coordinates of the surface; None when empty.
        mean: Of the voxel values; None when empty.
        deviation: Population standard deviation of the voxel values; None when empty.
        unit: Of ``mean`` and ``deviation``.
    """

    mask: Mask
    volume_ml: float
    max_diameter_mm: float
    centroid_mm: tuple[float, float, float] | None
    box_mm: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    mean: float | None
    deviation: float | None
    unit: Code

    def report(self) -> dict[str, object]:
        """Return the JSON form that goes into ``result.json``."""
        label = self.mask.label
        hounsfield = self.unit == _HOUNSFIELD
        return {
            "label": label.name,
            "value": label.value,
            "code": {"value": label.code.value, "scheme": label.code.scheme, "meaning": label.code.meaning},
            "segment_number": self.mask.number,
            "voxels": self.mask.count,
            "volume_ml": round(self.volume_ml, 4),
            "max_diameter_mm": round(self.max_diameter_mm, 3),
            "centroid_mm": _rounded(self.centroid_mm),
            "bounding_box_mm": [_rounded(corner) for corner in self.box_mm] if self.box_mm else None,
            "mean": None if self.mean is None else round(self.mean, 3),
            "standard_deviation": None if self.deviation is None else round(self.deviation, 3),
            "intensity_unit": "HU" if hounsfield else "",
        }


def _rounded(point: tuple[float, float, float] | None) -> list[float] | None:
    return None if point is None else [round(value, 3) + 0.0 for value in point]


def measure(mask: Mask, volume: Volume) -> Measurement:
    """Measure one mask on the volume it was made from.

    Args:
        mask: Cut from a segmentation on the volume's own grid.
        volume: Voxel values and the affine to LPS millimetres.
    """
    unit = intensity_unit(volume.modality)
    if not mask.count:
        return Measurement(
            mask=mask,
            volume_ml=0.0,
            max_diameter_mm=0.0,
            centroid_mm=None,
            box_mm=None,
            mean=None,
            deviation=None,
            unit=unit,
        )
    voxel_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000.0
    hull = _hull(mask, volume.affine)
    least, most = hull.min(axis=0), hull.max(axis=0)
    values = volume.array[mask.box][mask.voxels].astype(np.float64)
    return Measurement(
        mask=mask,
        volume_ml=mask.count * voxel_ml,
        max_diameter_mm=_longest(hull),
        centroid_mm=_point(_to_patient(_mean_index(mask)[np.newaxis], volume.affine)[0]),
        box_mm=(_point(least), _point(most)),
        mean=float(values.mean()),
        deviation=float(values.std()),
        unit=unit,
    )


def _point(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _to_patient(index: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = index @ affine[:3, :3].T + affine[:3, 3]
    return moved


def _mean_index(mask: Mask) -> NDArray[np.float64]:
    """Return the mean (slice, row, column) from the counts along each axis: no list of voxels."""
    means = []
    for axis, start in enumerate(mask.origin):
        others = tuple(other for other in range(3) if other != axis)
        counts = np.count_nonzero(mask.voxels, axis=others)
        means.append(start + float(counts @ np.arange(counts.size)) / mask.count)
    return np.array(means)


def _hull(mask: Mask, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of the convex hull of the mask's surface, (n, 3), LPS millimetres.

    The surface is that of marching cubes at one half: it cuts each grid line midway between a voxel
    of the mask and its neighbour outside. Of every grid line the first and last cut are enough, since
    all others lie between them.
    """
    cuts: list[NDArray[np.float64]] = []
    for axis in range(3):
        lines = np.moveaxis(mask.voxels, axis, -1)
        filled = np.argwhere(lines.any(axis=-1))
        along = lines[filled[:, 0], filled[:, 1]]
        first = along.argmax(axis=1) - 0.5
        last = along.shape[1] - along[:, ::-1].argmax(axis=1) - 0.5
        cuts += [np.insert(filled.astype(np.float64), axis, end, axis=1) for end in (first, last)]
    points = _to_patient(np.concatenate(cuts) + np.array(mask.origin), affine)
    corners: NDArray[np.float64] = points[ConvexHull(points).vertices]
    return corners


def _longest(points: NDArray[np.float64]) -> float:
    """Return the longest distance between any two of ``points``."""
    longest = 0.0
    for begin in range(0, len(points), _CHUNK):
        between = points[begin : begin + _CHUNK, np.newaxis] - points[np.newaxis]
        longest = max(longest, float(np.einsum("abc,abc->ab", between, between).max()))
    return float(np.sqrt(longest))
