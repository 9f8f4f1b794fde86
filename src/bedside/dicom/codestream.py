"""Finds each frame's bytes in encapsulated Pixel Data, and what a codestream says of its own size.

Owns the item structure (PS3.5 A.4) and the look at JPEG, JPEG-LS and JPEG 2000 headers. It refuses a
codestream whose size is not that of the image: a decoder believes the codestream, and one of a few
bytes may claim gigabytes.
"""

import os
import struct
from dataclasses import dataclass

from bedside.dicom.elements import UNDEFINED
from bedside.dicom.header import InstanceHeader
from bedside.errors import InputRejected, Unavailable

_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
#: JPEG and JPEG-LS frame headers; the gaps are DHT, JPG and DAC. See ISO 10918-1 Table B.1.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_STANDALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
_J2K_START = b"\xff\x4f\xff\x51"


@dataclass(frozen=True, slots=True)
class Span:
    """Some bytes of a file."""

    offset: int
    length: int


def frame_spans(header: InstanceHeader) -> list[list[Span]]:
    """Return the fragments of each frame of an encapsulated instance.

    Raises:
        InputRejected: Items are malformed or cut, or do not say which belong to which frame.
    See PS3.5 A.4, Tables A.4-1 and A.4-2.
    """
    try:
        descriptor = os.open(header.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            table, fragments = _items(descriptor, header)
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise Unavailable(f"a file of the study cannot be read: {exc.strerror}") from exc
    if header.frames == 1:
        return [fragments]
    if len(fragments) == header.frames:
        return [[fragment] for fragment in fragments]
    return _by_table(header, table, fragments)


def _items(descriptor: int, header: InstanceHeader) -> tuple[tuple[int, ...], list[Span]]:
    size = os.fstat(descriptor).st_size
    length = header.pixel_length
    end = size if length == UNDEFINED else min(size, header.pixel_offset + length)
    position, spans = header.pixel_offset, []
    while position + 8 <= end:
        group, element, length = struct.unpack("<HHL", os.pread(descriptor, 8, position))
        position += 8
        if (group, element) == _SEQUENCE_END:
            break
        if (group, element) != _ITEM or position + length > end:
            raise InputRejected(f"{_name(header)}: Pixel Data is malformed or cut at byte {position - 8}")
        spans.append(Span(position, length))
        position += length
    if len(spans) < 2:
        raise InputRejected(f"{_name(header)}: {len(spans)} items in encapsulated Pixel Data, no frame")
    raw = os.pread(descriptor, spans[0].length, spans[0].offset) if spans[0].length < 2**24 else b""
    table = struct.unpack(f"<{len(raw) // 4}L", raw[: len(raw) // 4 * 4])
    return table, spans[1:]


def _by_table(header: InstanceHeader, table: tuple[int, ...], fragments: list[Span]) -> list[list[Span]]:
    """Group fragments by the Basic Offset Table, counted from the first fragment's item."""
    if len(table) != header.frames:
        raise InputRejected(
            f"{_name(header)}: {len(fragments)} fragments for {header.frames} frames, "
            f"offset table of {len(table)}"
        )
    first = fragments[0].offset - 8
    starts = {offset: frame for frame, offset in enumerate(table)}
    frames: list[list[Span]] = [[] for _ in table]
    current = -1
    for fragment in fragments:
        current = starts.get(fragment.offset - 8 - first, current)
        if current < 0:
            raise InputRejected(f"{_name(header)}: offset table does not begin at the first fragment")
        frames[current].append(fragment)
    if not all(frames):
        raise InputRejected(f"{_name(header)}: offset table points beside the fragments")
    return frames


def read_spans(header: InstanceHeader, spans: list[Span]) -> bytes:
    """Return the bytes of one frame."""
    try:
        with header.path.open("rb") as stream:
            return b"".join(os.pread(stream.fileno(), span.length, span.offset) for span in spans)
    except OSError as exc:
        raise Unavailable(f"a file of the study cannot be read: {exc.strerror}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a codestream says of itself."""

    rows: int
    columns: int
    components: int
    bits: int


def check_claim(header: InstanceHeader, codestream: bytes) -> None:
    """Compare a codestream's own header with the image attributes.

    Raises:
        InputRejected: They differ, or it has no header.
    """
    if header.transfer_syntax_uid.endswith("1.2.5"):  # RLE states no size
        return
    claim = _jpeg2000(codestream) if _J2K_START in codestream[:4096] else _jpeg(codestream)
    if claim is None:
        raise InputRejected(f"{_name(header)}: a frame of {len(codestream)} bytes is no JPEG codestream")
    if (claim.rows, claim.columns, claim.components) != (header.rows, header.columns, 1):
        raise InputRejected(
            f"{_name(header)}: codestream of {claim.rows} × {claim.columns} × {claim.components}, "
            f"image attributes say {header.rows} × {header.columns} × 1"
        )
    if claim.bits > header.format.allocated:
        raise InputRejected(
            f"{_name(header)}: codestream of {claim.bits} bits for {header.format.allocated} allocated"
        )


def _jpeg2000(data: bytes) -> Claim | None:
    """Read the SIZ marker segment. See ISO 15444-1 A.5.1."""
    start = data.find(_J2K_START) + 4
    try:
        _, _, right, lower, left, upper = struct.unpack_from(">HHLLLL", data, start)
        components, bits = struct.unpack_from(">HB", data, start + 36)
    except struct.error:
        return None
    return Claim(rows=lower - upper, columns=right - left, components=components, bits=(bits & 0x7F) + 1)


def _jpeg(data: bytes) -> Claim | None:
    """Walk the marker segments to the frame header. See ISO 10918-1 B.2.2, ISO 14495-1 C.2.2."""
    if data[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 10 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _START_OF_FRAME:
            bits, rows, columns, components = struct.unpack_from(">BHHB", data, position + 4)
            return Claim(rows=rows, columns=columns, components=components, bits=bits)
        else:
            position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    return None


def _name(header: InstanceHeader) -> str:
    return f"instance {header.sop_instance_uid}"
