"""A volume as a browser draws it: shape, place, labels, and the steps from coarse to full.

Owns the description that goes with the pixels. Axes are always (z, y, x): z grows to the head, y to the
back, x to the patient's left, or along the axes of the series that are nearest to these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, prod
from typing import Any

#: Voxels that are there at once over a slow line, and in the memory of a phone.
COARSE_VOXELS = 2 * 2**20
#: Voxels of one answer: small enough to show that something happens.
SLAB_VOXELS = 2 * 2**20

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Every n-th voxel along each axis; values are those of the voxels that are left.

    Attributes:
        stride: (z, y, x), 1 is every voxel.
        shape: (z, y, x).
        slab: Planes along z in one answer, the last may have fewer.
    """

    stride: Shape
    shape: Shape
    slab: int

    @property
    def slabs(self) -> int:
        """How many answers hold all of it."""
        return ceil(self.shape[0] / self.slab)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLabel:
    """A label of the overlay.

    Attributes:
        name: As the model calls it.
        colour: sRGB, 0 to 255.
        value: In its map.
        map: Number of the map it is in.
        voxels: How many it has.
        centre: (z, y, x) of a voxel to go to, or None where nothing was found.
    """

    name: str
    colour: tuple[int, int, int]
    value: int
    map: int
    voxels: int
    centre: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A volume and its overlay.

    Attributes:
        shape: (z, y, x).
        spacing_mm: (z, y, x).
        affine: 4×4, rows; maps (z, y, x, 1) to LPS millimetres.
        letters: At the low and high end of z, y and x, e.g. ``(("F", "H"), ("A", "P"), ("R", "L"))``.
        order: Axis of the series that z, y and x are; see `bedside.dicom.orientation.Axes`.
        reverse: Whether each runs against it.
        modality: Modality (0008,0060).
        unit: Of values, e.g. ``"HU"``; empty where there is none.
        slope: A value is ``stored × slope + intercept``.
        intercept: As above.
        least: Value below which 1 % of the voxels lie.
        most: Value above which 0.5 % of the voxels lie.
        maps: Number of label maps, one byte per voxel each.
        labels: All labels.
    """

    shape: Shape
    spacing_mm: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]
    letters: tuple[tuple[str, str], ...]
    order: tuple[int, ...]
    reverse: tuple[bool, ...]
    modality: str
    unit: str
    slope: float
    intercept: float
    least: float
    most: float
    maps: int
    labels: Sequence[DrawnLabel]

    @property
    def voxels(self) -> int:
        """How many."""
        return prod(self.shape)

    @property
    def levels(self) -> Sequence[Level]:
        """From coarse to full; a small volume has one."""
        return levels_of(self.shape, self.spacing_mm)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Grid":
        """Return what `to_json` gave."""
        labels = tuple(
            DrawnLabel(
                **{
                    **label,
                    "colour": tuple(label["colour"]),
                    "centre": tuple(label["centre"]) if label["centre"] else None,
                }
            )
            for label in value["labels"]
        )
        return cls(
            **{
                **value,
                "shape": tuple(value["shape"]),
                "spacing_mm": tuple(value["spacing_mm"]),
                "affine": tuple(tuple(row) for row in value["affine"]),
                "letters": tuple(tuple(pair) for pair in value["letters"]),
                "order": tuple(value["order"]),
                "reverse": tuple(value["reverse"]),
                "labels": labels,
            }
        )


def levels_of(shape: Shape, spacing_mm: tuple[float, float, float]) -> Sequence[Level]:
    """Return the steps from coarse to full: half along whichever axes are finest, until it is small."""
    stride = [1, 1, 1]
    strides: list[Shape] = [(1, 1, 1)]
    while prod(_shape(shape, stride)) > COARSE_VOXELS:
        steps = [mm * by for mm, by in zip(spacing_mm, stride, strict=True)]
        finest = min(steps)
        # Axes of about the same step are halved together; a single slice cannot be.
        halved = [
            by * 2 if step <= finest * 1.5 and _shape(shape, stride)[axis] > 1 else by
            for axis, (by, step) in enumerate(zip(stride, steps, strict=True))
        ]
        stride = halved if halved != stride else [by * 2 for by in stride]
        strides.append((stride[0], stride[1], stride[2]))
    levels = []
    for each in reversed(strides):
        size = _shape(shape, each)
        levels.append(Level(stride=each, shape=size, slab=max(1, SLAB_VOXELS // (size[1] * size[2]))))
    return levels


def _shape(shape: Shape, stride: Sequence[int]) -> Shape:
    z, y, x = (ceil(size / by) for size, by in zip(shape, stride, strict=True))
    return z, y, x
