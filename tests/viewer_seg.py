"""A segmentation as a browser's viewer stores it: masks and places are there, and little of the meaning."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

#: Gives a frame's mask, (rows, columns), bool, another form: by its number and the segment's.
Edit = Callable[[NDArray[np.bool_], int, int], NDArray[np.bool_]]


def as_a_viewer_sends(original: Path, to: Path, *, edit: Edit | None = None, names: bool = True) -> Path:
    """Write what a viewer makes of a segmentation that a person edited in it.

    Codes are those of "Tissue", no algorithm, no tracking, another order of segments, a series and UIDs of
    its own, dates of now, and the viewer's equipment.

    Args:
        original: Ours.
        to: Where to.
        edit: What the person did.
        names: Whether it keeps the segments' names, or counts them.
    """
    sent = pydicom.dcmread(original)
    rows, columns = int(sent.Rows), int(sent.Columns)
    count, size = int(sent.NumberOfFrames), rows * columns
    bits = np.unpackbits(np.frombuffer(sent.PixelData, dtype=np.uint8), bitorder="little")[: count * size]
    frames = bits.reshape(count, rows, columns).astype(bool)
    items = list(sent.PerFrameFunctionalGroupsSequence)
    for number, item in enumerate(items):
        segment = int(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        if edit is not None:
            frames[number] = edit(frames[number], number, segment)
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    sent.PixelData = packed + b"\0" * (len(packed) % 2)
    segments = []
    for item in sent.SegmentSequence:
        bare = Dataset()
        bare.SegmentNumber = item.SegmentNumber
        bare.SegmentLabel = str(item.SegmentLabel) if names else f"Segment {item.SegmentNumber}"
        bare.SegmentAlgorithmType = "MANUAL"
        tissue = Dataset()
        tissue.CodeValue, tissue.CodingSchemeDesignator, tissue.CodeMeaning = "85756007", "SCT", "Tissue"
        bare.SegmentedPropertyCategoryCodeSequence = [tissue]
        bare.SegmentedPropertyTypeCodeSequence = [tissue]
        segments.append(bare)
    sent.SegmentSequence = list(reversed(segments))
    sent.SOPInstanceUID = sent.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    sent.SeriesInstanceUID = generate_uid()
    sent.Manufacturer, sent.ManufacturerModelName = "OHIF", "viewer"
    sent.ContentCreatorName = "nobody"
    sent.PatientName = "LOST"
    for keyword in ("ContributingEquipmentSequence", "DeviceSerialNumber", "BodyPartExamined"):
        sent.pop(keyword, None)
    sent.save_as(to, enforce_file_format=True)
    return to
