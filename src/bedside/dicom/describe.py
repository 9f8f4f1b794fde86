"""One instance for the catalogue: its attributes as JSON, and where its pixels and long values lie.

Owns which attributes belong to the patient, study, series and instance in lists (PS3.3 A.1.2), and that
whatever is wrong with the pixels does not hide the rest.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bedside.dicom.elements import META_END, Elements, Malformed, Short, Wish, begin, walk
from bedside.dicom.header import NATIVE
from bedside.dicom.json_model import to_json
from bedside.dicom.layout import Grid, encapsulated_frames, lies_as_given, native_frames
from bedside.dicom.source import inflate, inflation_limit, order_of, pixel_place
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.domain.catalogue import BULK_MARK, Bulk, Described, Extent, Layout
from bedside.errors import InputRejected


def _tags(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Of patient and study: PS3.3 C.7.1.1, C.7.2.1, C.7.2.2 as far as lists show them.
STUDY_TAGS = _tags(
    "00080005 00080020 00080030 00080050 00080051 00080090 00080096 00080201 00081030 00081032 00081048 "
    "00081060 00081080 00100010 00100020 00100021 00100024 00100030 00100032 00100040 00101000 00101002 "
    "00101010 00101020 00101030 00102160 00102180 001021B0 00104000 0020000D 00200010 00321060"
)
#: Of series and equipment: PS3.3 C.7.3.1, C.7.5.1.
SERIES_TAGS = _tags(
    "00080005 00080021 00080031 00080060 00080064 00080070 00080080 00080201 00081010 0008103E 0008103F "
    "00081050 00081070 00081090 00081111 00180015 00181030 00185100 0020000E 00200011 00200052 00200060 "
    "00400244 00400245 00400253 00400254 00400275"
)
#: What every list of instances shows, and a little more: PS3.18 Table 10.6.3-5.
INSTANCE_TAGS = _tags(
    "00080005 00080008 00080012 00080013 00080016 00080018 00080022 00080023 00080032 00080033 00080201 "
    "00082111 00200012 00200013 00204000 00280002 00280004 00280008 00280010 00280011 00280100 00280101 "
    "00280103 00420010 00700080 0040A491 0040A493 0040A043"
)
_PIXEL_VRS = {0x7FE00008: "OF", 0x7FE00009: "OD", 0x7FE00010: "OW"}
_META = Wish(frozenset({0x00020010}), META_END)
_HEAD_BYTES = 2**16
_UIDS = {"study_uid": 0x0020000D, "series_uid": 0x0020000E, "sop_instance_uid": 0x00080018}


def describe(stream: BinaryIO, size_bytes: int) -> Described:
    """Look through one instance.

    Args:
        stream: Of its file, seekable.
        size_bytes: Of its file.

    Raises:
        InputRejected: It is no instance of a series, or its header cannot be read.
    """
    opened = _open(stream, size_bytes)
    bulk: dict[str, Bulk] = {}

    def told(path: str, vr: str, raw: Any) -> None:
        bulk[path] = Bulk(vr=vr, extent=_extent(path, raw) if opened.in_place else None)

    try:
        with quiet():
            attributes = to_json(opened.dataset, told)
            layout = _layout(stream, size_bytes, opened, attributes)
            uids = {name: str(opened.dataset[tag].value) for name, tag in _UIDS.items()}
            sop_class = str(opened.dataset.get("SOPClassUID", ""))
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"header cannot be read ({type(exc).__name__})") from exc
    if opened.found.pixel_tag:
        tag = f"{opened.found.pixel_tag:08X}"
        vr = opened.found.pixel_vr.decode("ascii", "replace") or _PIXEL_VRS[opened.found.pixel_tag]
        attributes[tag] = {"vr": vr, "BulkDataURI": BULK_MARK + tag}
        bulk[tag] = Bulk(vr=vr, extent=_pixel_extent(opened, size_bytes))
    return Described(
        **uids,
        sop_class_uid=sop_class,
        transfer_syntax_uid=opened.transfer_syntax_uid,
        study=_some(attributes, STUDY_TAGS),
        series=_some(attributes, SERIES_TAGS),
        instance=_some(attributes, INSTANCE_TAGS),
        metadata=_written(attributes),
        layout=Layout(count=layout.count, frames=layout.frames, bulk=bulk, problem=layout.problem),
    )


def _written(attributes: dict[str, Any]) -> bytes:
    text = json.dumps(attributes, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8", "replace")  # what a broken character set left may be half a character


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A header that was read, and where the pixels begin."""

    dataset: Dataset = field(repr=False)
    transfer_syntax_uid: str
    found: Elements
    in_place: bool


