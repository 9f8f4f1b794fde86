"""Each label's mask, cut to the box it fills: what SEG, surface, measurements and preview work on.

Owns the cutting, done once, because an organ fills a few per cent of a volume and four writers
would each go over all of it. It changes no voxel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bedside.domain.volume import Label, Segmentation

#: (slice, row, column) extent of a box, as slices into an array.
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """One label's voxels.

    Attributes:
        label: Which label.
        number: Segment number in the SEG: place among the labels, from 1.
        box: Smallest box that holds all voxels; of no extent where there are none.
        voxels: (slices, rows, columns) of the box, bool, contiguous.
        count: Number of voxels.
    """

    label: Label
    number: int
    box: Box
    voxels: NDArray[np.bool_]
    count: int

    @property
    def origin(self) -> tuple[int, int, int]:
        """(slice, row, column) of the box's first voxel in the volume."""
        return self.box[0].start, self.box[1].start, self.box[2].start


def cut_masks(segmentation: Segmentation) -> tuple[Mask, ...]:
    """Return every label's mask, in the order of the labels, empty ones included."""
    array = segmentation.array
    if segmentation.overlapping:
        boxes = [(ndimage.find_objects(array[index]) or [None])[0] for index in range(len(array))]
    else:
        by_value = ndimage.find_objects(array)
        boxes = [
            by_value[label.value - 1] if 0 < label.value <= len(by_value) else None
            for label in segmentation.labels
        ]
    masks: list[Mask] = []
    for index, (label, box) in enumerate(zip(segmentation.labels, boxes, strict=True)):
        if box is None:
            empty: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
            voxels = np.zeros((0, 0, 0), dtype=np.bool_)
            masks.append(Mask(label=label, number=index + 1, box=empty, voxels=voxels, count=0))
            continue
        cut = array[index][box] if segmentation.overlapping else array[box]
        voxels = np.ascontiguousarray(cut != 0 if segmentation.overlapping else cut == label.value)
        count = int(np.count_nonzero(voxels))
        masks.append(Mask(label=label, number=index + 1, box=box, voxels=voxels, count=count))
    return tuple(masks)
