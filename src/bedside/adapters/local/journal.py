"""The journal of an upload in parts: which parts are whole, one line each, written after their bytes.

Owns the form of a line: number, length, SHA-256, CRC-32 of the bytes, and a check of the line itself, so that
one that a crash tore says nothing. The last line of a number counts; no bytes is "not there any more".
"""

import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.domain.upload import named
from bedside.errors import Incomplete
from bedside.ports.parts import Part, StoredPart

#: Of the upload's folder: the object to be, and this journal.
BYTES, JOURNAL = "bytes", "parts"
_LINE = re.compile(r"(\d+) (\d+) ([0-9a-f]{64}) ([0-9a-f]{8})")
_NONE = "0" * 64
_READ = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A part that the journal tells of, and the CRC-32 by which its bytes are looked at again."""

    stored: StoredPart
    crc32: int


def read(folder: Path) -> dict[int, Kept]:
    """Return what the journal says of each part; a line that a crash tore says nothing."""
    found: dict[int, Kept] = {}
    for line in (folder / JOURNAL).read_text(encoding="ascii", errors="replace").splitlines():
        said, _, check = line.rpartition(" ")
        matched = _LINE.fullmatch(said)
        if matched is None or check != _check(said):
            continue
        number, size_bytes, sha256, crc32 = matched.groups()
        stored = StoredPart(number=int(number), size_bytes=int(size_bytes), sha256=sha256)
        found[stored.number] = Kept(stored=stored, crc32=int(crc32, 16))
    return {number: kept for number, kept in found.items() if kept.stored.size_bytes}


def forget(folder: Path, number: int) -> None:
    """Say that a part is not there any more."""
    note(folder, number, 0, _NONE, 0)


def note(folder: Path, number: int, size_bytes: int, sha256: str, crc32: int) -> None:
    """Append a line in one write, so that lines of several writers do not mix; no bytes is "not there"."""
    said = f"{number} {size_bytes} {sha256} {crc32:08x}"
    handle = os.open(folder / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        # A line of its own even after a torn one.
        os.write(handle, f"\n{said} {_check(said)}\n".encode())
        os.fdatasync(handle)
    finally:
        os.close(handle)


def _check(said: str) -> str:
    return f"{zlib.crc32(said.encode()):08x}"


def check_whole(folder: Path, parts: Sequence[Part]) -> None:
    """Refuse to complete what lacks a part, or holds other bytes than came; forget damaged parts."""
    kept = read(folder)
    wanted = {part.number: part for part in parts}
    missing = [
        number
        for number, part in wanted.items()
        if number not in kept or kept[number].stored.size_bytes != part.size_bytes
    ]
    if missing:
        raise Incomplete(
            f"{len(missing)} of {len(parts)} parts are missing: {named(missing)}", missing=tuple(missing)
        )
    damaged = []
    with (folder / BYTES).open("rb", buffering=0) as whole:
        for part in parts:
            if _crc_of(whole.fileno(), part) != kept[part.number].crc32:
                forget(folder, part.number)
                damaged.append(part.number)
    if damaged:
        raise Incomplete(
            f"{len(damaged)} of {len(parts)} parts are damaged: {named(damaged)}", missing=tuple(damaged)
        )


def _crc_of(handle: int, part: Part) -> int:
    crc32, at, end = 0, part.offset_bytes, part.offset_bytes + part.size_bytes
    while at < end and (chunk := os.pread(handle, min(_READ, end - at), at)):
        crc32 = zlib.crc32(chunk, crc32)
        at += len(chunk)
    return crc32 if at == end else -1
