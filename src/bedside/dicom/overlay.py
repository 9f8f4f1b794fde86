"""The masks of DICOM SEGs as label maps on the grid of the images that people look at.

Owns where a mask lies: by the SEG's own geometry, never by the order of its frames. Frames on the grid's own
slices are copied; a SEG on any other grid is asked at each voxel's place (nearest). Where segments overlap
they go to several maps, so that hiding one shows the other whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from bedside.dicom.reread import Placed, read_places
from bedside.dicom.segframes import frame_mask
from bedside.dicom.vendor import VENDOR_ERRORS
from bedside.errors import InputRejected

#: Values of a map: one byte, 0 is no label.
MOST_LABELS = 255
#: Maps at most; more segments over one another than this hide one another.
MOST_MAPS = 4
#: Farther than this from a voxel's place, in voxels, a frame lies on another grid; positions are rounded.
_OFF_GRID = 0.25
#: As `bedside.dicom.seg` encodes colours (PS3.3 C.10.7.1.1), turned round.
_XYZ_TO_SRGB = np.linalg.inv(
    np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
)
_WHITE = np.array([0.9505, 1.0, 1.089])


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment as it is drawn.

    Attributes:
        name: Segment Label (0062,0005).
        colour: sRGB, 0 to 255, or None where the SEG names none.
        value: In its map.
        map: Which of the maps it is in, from 0.
        voxels: How many.
        centre: (slice, row, column) of its middle on the grid, or None where it has no voxel.
    """

    name: str
    colour: tuple[int, int, int] | None
    value: int
    map: int
    voxels: int
    centre: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """All segments of a result on one grid.

    Attributes:
        maps: Each (slices, rows, columns), uint8, 0 is no label; at least one.
        segments: In the order of the SEGs; values count from 1 over all of them.
    """

    maps: Sequence[NDArray[np.uint8]]
    segments: Sequence[Segment]


