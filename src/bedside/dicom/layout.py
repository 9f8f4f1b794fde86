"""Where each frame of an instance lies in its file, from a stream of it.

Owns native frames (PS3.5 8.1.1), encapsulated ones (PS3.5 A.4), and the knowledge which cannot be given as
they lie. Reads the heads of fragments and nothing of the pixels, so that a bucket is asked for little.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from bedside.dicom.elements import UNDEFINED, Elements
from bedside.dicom.header import NATIVE
from bedside.domain.catalogue import Extent
from bedside.errors import InputRejected

_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
#: A table of offsets is four bytes a frame, the extended one eight; no instance has a million frames.
_MAX_TABLE_BYTES = 2**24
_MAX_FRAGMENTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What the image attributes say of the size of frames.

    Attributes:
        rows: Rows (0028,0010).
        columns: Columns (0028,0011).
        samples: Samples per pixel as they lie; 2 where two pixels share their chroma (YBR_FULL_422).
        allocated: Bits Allocated (0028,0100).
        frames: Number of Frames (0028,0008).
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    frames: int

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.allocated


def native_frames(grid: Grid, found: Elements, size_bytes: int) -> tuple[tuple[Extent, ...], ...]:
    """Return where uncompressed frames lie; empty where they do not begin at bytes.

    Raises:
        InputRejected: The image attributes say more than there is, or nothing.
    """
    if grid.frame_bits <= 0 or grid.frames <= 0:
        raise InputRejected(f"image attributes say {grid.frames} frames of {grid.frame_bits} bits")
    total = (grid.frame_bits * grid.frames + 7) // 8
    there = min(found.pixel_length, size_bytes - found.pixel_offset)
    if found.pixel_length == UNDEFINED or there < total:
        raise InputRejected(f"Pixel Data of {there} bytes, its image attributes need {total}")
    if grid.frame_bits % 8:
        return ()
    length = grid.frame_bits // 8
    return tuple((Extent(found.pixel_offset + n * length, length),) for n in range(grid.frames))


def encapsulated_frames(
    stream: BinaryIO, frames: int, found: Elements, size_bytes: int, offsets: Sequence[int] = ()
) -> tuple[tuple[Extent, ...], ...]:
    """Return the fragments of each compressed frame.

    Args:
        stream: Of the file.
        frames: How many there are.
        found: Where Pixel Data is.
        size_bytes: Of the file.
        offsets: The Extended Offset Table (7FE0,0001), where there is one.

    Raises:
        InputRejected: Items are malformed or cut, or do not say which belong to which frame.
    """
    table, fragments = _items(stream, found, size_bytes)
    if frames == 1:
        return (tuple(fragments),)
    if len(fragments) == frames:
        return tuple((fragment,) for fragment in fragments)
    return _by_table(tuple(offsets) or table, frames, fragments)


def _items(stream: BinaryIO, found: Elements, size_bytes: int) -> tuple[tuple[int, ...], list[Extent]]:
    length = found.pixel_length
    end = size_bytes if length == UNDEFINED else min(size_bytes, found.pixel_offset + length)
    position = found.pixel_offset
    items: list[Extent] = []
    while position + 8 <= end and len(items) <= _MAX_FRAGMENTS:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            break
        group, element, length = struct.unpack("<HHL", head)
        position += 8
        if (group, element) == _SEQUENCE_END:
            break
        if (group, element) != _ITEM or position + length > end:
            raise InputRejected(f"Pixel Data is malformed or cut at byte {position - 8}")
        items.append(Extent(position, length))
        position += length
    if len(items) < 2:
        raise InputRejected(f"{len(items)} items in encapsulated Pixel Data, no frame")
    stream.seek(items[0].offset)
    raw = stream.read(items[0].length) if items[0].length < _MAX_TABLE_BYTES else b""
    return struct.unpack(f"<{len(raw) // 4}L", raw[: len(raw) // 4 * 4]), items[1:]


def _by_table(
    table: Sequence[int], frames: int, fragments: Sequence[Extent]
) -> tuple[tuple[Extent, ...], ...]:
    """Group fragments by a table of offsets, counted from the first fragment's item."""
    if len(table) != frames:
        raise InputRejected(f"{len(fragments)} fragments for {frames} frames, offset table of {len(table)}")
    first = fragments[0].offset - 8
    starts = {offset: frame for frame, offset in enumerate(table)}
    grouped: list[list[Extent]] = [[] for _ in table]
    current = -1
    for fragment in fragments:
        current = starts.get(fragment.offset - 8 - first, current)
        if current < 0:
            raise InputRejected("offset table does not begin at the first fragment")
        grouped[current].append(fragment)
    if not all(grouped):
        raise InputRejected("offset table points beside the fragments")
    return tuple(map(tuple, grouped))


def lies_as_given(transfer_syntax_uid: str) -> bool:
    """Return whether frames of a transfer syntax are given just as they lie in the file."""
    return transfer_syntax_uid not in NATIVE or transfer_syntax_uid in _IN_PLACE


#: Little endian and not deflated.
_IN_PLACE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
