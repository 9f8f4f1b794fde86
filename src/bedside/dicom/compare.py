"""Compares two SEGs of the same study, label by label, in patient space: Dice and volumes.

Owns what "the same place" means: frames of both lie on one grid (size, spacing, orientation, and
origins a whole number of slices apart), else nothing is compared. A frame is unpacked when its turn
comes, because the masks of a hundred labels in memory at once would be many times the study.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import SegmentationStorage

from bedside.dicom.segframes import frame_mask
from bedside.domain.release import LabelComparison
from bedside.errors import InputRejected

#: Two results of one series have the same decimals; others are another grid.
TOLERANCE_MM = 0.01

#: Digits of a position in millimetres that tell slices apart.
_DIGITS = 2

Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """What the frames of a SEG have in common.

    Attributes:
        shape: (rows, columns).
        orientation: Direction cosines of a row and of a column, LPS.
        spacing_mm: (between rows, between columns, between slices).
    """

    shape: tuple[int, int]
    orientation: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    """A SEG: its grid and, per label, the number of the frame at each position."""

    dataset: Dataset
    grid: _Grid
    frames: Mapping[str, Mapping[Place, int]]
    segments: Mapping[str, int]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.grid.spacing_mm)) / 1000

    def mask(self, label: str, place: Place) -> NDArray[np.bool_] | None:
        """Return one label on one slice, (rows, columns), bool; None where the SEG has no such frame."""
        number = self.frames.get(label, {}).get(place)
        return None if number is None else frame_mask(self.dataset, number, self.segments[label])


def compare_segs(shadow: Path | BinaryIO, delivered: Path | BinaryIO) -> tuple[LabelComparison, ...]:
    """Compare two Segmentation instances (PS3.3 A.51) of the same images.

    Args:
        shadow: Of the release on trial.
        delivered: Of the current one.

    Returns:
        One value per label that either has, in the order of the delivered one; a label that only one
        of them knows is empty in the other.

    Raises:
        InputRejected: One is no segmentation, or the two do not lie on one grid.
    """
    one, other = _read(shadow), _read(delivered)
    _check_same_grid(one, other)
    labels = list(dict.fromkeys((*other.segments, *one.segments)))
    return tuple(_compared(label, one, other) for label in labels)


def is_seg(path: Path) -> bool:
    """Return whether a file is a Segmentation instance."""
    try:
        header = pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return False
    return str(header.get("SOPClassUID", "")) == SegmentationStorage


def _compared(label: str, one: _Masks, other: _Masks) -> LabelComparison:
    mine = theirs = both = 0
    for place in {**one.frames.get(label, {}), **other.frames.get(label, {})}:
        a, b = one.mask(label, place), other.mask(label, place)
        mine += int(np.count_nonzero(a)) if a is not None else 0
        theirs += int(np.count_nonzero(b)) if b is not None else 0
        both += int(np.count_nonzero(a & b)) if a is not None and b is not None else 0
    return LabelComparison(
        label=label,
        dice=round(2 * both / (mine + theirs), 6) if mine + theirs else 1.0,
        volume_ml=round(mine * one.voxel_ml, 4),
        against_volume_ml=round(theirs * other.voxel_ml, 4),
    )


def _read(path: Path | BinaryIO) -> _Masks:
    try:
        dataset = pydicom.dcmread(path)
        if dataset.SOPClassUID != SegmentationStorage:
            raise InputRejected(f"segmentation: SOP Class {dataset.SOPClassUID} is another")
        segments = {str(item.SegmentLabel): int(item.SegmentNumber) for item in dataset.SegmentSequence}
        labels = {number: label for label, number in segments.items()}
        frames: dict[str, dict[Place, int]] = {label: {} for label in segments}
        for number, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            segment = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            position = item.PlanePositionSequence[0].ImagePositionPatient
            x, y, z = (round(float(value), _DIGITS) for value in position)
            frames[labels[int(segment)]][x, y, z] = number
        return _Masks(dataset=dataset, grid=_grid(dataset), frames=frames, segments=segments)
    except (InvalidDicomError, AttributeError, KeyError, IndexError, ValueError, TypeError, OSError) as exc:
        raise InputRejected("segmentation: cannot be read, or its frames have no place") from exc


def _grid(dataset: Dataset) -> _Grid:
    measures = _group(dataset, "PixelMeasuresSequence")
    between = measures.get("SpacingBetweenSlices") or measures.SliceThickness
    rows, columns = (float(value) for value in measures.PixelSpacing)
    orientation = _group(dataset, "PlaneOrientationSequence").ImageOrientationPatient
    return _Grid(
        shape=(int(dataset.Rows), int(dataset.Columns)),
        orientation=np.array([float(value) for value in orientation]).reshape(2, 3),
        spacing_mm=(rows, columns, float(between)),
    )


def _group(dataset: Dataset, name: str) -> Dataset:
    """Return a functional group that all frames share, or that of the first (PS3.3 C.7.6.16.1)."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    owner = shared if name in shared else dataset.PerFrameFunctionalGroupsSequence[0]
    found = getattr(owner, name)[0]
    assert isinstance(found, Dataset)
    return found


def _check_same_grid(one: _Masks, other: _Masks) -> None:
    """Refuse two SEGs that do not lie on one grid in patient space."""
    a, b = one.grid, other.grid
    if one.dataset.get("FrameOfReferenceUID") != other.dataset.get("FrameOfReferenceUID"):
        raise InputRejected("segmentations: two frames of reference")
    if a.shape != b.shape:
        raise InputRejected(f"segmentations: frames of {a.shape} and of {b.shape} pixels")
    if not np.allclose(a.spacing_mm, b.spacing_mm, atol=TOLERANCE_MM):
        raise InputRejected(f"segmentations: spacing of {a.spacing_mm} and of {b.spacing_mm} mm")
    if not np.allclose(a.orientation, b.orientation, atol=1e-4):
        raise InputRejected("segmentations: two orientations")
    places = np.array(list(_places(one)) + list(_places(other)))
    if len(places) == 0:
        return
    away = places - places[0]
    in_plane = np.abs(away @ a.orientation.T).max()
    normal = np.cross(a.orientation[0], a.orientation[1])
    slices = away @ normal / a.spacing_mm[2]
    if in_plane > TOLERANCE_MM * 2 or np.abs(slices - np.round(slices)).max() > 0.05:
        raise InputRejected("segmentations: their frames lie between one another")


def _places(masks: _Masks) -> Iterator[Place]:
    for frames in masks.frames.values():
        yield from frames
