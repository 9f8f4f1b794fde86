"""Opens one instance: finds its transfer syntax, the wanted values and the place of its pixels.

Owns how much of a file is read (16 KiB at first, more only where the header is longer) and bounded
inflation. Little endian goes through the walker of `bedside.dicom.elements`; big endian and whatever
that one does not know goes through pydicom, and comes out in the same form.
"""

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from bedside.dicom.elements import (
    META_END,
    PIXEL_TAGS,
    Elements,
    Malformed,
    Short,
    Wish,
    begin,
    is_explicit,
    walk,
)
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.errors import InputRejected, Unavailable

#: Enough for the header of most instances, little against their pixels.
FIRST_READ = 16 * 1024
#: No header is longer, functional groups of thousands of frames included.
MAX_HEADER_BYTES = 64 * 2**20
#: Deflate shrinks images two to ten times; an empty one a thousand times, hence the floor.
MAX_INFLATION = 200
INFLATION_FLOOR_BYTES = 16 * 2**20

_META = Wish(frozenset((0x00020002, 0x00020003, 0x00020010)), META_END)
_SHORTS = frozenset((0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One instance's bytes, looked through once.

    Attributes:
        elements: Wanted values and the place of the pixels; offsets count from the file's start, or
            from the start of the inflated data set where ``deflated``.
        transfer_syntax_uid: As stated in the file meta information, or as recognised.
        size_bytes: Of the file.
        truncated: The file ends inside an element.
        deflated: Offset of the deflated data set in the file, 0 where it is not deflated.
    """

    elements: Elements
    transfer_syntax_uid: str
    size_bytes: int
    truncated: bool = False
    deflated: int = 0


def open_source(path: Path, wish: Wish) -> Source | None:
    """Look through one file; None where it is no DICOM file.

    Raises:
        InputRejected: It is DICOM, but broken or too much when inflated.
        Unavailable: It cannot be opened.
    See PS3.10 7.1.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            return _look(path, descriptor, size, wish)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise Unavailable(f"a file of the study cannot be read: {exc.strerror}") from exc


def _look(path: Path, descriptor: int, size: int, wish: Wish) -> Source | None:
    buffer = os.pread(descriptor, FIRST_READ, 0)
    start = begin(buffer)
    if start is None:
        return None
    meta = Elements(end=start)
    try:
        if buffer[start : start + 2] == b"\x02\x00":
            buffer = _walk_growing(descriptor, size, buffer, start, meta, explicit=True, wish=_META)
        syntax = _text(meta.values.get(0x00020010, b""))
        if syntax == ExplicitVRBigEndian:
            return _slow(path, size, wish)
        if syntax == DeflatedExplicitVRLittleEndian:
            return _inflated(descriptor, size, meta, wish)
        explicit = is_explicit(buffer, meta.end)
        syntax = syntax or (ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian)
        found = Elements(values=dict(meta.values))
        truncated = False
        try:
            _walk_growing(descriptor, size, buffer, meta.end, found, explicit=explicit, wish=wish)
        except Short:
            truncated = True
        return Source(elements=found, transfer_syntax_uid=syntax, size_bytes=size, truncated=truncated)
    except Malformed:
        return _slow(path, size, wish)
    except Short as exc:
        raise InputRejected("truncated in its file meta information") from exc


def _walk_growing(
    descriptor: int, size: int, buffer: bytes, start: int, found: Elements, *, explicit: bool, wish: Wish
) -> bytes:
    """Walk, reading more of the file while it is short; return what was read."""
    while True:
        whole = len(buffer) >= min(size, MAX_HEADER_BYTES)
        try:
            walk(buffer, start, found, explicit=explicit, wish=wish)
        except Short:
            if whole:
                raise
        else:
            if whole or found.end < len(buffer):
                return buffer
        buffer = os.pread(descriptor, min(len(buffer) * 16, MAX_HEADER_BYTES), 0)


def _inflated(descriptor: int, size: int, meta: Elements, wish: Wish) -> Source:
    """Walk a deflated data set, inflating no more than the walk needs."""
    found = Elements(values=dict(meta.values))
    payload = os.pread(descriptor, size - meta.end, meta.end)
    wanted, truncated = FIRST_READ, False
    while True:
        data, whole = inflate(payload, wanted)
        try:
            walk(data, 0, found, explicit=True, wish=wish)
            if whole or found.end < len(data):
                break
        except Short:
            if whole:
                truncated = True
                break
        except Malformed as exc:
            raise InputRejected("deflated data set is not Explicit VR Little Endian") from exc
        limit = min(inflation_limit(len(payload)), MAX_HEADER_BYTES)
        if wanted >= limit:
            raise InputRejected(
                f"deflated data set of {len(payload)} bytes inflates to more than {limit} bytes "
                "before its Pixel Data"
            )
        wanted = min(wanted * 16, limit)
    return Source(
        elements=found,
        transfer_syntax_uid=DeflatedExplicitVRLittleEndian,
        size_bytes=size,
        truncated=truncated,
        deflated=meta.end,
    )


def inflation_limit(payload_bytes: int) -> int:
    """Return to how many bytes a deflated data set may inflate."""
    return max(INFLATION_FLOOR_BYTES, MAX_INFLATION * payload_bytes)


def inflate(payload: bytes, wanted: int) -> tuple[bytes, bool]:
    """Inflate at most ``wanted`` bytes, and no more than `inflation_limit`.

    Returns:
        The bytes, and whether that is all there is.

    Raises:
        InputRejected: The stream is broken.
    See PS3.5 A.5.
    """
    limit = inflation_limit(len(payload))
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(payload, min(wanted, limit))
    except zlib.error as exc:
        raise InputRejected(f"deflated data set is broken: {exc}") from exc
    whole = stream.eof or len(data) < min(wanted, limit)
    return data, whole


def _slow(path: Path, size: int, wish: Wish) -> Source:
    """Let pydicom read the header; give the values as the walker would."""
    # From memory: of a file, pydicom would ask for as many bytes as a broken length says.
    start = _start_of(path)
    if DeflatedExplicitVRLittleEndian.encode() in start[:FIRST_READ]:
        # pydicom inflates without a bound.
        raise InputRejected("file meta information of a deflated data set is malformed")
    try:
        with quiet():
            stream = BytesIO(start)
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
            found = pixel_place(stream.tell(), stream.read(12), order_of(dataset))
            for tag, value in _values(dataset, wish.tags):
                found.values[tag] = value
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian))
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"header cannot be read ({type(exc).__name__})") from exc
    return Source(elements=found, transfer_syntax_uid=syntax, size_bytes=size)


