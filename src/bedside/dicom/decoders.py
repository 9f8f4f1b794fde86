"""Says which transfer syntaxes this installation can decode, by decoding a small sample of each.

For ``bedside doctor``: a decoder that is missing, does not load, or gives other values than those that
went in is found before a study needs it. It looks at decoders only, never at a study.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from bedside.dicom.codec import PLUGINS, decode_codestream
from bedside.dicom.header import InstanceHeader, PixelFormat
from bedside.errors import InputRejected

#: How far a lossy sample may be off: what its codec lost when it was made. All others are exact.
TOLERANCES = {
    "1.2.840.10008.1.2.4.50": 1,
    "1.2.840.10008.1.2.4.51": 1,
    "1.2.840.10008.1.2.4.81": 2,
    "1.2.840.10008.1.2.4.91": 1,
    "1.2.840.10008.1.2.4.203": 2,
}
_EIGHT_BITS = "1.2.840.10008.1.2.4.50"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decodable:
    """One compressed transfer syntax and what decodes it here.

    Attributes:
        name: Of the transfer syntax (PS3.6 Annex A).
        decoder: What bedside decodes it with.
        fault: Why it cannot be decoded, or ``""``.
    """

    name: str
    decoder: str
    fault: str


def decodable() -> Mapping[str, Decodable]:
    """Return every compressed transfer syntax that bedside reads, by UID."""
    return {uid: _of(uid, decoder) for uid, decoder in PLUGINS.items()}


def _of(uid: str, decoder: str) -> Decodable:
    # Importing bedside.dicom.codec has imported GDCM itself already.
    there = decoder == "gdcm directly" or decoder in get_decoder(UID(uid)).available_plugins
    short = decoder.partition(" ")[0]
    return Decodable(name=UID(uid).name, decoder=short, fault=tried(uid) if there else f"{short} is missing")


def sample() -> NDArray[np.uint16]:
    """Return the image whose codestreams lie in ``samples/``: (32, 40), 12 bits, no two rows alike."""
    row, column = np.indices((32, 40))
    return (5 * row + column // 5 * 7 + 8).astype(np.uint16)


def tried(uid: str) -> str:
    """Decode the sample of a transfer syntax; return what is wrong with it, or ``""``."""
    expected = sample()
    codestream = (files("bedside.dicom") / "samples" / f"{uid}.bin").read_bytes()
    try:
        found = decode_codestream(_header(uid, expected.shape), codestream)
    except InputRejected as exc:
        return exc.message
    off = int(np.abs(found.astype(int) - expected).max())
    return f"a sample came out wrong, by up to {off}" if off > TOLERANCES.get(uid, 0) else ""


def _header(uid: str, shape: tuple[int, ...]) -> InstanceHeader:
    allocated, stored = (8, 8) if uid == _EIGHT_BITS else (16, 12)
    return InstanceHeader(
        path=Path(),
        sop_instance_uid="of a sample",
        sop_class_uid="",
        transfer_syntax_uid=uid,
        study_uid="",
        series_uid="",
        frame_of_reference_uid="",
        modality="",
        body_part="",
        image_type=(),
        position=None,
        orientation=None,
        spacing=None,
        slice_mm=None,
        rows=shape[0],
        columns=shape[1],
        frames=1,
        format=PixelFormat(allocated=allocated, stored=stored, high_bit=stored - 1, signed=False),
        slope=1.0,
        intercept=0.0,
        lossy=False,
        pixel_offset=0,
        pixel_length=0,
        deflated=0,
        problem="",
    )
