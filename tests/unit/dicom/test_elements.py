"""The walker finds what pydicom finds, wherever the buffer ends, and refuses what it does not know."""

import struct

import pytest

from bedside.dicom.elements import MAX_DEPTH, UNDEFINED, Elements, Malformed, Short, Wish, begin, walk

ROWS, MODALITY, PIXELS = 0x00280010, 0x00080060, 0x7FE00010
WISH = Wish(frozenset((ROWS, MODALITY, 0x00081140)))


def short(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length)
    return head + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return implicit(0xFFFEE000, value, length)


ITEM_END, SEQUENCE_END = implicit(0xFFFEE00D, b""), implicit(0xFFFEE0DD, b"")


def walked(data: bytes, *, explicit: bool = True) -> Elements:
    found = Elements()
    walk(data, 0, found, explicit=explicit, wish=WISH)
    return found


def test_finds_wanted_values_and_the_pixels_behind_group_lengths_and_private_elements() -> None:
    data = (
        short(0x00080000, b"UL", b"\x10\0\0\0")
        + short(MODALITY, b"CS", b"CT")
        + long(0x00091010, b"OB", b"x" * 70_000)
        + short(ROWS, b"US", b"\x00\x02")
        + long(PIXELS, b"OW", b"\1\2\3\4")
    )
    found = walked(data)
    assert found.values == {MODALITY: b"CT", ROWS: b"\x00\x02"}
    assert (found.pixel_tag, found.pixel_length, found.pixel_vr) == (PIXELS, 4, b"OW")
    assert data[found.pixel_offset :] == b"\1\2\3\4"


@pytest.mark.parametrize("outer", [b"SQ", b"UN"])
def test_skips_sequences_of_undefined_length_whatever_they_hold(outer: bytes) -> None:
    inner = short(ROWS, b"US", b"\x07\x00") if outer == b"SQ" else implicit(ROWS, b"\x07\x00")
    nested = long(0x00081199, b"SQ", item(inner) + SEQUENCE_END, UNDEFINED)
    if outer == b"UN":
        nested = implicit(0x00081199, item(inner) + SEQUENCE_END, UNDEFINED)
    body = item(inner + nested + ITEM_END, UNDEFINED) + item(inner) + SEQUENCE_END
    data = long(0x00081140, outer, body, UNDEFINED) + short(ROWS, b"US", b"\x00\x02")
    found = walked(data)
    assert found.values == {ROWS: b"\x00\x02"}, "a value inside a sequence is not the image's own"
    assert found.present == {0x00081140}


def test_reads_implicit_vr() -> None:
    found = walked(implicit(MODALITY, b"MR") + implicit(PIXELS, b"12"), explicit=False)
    assert found.values == {MODALITY: b"MR"}
    assert found.pixel_length == 2


def test_every_cut_is_noticed_or_lies_between_elements() -> None:
    parts = [short(MODALITY, b"CS", b"CT"), short(ROWS, b"US", b"\0\2"), long(PIXELS, b"OW", b"")]
    data = b"".join(parts)
    between = {0, len(parts[0]), len(parts[0]) + len(parts[1])}
    for cut in range(len(data)):
        found = Elements()
        try:
            walk(data[:cut], 0, found, explicit=True, wish=WISH)
        except Short:
            assert cut not in between
        else:
            assert cut in between
            assert found.end == cut


def test_unknown_vr_is_malformed() -> None:
    with pytest.raises(Malformed, match="VR"):
        walked(short(MODALITY, b"??", b"CT"))


def test_nesting_is_bounded() -> None:
    level = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, UNDEFINED) + item(b"", UNDEFINED)
    with pytest.raises(Malformed, match=str(MAX_DEPTH)):
        walked(level * 5000)


@pytest.mark.parametrize(
    ("head", "start"),
    [
        (b"\0" * 128 + b"DICM" + b"\2\0", 132),
        (short(0x00080005, b"CS", b"ISO_IR 100") + b"\0" * 8, 0),
        (implicit(0x00080016, b"1.2.840.10008.5.1.4.1.1.2\0"), 0),
        (b"PK\3\4" + b"\0" * 200, None),
        (b"A sentence that is longer than sixteen bytes", None),
        (b"", None),
    ],
)
def test_knows_dicom_from_other_files(head: bytes, start: int | None) -> None:
    assert begin(head) == start