def _start_of(path: Path, end: int = MAX_HEADER_BYTES) -> bytes:
    with path.open("rb") as stream:
        return stream.read(min(end, os.fstat(stream.fileno()).st_size))


def order_of(dataset: Dataset) -> tuple[bool, str]:
    """Return whether a data set was explicit VR, and its byte order as `struct` has it."""
    implicit, little = dataset.original_encoding
    return not implicit, "<" if little or little is None else ">"


def pixel_place(offset: int, head: bytes, encoding: tuple[bool, str]) -> Elements:
    """Read the head of the element that pydicom stopped at."""
    explicit, order = encoding
    found = Elements(end=offset)
    if len(head) < 12:
        return found
    group, element = struct.unpack_from(order + "HH", head)
    if group << 16 | element in PIXEL_TAGS:
        found.pixel_tag = group << 16 | element
        found.pixel_vr = head[4:6] if explicit else b""
        found.pixel_offset = offset + (12 if explicit else 8)
        found.pixel_length = struct.unpack_from(order + "L", head, 8 if explicit else 4)[0]
    return found


def _values(dataset: Dataset, tags: Iterable[int]) -> Iterable[tuple[int, bytes]]:
    for tag in tags:
        source = dataset.file_meta if tag <= META_END else dataset
        if tag not in source:
            continue
        value = source[tag].value
        several = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
        if source[tag].VR == "SQ":
            yield tag, b"sequence"
        elif tag in _SHORTS:
            yield tag, struct.pack(f"<{len(several)}H", *(int(v) for v in several))
        elif value is not None:
            yield tag, "\\".join(str(v) for v in several).encode("latin-1", "replace")


def read_dataset(path: Path, *, deflated: int, end: int) -> Dataset:
    """Read a whole header with pydicom, no pixels.

    Args:
        path: The instance.
        deflated: As in `Source`.
        end: Where the value of Pixel Data begins, 0 where there is none.

    Raises:
        InputRejected: pydicom cannot read it.
    """
    try:
        start = _start_of(path, end or MAX_HEADER_BYTES) if not deflated else path.read_bytes()
    except OSError as exc:
        raise Unavailable(f"a file of the study cannot be read: {exc.strerror}") from exc
    try:
        with quiet():
            if not deflated:
                return pydicom.dcmread(BytesIO(start), stop_before_pixels=True, force=True)
            data, _ = inflate(start[deflated:], end or MAX_HEADER_BYTES)
            meta = pydicom.filereader.read_file_meta_info(path)
            return pydicom.dcmread(undeflated(meta, data), stop_before_pixels=True)
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"header cannot be read ({type(exc).__name__})") from exc


def read_whole(path: Path) -> Dataset:
    """Read a whole instance with pydicom, pixels and all; what inflates, within `inflation_limit`.

    Of a deflated one the file meta information says Explicit VR Little Endian, as its data set then is.

    Raises:
        InputRejected: pydicom cannot read it.
    """
    try:
        with quiet():
            with path.open("rb") as stream:
                start = stream.read(FIRST_READ)
            meta = pydicom.filereader.read_file_meta_info(path) if start[128:132] == b"DICM" else None
            if meta is None or meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
                return pydicom.dcmread(path, force=True)
            payload = path.read_bytes()[144 + meta.FileMetaInformationGroupLength :]
            data, _ = inflate(payload, inflation_limit(len(payload)))
            return pydicom.dcmread(undeflated(meta, data))
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"instance cannot be read ({type(exc).__name__})") from exc


def undeflated(meta: FileMetaDataset, data: bytes) -> BytesIO:
    """Return the same instance as a plain explicit little endian file."""
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = DicomBytesIO()
    stream.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(stream, meta)
    stream.write(data)
    return BytesIO(stream.getvalue())


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii", "replace")
