"""One frame as Explicit VR Little Endian would have it, from whatever transfer syntax it lies in.

Owns frames that cannot be given just as they lie: compressed, big-endian, deflated, or of bits that do not
begin at a byte. Grey values come as they are stored; colours come as RGB, since a client cannot know what
a codec made of its chroma. Called in processes of their own (`bedside.dicom.apart`): decoders may crash.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from bedside.dicom.codec import PLUGINS, decode, encoded_frames
from bedside.dicom.header import DECODABLE, NATIVE, InstanceHeader, read_header
from bedside.dicom.source import inflate, read_whole
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.errors import InputRejected

#: Decoders for colours, where that for grey values is none.
_COLOUR_PLUGINS = {**PLUGINS, "1.2.840.10008.1.2.4.51": "gdcm"}


def frame_bytes(path: Path, index: int) -> bytes:
    """Return one frame, uncompressed, little endian, samples of a pixel together.

    Args:
        path: The instance.
        index: Of the frame, from 0.

    Raises:
        InputRejected: It cannot be decoded, or there is no such frame.
    """
    header = _header(path)
    if header.native:
        return _native(header, index)
    if not header.problem:
        encoded = encoded_frames(header)
        if index >= len(encoded):
            raise InputRejected(f"frame {index + 1} of {len(encoded)}")
        values = decode(encoded[index])
        return bytes(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return bytes(np.ascontiguousarray(decoded(path, index)).tobytes())


def decoded(path: Path, index: int) -> NDArray[Any]:
    """Return one frame's samples with pydicom: (rows, columns) or (rows, columns, 3) as RGB.

    Raises:
        InputRejected: It cannot be decoded.
    """
    header = _header(path)
    plugin = "" if header.native else _COLOUR_PLUGINS.get(header.transfer_syntax_uid, "")
    try:
        with quiet():
            source: Any = read_whole(path) if header.deflated else path
            array: NDArray[Any] = pixel_array(source, index=index, decoding_plugin=plugin)
    except VENDOR_ERRORS as exc:
        raise InputRejected(
            f"instance {header.sop_instance_uid}: frame {index + 1} cannot be decoded ({type(exc).__name__})"
        ) from exc
    return array


def can_be_native(transfer_syntax_uid: str) -> bool:
    """Return whether there is a decoder for a transfer syntax."""
    return transfer_syntax_uid in NATIVE or transfer_syntax_uid in DECODABLE


def _header(path: Path) -> InstanceHeader:
    header = read_header(path)
    if header is None:
        raise InputRejected("not a DICOM file")
    return header


def _native(header: InstanceHeader, index: int) -> bytes:
    with quiet():
        tags = ["SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"]
        dataset = _attributes(header, tags)
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    samples = 2 if photometric == "YBR_FULL_422" else int(dataset.get("SamplesPerPixel", 1) or 1)
    allocated = int(dataset.get("BitsAllocated", 0) or 0)
    bits = header.rows * header.columns * samples * allocated
    if not 0 <= index < header.frames or not bits:
        raise InputRejected(f"frame {index + 1} of {header.frames}, {bits} bits each")
    start_bit = bits * index
    first, last = start_bit // 8, (start_bit + bits + 7) // 8
    data = _some(header, first, last - first)
    if allocated == 1 and (start_bit % 8 or bits % 8):
        values = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return bytes(np.packbits(values[start_bit % 8 : start_bit % 8 + bits], bitorder="little").tobytes())
    if header.format.big_endian and allocated > 8:
        return bytes(np.frombuffer(data, f">u{allocated // 8}").astype(f"<u{allocated // 8}").tobytes())
    return data


def _attributes(header: InstanceHeader, tags: list[str]) -> Dataset:
    try:
        return pydicom.dcmread(header.path, stop_before_pixels=True, specific_tags=tags, force=True)
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"header cannot be read ({type(exc).__name__})") from exc


def _some(header: InstanceHeader, offset: int, length: int) -> bytes:
    """Return some bytes of Pixel Data."""
    start = header.pixel_offset + offset
    if header.deflated:
        data = inflate(header.path.read_bytes()[header.deflated :], start + length)[0][start : start + length]
    else:
        with header.path.open("rb") as stream:
            stream.seek(start)
            data = stream.read(length)
    if len(data) < length:
        raise InputRejected(f"instance {header.sop_instance_uid}: truncated: {len(data)} of {length} bytes")
    return data
