"""A volume of voxels in patient space, and what a model says about it.

Arrays are numpy arrays with the axes (slices, rows, columns) everywhere in bedside; the model room
alone knows that MONAI wants another order. numpy is imported for annotations only, so that the base
install stays light.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One image series stacked in patient space.

    Attributes:
        array: Shape (slices, rows, columns); int16 where rescaled values are whole numbers that fit,
            else float32. HU for CT, stored values after the modality LUT otherwise.
        affine: 4×4 float64, maps (k, i, j, 1) = (slice, row, column, 1) to LPS millimetres of the
            voxel's centre. See PS3.3 C.7.6.2.1.1.
        modality: Modality (0008,0060), e.g. ``"CT"``.
        body_part: Body Part Examined (0018,0015), or ``""``.
        frame_of_reference_uid: Frame of Reference UID (0020,0052).
        series_uid: Series Instance UID (0020,000E).
        source_spacing_mm: (slice, row, column) spacing.
        acquisition_3d: MR Acquisition Type (0018,0023) is 3D. dcm2niix stores such a series along the
            patient's axes, and a model that was trained on its files may see the difference.
        numbered_downwards: Instance Numbers (0020,0013) fall along the slice axis. dcm2niix starts from
            the lowest number, which shows in the last digits of its affine.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    modality: str
    body_part: str
    frame_of_reference_uid: str
    series_uid: str
    source_spacing_mm: tuple[float, float, float]
    acquisition_3d: bool = False
    numbered_downwards: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded concept (PS3.3 Table 8.8-1): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One class a model can find.

    Attributes:
        value: Voxel value in a label map, or 1 + channel index where channels may overlap.
        name: The bundle's own name, e.g. ``"spleen"``.
        code: Segmented Property Type, e.g. (78961009, SCT, Spleen).
        category: Segmented Property Category, e.g. (91723000, SCT, Anatomical structure).
        colour: sRGB, 0–255, for overlays and Recommended Display CIELab Value.
        modifier: Segmented Property Type Modifier: the side of a paired organ, or None.
        region: Anatomic Region of a finding, e.g. the liver of a liver tumour, or None.
    """

    value: int
    name: str
    code: Code
    category: Code
    colour: tuple[int, int, int]
    modifier: Code | None = None
    region: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """A model's masks on the grid of the volume it read.

    Attributes:
        array: (slices, rows, columns), uint8 or uint16: a label map, 0 is background. Where masks
            may overlap: (segments, slices, rows, columns), uint8 of 0 and 1, in the order of
            ``labels``.
        affine: The volume's own affine, unchanged.
        labels: The labels that the model can produce, found or not.
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    labels: tuple[Label, ...]

    @property
    def overlapping(self) -> bool:
        """Whether ``array`` holds one mask per label instead of one label map."""
        return bool(self.array.ndim == 4)

    def mask(self, label: Label) -> NDArray[np.bool_]:
        """Return one label's mask, (slices, rows, columns), bool."""
        if self.overlapping:
            mask: NDArray[np.bool_] = self.array[self.labels.index(label)].astype(bool)
        else:
            mask = self.array == label.value
        return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """What one run of a model gave: masks, or numbers, or both.

    Attributes:
        segmentation: The masks, or None where the model gives numbers only.
        numbers: Named outputs of a classification or regression model, e.g. ``{"nodule": 0.93}``.
        timings_s: Wall seconds per step: ``pre``, ``forward``, ``post``.
        notes: Facts for ``result.json``: device, engine, precision, ``sw_batch_size`` used, deviation.
    """

    segmentation: Segmentation | None
    numbers: Mapping[str, float] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