@dataclass
class _Painter:
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    most_maps: int
    maps: list[NDArray[np.uint8]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    def add(
        self, name: str, colour: tuple[int, int, int] | None, slabs: Mapping[int, NDArray[np.bool_]]
    ) -> None:
        """Add one segment: its masks (rows, columns) by slice."""
        value = len(self.segments) + 1
        if value > MOST_LABELS:
            raise InputRejected(f"segmentation: more than {MOST_LABELS} segments")
        place = self._free(slabs)
        counts = {k: int(np.count_nonzero(mask)) for k, mask in slabs.items()}
        voxels = sum(counts.values())
        for k, mask in slabs.items():
            self.maps[place][k][mask] = value
        self.segments.append(
            Segment(
                name=name,
                colour=colour,
                value=value,
                map=place,
                voxels=voxels,
                centre=_centre(slabs, counts) if voxels else None,
            )
        )

    def _free(self, slabs: Mapping[int, NDArray[np.bool_]]) -> int:
        """Return a map in which a segment covers no other, made where there is none."""
        for number, one in enumerate(self.maps):
            if not any((one[k][mask] != 0).any() for k, mask in slabs.items()):
                return number
        if len(self.maps) < self.most_maps:
            self.maps.append(np.zeros(self.shape, np.uint8))
        return len(self.maps) - 1


def paint(
    segs: Sequence[Path],
    *,
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
    most_maps: int = MOST_MAPS,
) -> Overlay:
    """Return the segments of SEGs as label maps.

    Args:
        segs: Segmentation instances (PS3.3 A.51) of the same images; none gives one empty map.
        shape: (slices, rows, columns) of the grid.
        affine: 4×4, maps (k, i, j, 1) to LPS millimetres.
        most_maps: Each costs a byte per voxel.

    Raises:
        InputRejected: One is no segmentation that can be placed, or they have too many segments.
    """
    painter = _Painter(shape=shape, affine=affine, most_maps=most_maps, maps=[np.zeros(shape, np.uint8)])
    for seg in segs:
        try:
            dataset = pydicom.dcmread(seg)
            frames = _frames_on(dataset, shape, affine)
            if frames is None:
                _paint_elsewhere(painter, seg, dataset)
            else:
                _paint_here(painter, dataset, frames)
        except VENDOR_ERRORS as exc:
            raise InputRejected(f"segmentation: cannot be read ({type(exc).__name__})") from exc
    return Overlay(maps=painter.maps, segments=painter.segments)


def _frames_on(
    dataset: Dataset, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> dict[int, list[tuple[int, int]]] | None:
    """Return (frame, slice) by segment number, or None where frames do not lie on the grid's slices."""
    if (int(dataset.Rows), int(dataset.Columns)) != shape[1:]:
        return None
    if str(dataset.get("SegmentationType", "BINARY")) == "LABELMAP":
        return None
    back = np.linalg.inv(affine)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    found: dict[int, list[tuple[int, int]]] = {int(s.SegmentNumber): [] for s in dataset.SegmentSequence}
    for number, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        corners = _corners(item, shared, shape)
        index = (back @ corners)[:3]
        expected = np.array([[0, 0, 0], [0, 0, shape[2] - 1], [0, shape[1] - 1, 0]], dtype=np.float64).T
        k = round(float(index[0, 0]))
        expected[0] += k
        if np.abs(index - expected).max() > _OFF_GRID or not 0 <= k < shape[0]:
            return None
        segment = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found[int(segment)].append((number, k))
    return found


def _corners(item: Dataset, shared: Dataset, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the places of a frame's first voxel, the last of its first row and of its first column."""

    def group(name: str) -> Dataset:
        owner = item if name in item else shared
        found: Dataset = getattr(owner, name)[0]
        return found

    origin = np.array([float(v) for v in group("PlanePositionSequence").ImagePositionPatient])
    cosines = [float(v) for v in group("PlaneOrientationSequence").ImageOrientationPatient]
    between_rows, between_columns = (float(v) for v in group("PixelMeasuresSequence").PixelSpacing)
    along = np.array(cosines[:3]) * between_columns * (shape[2] - 1)
    down = np.array(cosines[3:]) * between_rows * (shape[1] - 1)
    return np.stack([np.append(point, 1.0) for point in (origin, origin + along, origin + down)], axis=1)


def _paint_here(painter: _Painter, dataset: Dataset, frames: Mapping[int, list[tuple[int, int]]]) -> None:
    for item in dataset.SegmentSequence:
        number = int(item.SegmentNumber)
        slabs = {k: frame_mask(dataset, frame, number) for frame, k in frames[number]}
        painter.add(str(item.SegmentLabel), _colour(item), slabs)


def _paint_elsewhere(painter: _Painter, seg: Path, dataset: Dataset) -> None:
    placed = read_places(seg)
    for item in dataset.SegmentSequence:
        name = str(item.SegmentLabel)
        slabs = _resampled(placed[name], painter.shape, painter.affine) if name in placed else {}
        painter.add(name, _colour(item), slabs)


def _resampled(
    placed: Placed, shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> dict[int, NDArray[np.bool_]]:
    """Return a mask of another grid on this one, slice by slice: at each voxel the nearest of the other."""
    size = np.array(placed.mask.shape)
    there = np.linalg.inv(placed.affine) @ affine  # from this grid's indices to the other's
    corners = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in size), indexing="ij")).reshape(3, -1)
    box = np.linalg.inv(there) @ np.vstack([corners, np.ones(corners.shape[1])])
    low = np.clip(np.floor(box[:3].min(axis=1)).astype(int), 0, shape)
    high = np.clip(np.ceil(box[:3].max(axis=1)).astype(int) + 1, 0, shape)
    rows, columns = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[2], high[2]), indexing="ij")
    slabs: dict[int, NDArray[np.bool_]] = {}
    for k in range(int(low[0]), int(high[0])):
        flat = np.stack([np.full(rows.shape, k), rows, columns]).reshape(3, -1)
        at = np.rint(there[:3, :3] @ flat + there[:3, 3:]).astype(int)
        inside = ((at >= 0) & (at < size[:, None])).all(axis=0)
        hit = np.zeros(rows.size, dtype=bool)
        hit[inside] = placed.mask[tuple(at[:, inside])]
        if hit.any():
            mask = np.zeros(shape[1:], dtype=bool)
            mask[low[1] : high[1], low[2] : high[2]] = hit.reshape(rows.shape)
            slabs[k] = mask
    return slabs


def _centre(slabs: Mapping[int, NDArray[np.bool_]], counts: Mapping[int, int]) -> tuple[float, float, float]:
    """Return the voxel to go to: in the slice with most of the mask, the middle of it there."""
    fullest = max(counts, key=lambda k: counts[k])
    rows, columns = np.nonzero(slabs[fullest])
    return float(fullest), float(rows.mean()), float(columns.mean())


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    """Return a segment's colour, sRGB, from its Recommended Display CIELab Value (0062,000D)."""
    encoded = item.get("RecommendedDisplayCIELabValue")
    if encoded is None or len(encoded) != 3:
        return None
    lightness, a, b = (float(value) / 65535 for value in encoded)
    fy = (lightness * 100 + 16) / 116
    f = np.array([fy + (a * 255 - 128) / 500, fy, fy - (b * 255 - 128) / 200])
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(_XYZ_TO_SRGB @ (ratio * _WHITE), 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(value) * 255) for value in srgb)
    return red, green, blue
