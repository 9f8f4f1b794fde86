"""The attributes of one instance that reading needs, typed, and why it cannot be read if so.

Owns which attributes those are and what a well-formed image states (PS3.3 C.7.6.2, C.7.6.3). An image
whose pixels cannot be trusted keeps its header and gets a ``problem``: dropping it would turn one
broken slice into a stack that is silently one slice short.
"""

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
)

from bedside.dicom.elements import PIXEL_DATA, UNDEFINED, Wish
from bedside.dicom.source import Source, inflation_limit, open_source
from bedside.dicom.vendor import uid_name
from bedside.errors import InputRejected

#: Pixels one after another, uncompressed in themselves. See PS3.5 8.2 and A.1–A.3, A.5.
NATIVE = frozenset(
    str(uid)
    for uid in (
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    )
)
#: Transfer syntaxes whose pixels are never those of the scanner. See PS3.5 A.4.
LOSSY = frozenset((str(JPEGBaseline8Bit), str(JPEGExtended12Bit)))
#: Larger frames are no CT or MR; a header of a few bytes must not make us allocate gigabytes.
MAX_SIDE = 8192

#: No codec shrinks even an empty frame further; a few bytes must not claim gigabytes.
MAX_EXPANSION = 10_000

_TAGS = {
    "media_class": 0x00020002,
    "media_uid": 0x00020003,
    "image_type": 0x00080008,
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "modality": 0x00080060,
    "body_part": 0x00180015,
    "thickness": 0x00180050,
    "between": 0x00180088,
    "study_uid": 0x0020000D,
    "series_uid": 0x0020000E,
    "position": 0x00200032,
    "orientation": 0x00200037,
    "frame_of_reference_uid": 0x00200052,
    "samples": 0x00280002,
    "photometric": 0x00280004,
    "frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "spacing": 0x00280030,
    "allocated": 0x00280100,
    "stored": 0x00280101,
    "high_bit": 0x00280102,
    "signed": 0x00280103,
    "intercept": 0x00281052,
    "slope": 0x00281053,
    "lossy": 0x00282110,
    "modality_lut": 0x00283000,
}
_WISH = Wish(frozenset(_TAGS.values()))
_NAMES = {
    "sop_instance_uid": "SOP Instance",
    "sop_class_uid": "SOP Class",
    "study_uid": "Study Instance",
    "series_uid": "Series Instance",
}
_UID = re.compile(r"[0-9.]{1,64}")
#: What may be repeated of a header's word; a broken writer puts anything there. See PS3.3 C.7.6.3.1.2.
_PHOTOMETRIC = frozenset(
    (
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "XYB",
        "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT",
    )
)  # fmt: skip
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFormat:
    """How stored values lie in bits. See PS3.5 8.1.1."""

    allocated: int
    stored: int
    high_bit: int
    signed: bool
    big_endian: bool = False

    @property
    def dtype(self) -> str:
        """The numpy type of stored values as they lie in the file."""
        return ("i" if self.signed else "u") + str(self.allocated // 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceHeader:
    """One instance of a series.

    Attributes:
        path: Where it lies. May hold a name; never shown.
        sop_instance_uid: SOP Instance UID (0008,0018).
        sop_class_uid: SOP Class UID (0008,0016).
        transfer_syntax_uid: Transfer Syntax UID (0002,0010).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        frame_of_reference_uid: Frame of Reference UID (0020,0052), or ``""``.
        modality: Modality (0008,0060).
        body_part: Body Part Examined (0018,0015), or ``""``.
        image_type: Image Type (0008,0008).
        position: Image Position (Patient), mm, LPS; None where the functional groups hold it.
        orientation: Image Orientation (Patient), six cosines, or None.
        spacing: Pixel Spacing, mm: (between rows, between columns), or None.
        slice_mm: Spacing Between Slices, else Slice Thickness, mm, or None; used for a lone slice only.
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        frames: Number of Frames (0028,0008), 1 where absent.
        format: How stored values lie in bits.
        slope: Rescale Slope, 1 where absent.
        intercept: Rescale Intercept, 0 where absent.
        lossy: Whether its pixels went through lossy compression.
        pixel_offset: Of the first value byte, in the file or in the inflated data set.
        pixel_length: Bytes of Pixel Data, or `UNDEFINED`.
        deflated: Offset of the deflated data set in the file, or 0.
        problem: Why its pixels cannot be read correctly, or ``""``.
    """

    path: Path = field(repr=False)
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    modality: str
    body_part: str
    image_type: tuple[str, ...]
    position: Vector | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    slice_mm: float | None
    rows: int
    columns: int
    frames: int
    format: PixelFormat
    slope: float
    intercept: float
    lossy: bool
    pixel_offset: int
    pixel_length: int
    deflated: int
    problem: str

    @property
    def native(self) -> bool:
        """Whether its pixels lie uncompressed one after another."""
        return self.transfer_syntax_uid in NATIVE

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.format.allocated // 8


def read_header(path: Path) -> InstanceHeader | None:
    """Read what is needed of one instance; None where the file is not DICOM.

    Raises:
        InputRejected: It is DICOM but no instance of a series can be made of it.
        Unavailable: The file cannot be opened.
    """
    source = open_source(path, _WISH)
    if source is None:
        return None
    values = _Values(source.elements.values)
    identity = {name: values.text(name) for name in _NAMES}
    identity["sop_instance_uid"] = identity["sop_instance_uid"] or values.text("media_uid")
    identity["sop_class_uid"] = identity["sop_class_uid"] or values.text("media_class")
    if identity["sop_class_uid"] == "1.2.840.10008.1.3.10":
        raise InputRejected("a DICOMDIR: its instances are read themselves")
    for name, uid in identity.items():
        if not _UID.fullmatch(uid):
            cut = ", file is truncated" if source.truncated else ""
            raise InputRejected(f"no valid {_NAMES[name]} UID{cut}")
    return _build(path, source, values, identity)


class _Values:
    """Raw values, read as what they are; a value that is not well formed reads as absent."""

    def __init__(self, raw: dict[int, bytes]) -> None:
        self._raw = raw

    def text(self, name: str) -> str:
        raw = self._raw.get(_TAGS[name], b"")
        return raw.rstrip(b"\0 ").lstrip().decode("ascii", "replace")

    def number(self, name: str, default: int) -> int:
        raw = self._raw.get(_TAGS[name], b"")
        return int(struct.unpack_from("<H", raw)[0]) if len(raw) >= 2 else default

    def decimals(self, name: str, count: int) -> tuple[float, ...] | None:
        raw = self._raw.get(_TAGS[name])
        if not raw:
            return None
        try:
            numbers = tuple(float(part) for part in raw.rstrip(b"\0 ").split(b"\\"))
        except ValueError:
            return None
        return numbers if len(numbers) == count and all(map(_finite, numbers)) else None

    def decimal(self, name: str, default: float | None) -> float | None:
        numbers = self.decimals(name, 1)
        return numbers[0] if numbers else default

    def frames(self) -> int:
        text = self.text("frames")
        return int(text) if text.isdecimal() and len(text) < 10 else (0 if text else 1)

    def states(self, name: str) -> bool:
        return bool(self._raw.get(_TAGS[name]))


def _finite(value: float) -> bool:
    return -1e9 < value < 1e9


def _build(path: Path, source: Source, values: _Values, identity: dict[str, str]) -> InstanceHeader:
    elements, syntax = source.elements, source.transfer_syntax_uid
    stored = values.number("stored", values.number("allocated", 0))
    pixel_format = PixelFormat(
        allocated=values.number("allocated", 0),
        stored=stored,
        high_bit=values.number("high_bit", stored - 1),
        signed=values.number("signed", 0) == 1,
        big_endian=syntax == ExplicitVRBigEndian,
    )
    rows, columns, frames = values.number("rows", 0), values.number("columns", 0), values.frames()
    spacing = values.decimals("spacing", 2)
    position = values.decimals("position", 3)
    between = values.decimal("between", None) or values.decimal("thickness", None)
    slope, intercept = values.decimal("slope", 1.0), values.decimal("intercept", 0.0)
    assert slope is not None and intercept is not None
    problem = (
        _absence(source)
        or _shape_problem(values, rows, columns, frames, pixel_format)
        or _pixel_problem(source, rows * columns * frames * pixel_format.allocated // 8)
    )
    if not problem and "MOSAIC" in values.text("image_type").split("\\"):
        problem = "a Siemens mosaic: several slices in one frame, whose places are in private attributes"
    if not problem and (_TAGS["modality_lut"] in elements.present or values.states("modality_lut")):
        problem = "Modality LUT Sequence: only Rescale Slope and Intercept are read"
    return InstanceHeader(
        path=path,
        transfer_syntax_uid=syntax,
        frame_of_reference_uid=values.text("frame_of_reference_uid"),
        modality=values.text("modality"),
        body_part=values.text("body_part"),
        image_type=tuple(part.strip() for part in values.text("image_type").split("\\")),
        position=(position[0], position[1], position[2]) if position else None,
        orientation=values.decimals("orientation", 6),
        spacing=(spacing[0], spacing[1]) if spacing else None,
        slice_mm=abs(between) if between else None,
        rows=rows,
        columns=columns,
        frames=frames,
        format=pixel_format,
        slope=slope,
        intercept=intercept,
        lossy=values.text("lossy") == "01" or syntax in LOSSY,
        pixel_offset=elements.pixel_offset,
        pixel_length=elements.pixel_length,
        deflated=source.deflated,
        problem=problem,
        **identity,
    )


def _shape_problem(values: _Values, rows: int, columns: int, frames: int, form: PixelFormat) -> str:
    """Return why its image attributes make no grey-value image, or ``""``."""
    photometric = values.text("photometric")
    if values.number("samples", 1) != 1 or not photometric.startswith("MONOCHROME"):
        said = photometric if photometric in _PHOTOMETRIC else "(unknown)" if photometric else "(none)"
        return f"photometric interpretation {said}: only grey values are read"
    if not (0 < rows <= MAX_SIDE and 0 < columns <= MAX_SIDE and frames > 0):
        return f"{frames} frames of {rows} × {columns}: not an image of at most {MAX_SIDE} × {MAX_SIDE}"
    if form.allocated not in (8, 16, 32) or not 0 < form.stored <= form.high_bit + 1 <= form.allocated:
        return f"{form.stored} bits up to bit {form.high_bit} in {form.allocated} allocated: cannot be read"
    if values.decimal("slope", 1.0) == 0:
        return "Rescale Slope is 0"
    return ""


def _absence(source: Source) -> str:
    found = source.elements
    if not found.pixel_tag:
        return "truncated before its Pixel Data" if source.truncated else "no Pixel Data"
    if found.pixel_tag != PIXEL_DATA:
        return "Float Pixel Data: only Pixel Data (7FE0,0010) is read"
    return ""


def _pixel_problem(source: Source, expected: int) -> str:
    """Return why its Pixel Data cannot be read, or ``""``."""
    found, syntax = source.elements, source.transfer_syntax_uid
    if syntax in NATIVE:
        return _native_problem(source, expected)
    if syntax not in DECODABLE:
        return f"transfer syntax {uid_name(syntax)} is not read"
    if expected > MAX_EXPANSION * source.size_bytes:
        return f"image attributes of {expected} bytes in a compressed file of {source.size_bytes}"
    if found.pixel_length != UNDEFINED and found.pixel_offset + found.pixel_length > source.size_bytes:
        return _truncated(source.size_bytes - found.pixel_offset, found.pixel_length)
    return ""


def _native_problem(source: Source, expected: int) -> str:
    found = source.elements
    if found.pixel_length == UNDEFINED:
        return "encapsulated Pixel Data in an uncompressed transfer syntax"
    if found.pixel_length < expected:
        return f"Pixel Data of {found.pixel_length} bytes, its image attributes need {expected}"
    if source.deflated:
        limit = inflation_limit(source.size_bytes - source.deflated)
        if found.pixel_offset + expected > limit:
            return f"deflated Pixel Data would inflate to {expected} bytes, more than {limit}"
    elif found.pixel_offset + expected > source.size_bytes:
        return _truncated(source.size_bytes - found.pixel_offset, expected)
    return ""


def _truncated(there: int, expected: int) -> str:
    return f"truncated: {max(there, 0)} of {expected} bytes of Pixel Data are there"


#: Encapsulated transfer syntaxes that `bedside.dicom.codec` decodes. See PS3.5 A.4.
DECODABLE = frozenset(
    (
        "1.2.840.10008.1.2.5",  # RLE
        "1.2.840.10008.1.2.4.50",  # JPEG baseline, 8 bit
        "1.2.840.10008.1.2.4.51",  # JPEG extended, 12 bit
        "1.2.840.10008.1.2.4.57",  # JPEG lossless
        "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
        "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
        "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
        "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
        "1.2.840.10008.1.2.4.91",  # JPEG 2000
        "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
        "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
        "1.2.840.10008.1.2.4.203",  # HTJ2K
    )
)
