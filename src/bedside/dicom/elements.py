"""Walks the elements of a data set just far enough: wanted values and the place of Pixel Data.

Owns the byte level of explicit and implicit little endian (PS3.5 7.1–7.5, PS3.10 7.1). It refuses
everything else with `Malformed`, and the caller asks pydicom. It exists because a parser that builds
objects for the two hundred attributes of a slice costs ten times what the few needed ones cost.
"""

import struct
from dataclasses import dataclass, field

#: Value lengths of these take four bytes, after two reserved ones. See PS3.5 Table 7.1-1.
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
#: Pixel Data and its float relatives: a walk ends at the first of them.
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
META_END = 0x0002FFFF

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
#: No real header nests deeper; a hostile one must not exhaust the stack.
MAX_DEPTH = 24

_explicit = struct.Struct("<HH2sH").unpack_from
_implicit = struct.Struct("<HHL").unpack_from
_long = struct.Struct("<L").unpack_from


class Malformed(Exception):
    """The bytes are not what this walker reads; never leaves this package."""


class Short(Exception):
    """The buffer ends inside an element; more of the file is needed. Never leaves this package."""


@dataclass(slots=True, kw_only=True)
class Elements:
    """What a walk found.

    Attributes:
        values: Raw value of each wanted element, by tag.
        present: Wanted elements that are sequences of undefined length: there, but not kept.
        pixel_tag: Tag of the pixel data, 0 where the walk met none.
        pixel_offset: Of its first value byte.
        pixel_length: Of its value in bytes, or `UNDEFINED` where it is encapsulated.
        pixel_vr: Its VR, or ``b""`` in implicit VR.
        end: Where the walk stopped.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    pixel_tag: int = 0
    pixel_offset: int = 0
    pixel_length: int = 0
    pixel_vr: bytes = b""
    end: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """Which elements a walk keeps: tags as ``group << 16 | element``, and the highest of interest."""

    tags: frozenset[int]
    last: int = PIXEL_DATA


def walk(buffer: bytes, position: int, found: Elements, *, explicit: bool, wish: Wish) -> None:
    """Collect wanted elements up to Pixel Data or the first tag above the last of interest.

    Args:
        buffer: The file's bytes from its start, perhaps not all of them.
        position: Where the data set begins.
        found: Filled; holds what came before the fault where one is raised.
        explicit: Whether it is explicit VR.
        wish: What to keep.

    Raises:
        Short: The buffer ends inside an element. Where it ends between two, ``found.end`` is its length.
        Malformed: A VR or nesting that PS3.5 does not know.
    """
    wanted, last, size = wish.tags, wish.last, len(buffer)
    while position < size:
        try:
            if explicit:
                group, element, vr, length = _explicit(buffer, position)
                start = position + 8
                if group << 16 | element > last:  # before its VR: behind a meta header lies anything
                    break
                if vr in LONG_VRS:
                    length = _long(buffer, start)[0]
                    start += 4
                elif vr not in SHORT_VRS:
                    raise Malformed(f"VR {vr!r} at byte {position}")
            else:
                group, element, length = _implicit(buffer, position)
                vr, start = b"", position + 8
        except struct.error as exc:
            raise Short from exc
        tag = group << 16 | element
        if tag > last:
            break
        if tag in PIXEL_TAGS:
            found.pixel_tag, found.pixel_offset = tag, start
            found.pixel_length, found.pixel_vr = length, vr
            break
        if length == UNDEFINED:
            if tag in wanted:
                found.present.add(tag)
            position = _skip_sequence(buffer, start, explicit=explicit and vr != b"UN", depth=0)
            continue
        position = start + length
        if tag in wanted:
            if position > size:
                raise Short
            found.values[tag] = buffer[start:position]
    if position > size:
        raise Short
    found.end = position


def _skip_sequence(buffer: bytes, position: int, *, explicit: bool, depth: int) -> int:
    """Return where a sequence of undefined length ends. See PS3.5 7.5.1; UN is implicit, 6.2.2."""
    if depth > MAX_DEPTH:
        raise Malformed(f"sequences nested deeper than {MAX_DEPTH}")
    while True:
        try:
            group, element, length = _implicit(buffer, position)
        except struct.error as exc:
            raise Short from exc
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise Malformed(f"no item at byte {position - 8}")
        if length == UNDEFINED:
            position = _skip_item(buffer, position, explicit=explicit, depth=depth)
        else:
            position += length


def _skip_item(buffer: bytes, position: int, *, explicit: bool, depth: int) -> int:
    """Return where an item of undefined length ends."""
    while True:
        try:
            if _implicit(buffer, position)[:2] == (0xFFFE, 0xE00D):
                return position + 8
            if explicit:
                _, _, vr, length = _explicit(buffer, position)
                position += 8
                if vr in LONG_VRS:
                    length = _long(buffer, position)[0]
                    position += 4
                elif vr not in SHORT_VRS:
                    raise Malformed(f"VR {vr!r} at byte {position - 8}")
            else:
                vr, length = b"", _implicit(buffer, position)[2]
                position += 8
        except struct.error as exc:
            raise Short from exc
        if length == UNDEFINED:
            nested = explicit and vr != b"UN"
            position = _skip_sequence(buffer, position, explicit=nested, depth=depth + 1)
        else:
            position += length


def begin(buffer: bytes) -> int | None:
    """Return where a file's elements begin: after ``DICM``, or at 0; None if it is no DICOM.

    Files from old archives have neither preamble nor prefix; they are believed only when they begin
    with the group that every data set begins with. See PS3.10 7.1.
    """
    if buffer[128:132] == b"DICM":
        return 132
    if len(buffer) < 16:
        return None
    group, element, vr, _ = _explicit(buffer, 0)
    if group not in (0x0002, 0x0008) or element > 0x0018:
        return None
    if vr in SHORT_VRS or vr in LONG_VRS:
        return 0
    return 0 if _implicit(buffer, 0)[2] <= 64 else None


def is_explicit(buffer: bytes, position: int) -> bool:
    """Return whether the element at ``position`` states a VR."""
    vr = buffer[position + 4 : position + 6]
    return vr in SHORT_VRS or vr in LONG_VRS