class _Nameless:
    """A stream without more than reading: of a buffered one pydicom would ask for a file's name."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell


def _open(stream: BinaryIO, size_bytes: int) -> _Opened:
    head = stream.read(_HEAD_BYTES)
    start = begin(head)
    if start is None:
        raise InputRejected("not a DICOM file")
    meta = Elements(end=start)
    try:
        if head[start : start + 2] == b"\x02\x00":
            walk(head, start, meta, explicit=True, wish=_META)
    except (Malformed, Short) as exc:
        raise InputRejected("file meta information is malformed") from exc
    syntax = meta.values.get(0x00020010, b"").rstrip(b"\0 ").decode("ascii", "replace")
    source: Any = _Nameless(stream)
    if syntax == DeflatedExplicitVRLittleEndian:
        stream.seek(meta.end)
        payload = stream.read(size_bytes)
        data, _ = inflate(payload, inflation_limit(len(payload)))
        source = BytesIO(b"\0" * 128 + b"DICM" + data)
    source.seek(0)
    try:
        with quiet():
            dataset = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            found = pixel_place(source.tell(), source.read(12), order_of(dataset))
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"header cannot be read ({type(exc).__name__})") from exc
    if not syntax:
        syntax = ImplicitVRLittleEndian if dataset.is_implicit_VR else ExplicitVRLittleEndian
    return _Opened(
        dataset=dataset,
        transfer_syntax_uid=str(syntax),
        found=found,
        in_place=syntax != DeflatedExplicitVRLittleEndian and lies_as_given(str(syntax)),
    )


def _layout(stream: BinaryIO, size_bytes: int, opened: _Opened, attributes: dict[str, Any]) -> Layout:
    if not opened.found.pixel_tag:
        return Layout()
    grid = _grid(attributes)
    try:
        if opened.transfer_syntax_uid not in NATIVE:
            table = _extended(opened.dataset)
            frames = encapsulated_frames(stream, grid.frames, opened.found, size_bytes, table)
        elif opened.in_place:
            frames = native_frames(grid, opened.found, size_bytes)
        else:
            frames = ()
    except InputRejected as exc:
        return Layout(problem=exc.message)
    return Layout(count=grid.frames, frames=frames)


def _grid(attributes: dict[str, Any]) -> Grid:
    def number(tag: str, default: int) -> int:
        values = attributes.get(tag, {}).get("Value") or (default,)
        return int(values[0]) if str(values[0]).isdecimal() else 0

    photometric = (attributes.get("00280004", {}).get("Value") or ("",))[0]
    samples = 2 if photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"} else number("00280002", 1)
    return Grid(
        rows=number("00280010", 0),
        columns=number("00280011", 0),
        samples=samples,
        allocated=number("00280100", 0),
        frames=number("00280008", 1) or 1,
    )


def _extended(dataset: Dataset) -> tuple[int, ...]:
    raw = dataset.get("ExtendedOffsetTable", b"") or b""
    return struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])


def _extent(path: str, raw: Any) -> Extent | None:
    """Return where an element's value lies; values in sequences are read by their path."""
    if "/" in path or not isinstance(raw, RawDataElement) or raw.length in (0, 0xFFFFFFFF):
        return None
    return Extent(raw.value_tell, raw.length)


def _pixel_extent(opened: _Opened, size_bytes: int) -> Extent | None:
    """Return where uncompressed pixels lie; compressed ones are given frame by frame."""
    found = opened.found
    if opened.transfer_syntax_uid not in NATIVE or not opened.in_place:
        return None
    return Extent(found.pixel_offset, min(found.pixel_length, size_bytes - found.pixel_offset))


def _some(attributes: dict[str, Any], tags: Iterable[str]) -> dict[str, Any]:
    return {tag: attributes[tag] for tag in sorted(tags) if tag in attributes}
