"""Reads the masks of a DICOM SEG back, on the slices of the series it was made from.

What the demo compares with the truth is the file that a PACS would get, read by an independent
library, not an array that never left the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom.seg import segread
from numpy.typing import NDArray

from bedside.errors import InputRejected


def read_masks(seg: Path, sop_instance_uids: Sequence[str]) -> Mapping[str, NDArray[np.bool_]]:
    """Return each segment of a SEG by its label.

    Args:
        seg: A Segmentation instance, PS3.3 A.51.
        sop_instance_uids: Of the source images, in the order of slices wanted.

    Returns:
        Arrays (slices, rows, columns), bool. Slices that the SEG has no frame for are empty.

    Raises:
        InputRejected: It is no segmentation of these images.
    """
    try:
        found = segread(str(seg))
        # Segments without a voxel need not have frames (PS3.3 C.8.20.2).
        array = found.get_pixels_by_source_instance(
            list(sop_instance_uids), assert_missing_frames_are_empty=True
        )
    except (ValueError, KeyError, AttributeError, TypeError, RuntimeError) as exc:
        raise InputRejected(f"segmentation: cannot be read on {len(sop_instance_uids)} instances") from exc
    return {
        str(description.segment_label): array[..., index].astype(bool)
        for index, description in enumerate(found.get_segment_description(n) for n in found.segment_numbers)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One segment where a SEG's own geometry puts it, whatever its source images say.

    Attributes:
        mask: (slices, rows, columns), bool; only as many slices as the segment needs.
        affine: 4×4 float64, maps (k, i, j, 1) to LPS millimetres.
    """

    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]


def read_places(seg: Path) -> Mapping[str, Placed]:
    """Return each segment of a SEG by its label, in patient space; segments without a voxel are left out.

    Args:
        seg: A Segmentation instance, PS3.3 A.51. Places come from Plane Position (Patient), C.7.6.16.2.3.

    Raises:
        InputRejected: It is no segmentation that lies on a regular grid.
    """
    try:
        found = segread(str(seg))
        placed = {}
        for number in found.segment_numbers:
            volume = found.get_volume(segment_numbers=[number], combine_segments=True, relabel=False)
            mask = np.asarray(volume.array) == number
            if mask.any():
                label = str(found.get_segment_description(number).segment_label)
                placed[label] = Placed(mask=mask, affine=np.asarray(volume.affine, dtype=np.float64))
    except (ValueError, KeyError, AttributeError, TypeError, RuntimeError) as exc:
        raise InputRejected("segmentation: its frames lie on no regular grid") from exc
    return placed


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks of one shape; 1 where both are empty."""
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / total if total else 1.0
