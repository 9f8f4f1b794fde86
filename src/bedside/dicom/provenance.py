"""Which source instance, or which frame of one, each slice of a volume came from.

Owns that mapping alone. It goes by place in patient space, not by list order: a mask that names the
wrong source slice is worse than one that names none.
"""

from dataclasses import replace

import numpy as np

from bedside.dicom.derived import Reference
from bedside.dicom.frames import ENHANCED
from bedside.dicom.scan import Series
from bedside.domain.volume import Volume

#: How far, in slices, a source may lie from a slice of the volume and still be the same one: what the
#: reader tolerates of uneven positions, and more.
_SAME_SLICE = 0.3


def slice_sources(series: Series, volume: Volume) -> tuple[Reference, ...]:
    """Return the source of every slice of ``volume``, in its slice order.

    A slice that no source coincides with (resampled on reading) gets the nearest one, not ``aligned``.

    Returns:
        One reference per slice; frames are given for multi-frame instances.
    """
    frames = series.stack.frames
    to_index = np.linalg.inv(volume.affine)
    placed = np.array([frame.position for frame in frames], dtype=np.float64)
    along = placed @ to_index[0, :3] + to_index[0, 3]
    sources: list[Reference] = []
    for k in range(volume.array.shape[0]):
        nearest = int(np.argmin(np.abs(along - k)))
        header = frames[nearest].header
        reference = Reference(
            sop_class_uid=header.sop_class_uid,
            sop_instance_uid=header.sop_instance_uid,
            frame=frames[nearest].index + 1 if header.sop_class_uid in ENHANCED else 0,
        )
        sources.append(replace(reference, aligned=bool(abs(along[nearest] - k) <= _SAME_SLICE)))
    return tuple(sources)
