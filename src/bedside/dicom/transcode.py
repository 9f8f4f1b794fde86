"""A whole instance in Explicit VR Little Endian, whatever it was stored in.

Owns that nothing but the encoding changes: the same attributes, the same pixels, the same UIDs. Colours of
compressed instances become RGB, as their Photometric Interpretation then says.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from bedside.dicom.codec import PLUGINS, decode, encoded_frames
from bedside.dicom.header import NATIVE, read_header
from bedside.dicom.native import can_be_native
from bedside.dicom.source import read_whole
from bedside.dicom.vendor import VENDOR_ERRORS, quiet, uid_name
from bedside.errors import InputRejected

#: Bytes of each value that big endian turns around. See PS3.5 7.3.
_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def to_explicit_little(path: Path, target: Path) -> None:
    """Write an instance in Explicit VR Little Endian.

    Args:
        path: The instance.
        target: A new file.

    Raises:
        InputRejected: It cannot be decoded.
    """
    try:
        with quiet():
            dataset = read_whole(path)
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian))
            if not can_be_native(syntax):
                raise InputRejected(f"transfer syntax {uid_name(syntax)} is not decoded")
            if syntax == ExplicitVRBigEndian:
                _turn(dataset)
            elif syntax not in NATIVE:
                _decompress(path, dataset, syntax)
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"cannot be written as Explicit VR Little Endian ({type(exc).__name__})") from exc


def _decompress(path: Path, dataset: Dataset, syntax: str) -> None:
    header = read_header(path)
    if header is None:
        raise InputRejected("not a DICOM file")
    if header.problem:
        if "PixelData" in dataset:
            dataset.decompress(as_rgb=True, generate_instance_uid=False, decoding_plugin=PLUGINS[syntax])
        return
    # Grey values by the decoder that is proved for them; frame by frame, so that one is in memory twice.
    pixels = b"".join(
        values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        for values in map(decode, encoded_frames(header))
    )
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    element = dataset["PixelData"]
    element.VR = "OB" if header.format.allocated == 8 else "OW"
    element.is_undefined_length = False
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)


def _turn(dataset: Dataset) -> None:
    """Turn around values that are kept as bytes; pydicom turns the others."""
    for each in _within(dataset):
        for element in each:
            width = _WIDTHS.get(str(element.VR))
            if width and isinstance(element.value, bytes):
                if element.keyword == "PixelData" and each.get("BitsAllocated", 16) > 16:
                    width = each.BitsAllocated // 8
                element.value = np.frombuffer(element.value, f">u{width}").astype(f"<u{width}").tobytes()


def _within(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _within(item)
