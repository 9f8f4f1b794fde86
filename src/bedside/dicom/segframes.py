"""One frame of a DICOM SEG as a mask, unpacked when its turn comes.

The masks of a hundred labels in memory at once would be many times the study.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


def frame_mask(dataset: Dataset, number: int, segment: int) -> NDArray[np.bool_]:
    """Return one frame as a mask (rows, columns), bool.

    Args:
        dataset: A Segmentation instance of any type, PS3.3 A.51.
        number: Of the frame, from 0.
        segment: Number of the segment it shows, which a label map needs.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    size = rows * columns
    kind = str(dataset.get("SegmentationType", "BINARY"))
    if kind == "BINARY" and not dataset.file_meta.TransferSyntaxUID.is_compressed:
        begin = number * size  # bits; frames follow one another without padding, PS3.5 8.2
        raw = np.frombuffer(
            dataset.PixelData, dtype=np.uint8, count=-(-(begin + size) // 8) - begin // 8, offset=begin // 8
        )
        bits = np.unpackbits(raw, bitorder="little")[begin % 8 :][:size]
        return bits.reshape(rows, columns).astype(bool)
    pixels = dataset.pixel_array.reshape(-1, rows, columns)[number]
    if kind == "FRACTIONAL":
        return np.asarray(pixels >= int(dataset.MaximumFractionalValue) / 2)
    return np.asarray(pixels > 0 if kind == "BINARY" else pixels == segment)
