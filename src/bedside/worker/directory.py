"""The table of contents of a ZIP, checked before anything is inflated.

Refuses what a study never needs and an attack does: names that lead elsewhere, links, entries that
share bytes, encryption, rare packing methods, more entries than the limit. The size of the table is
checked before it is read: reading it costs memory for every entry it claims. See PKWARE's APPNOTE
4.3, 4.4.
"""

import re
import stat
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from bedside.errors import InputRejected

_END = struct.Struct("<4s4H2LH")  # 4.3.16 end of central directory record
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14 zip64 end of central directory record
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15 zip64 end of central directory locator
_LONGEST_COMMENT = 0xFFFF
_LOCAL_HEADER_BYTES = 30
_BYTES_PER_ENTRY = 1024  # of the table: 46 fixed and a long path
_SMALLEST_TABLE = 2**16

_ENCRYPTED, _STRONGLY, _MASKED = 0x1, 0x40, 0x2000  # 4.4.4 general purpose bits
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_DRIVE = re.compile(r"[A-Za-z]:")
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive and its number, counted over all entries from 1."""

    number: int
    info: zipfile.ZipInfo


def check_table(stream: BinaryIO, size_bytes: int, max_files: int) -> None:
    """Refuse what is no ZIP, and one whose table of contents is too large to be read.

    Args:
        stream: The archive, seekable.
        size_bytes: Its length.
        max_files: Most entries.

    Raises:
        InputRejected: It is so.
    """
    count, table_bytes = _end(stream, size_bytes)
    if count > max_files or table_bytes > max(_SMALLEST_TABLE, max_files * _BYTES_PER_ENTRY):
        raise InputRejected(
            f"ZIP: {count} entries in a table of {table_bytes} bytes, at most {max_files}",
            hint="raise intake.max_files if such studies are expected",
        )


def members(opened: zipfile.ZipFile, max_files: int) -> list[Member]:
    """Return the files to unpack, folders and systems' junk left out.

    Args:
        opened: An archive that passed `check_table`.
        max_files: Most entries; the count in the archive's end may have been a lie.

    Raises:
        InputRejected: Something in it is not taken.
    """
    infos, table_at = opened.infolist(), opened.start_dir
    if len(infos) > max_files:
        raise InputRejected(f"ZIP: {len(infos)} entries, at most {max_files}")
    found, names = [], set()
    for number, info in enumerate(infos, 1):
        name = info.orig_filename.replace("\\", "/")
        _check_name(number, name)
        _check_kind(number, info)
        if info.is_dir() or name.endswith("/") or _JUNK.search(name):
            continue
        if name in names:
            raise InputRejected(f"ZIP: entry {number} has the name of an entry before it")
        names.add(name)
        found.append(Member(number, info))
    _check_apart(infos, table_at)
    return found


def _end(stream: BinaryIO, size_bytes: int) -> tuple[int, int]:
    """Return how many entries the archive says it has, and how long its table is."""
    tail_at = max(0, size_bytes - _END.size - _LONGEST_COMMENT)
    stream.seek(tail_at)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        stream.seek(0)
        begins = stream.read(4) == b"PK\x03\x04"
        raise InputRejected("ZIP: cut off, its end is missing" if begins else "ZIP: this is none")
    _, disk, first_disk, _, count, table_bytes, _, _ = _END.unpack_from(tail, at)
    if disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF):
        raise InputRejected("ZIP: a part of several; send one file")
    return _end64(stream, tail_at + at, (count, table_bytes))


def _end64(stream: BinaryIO, end_at: int, plain: tuple[int, int]) -> tuple[int, int]:
    if end_at < _LOCATOR64.size:
        return plain
    stream.seek(end_at - _LOCATOR64.size)
    signature, _, record_at, _ = _LOCATOR64.unpack(stream.read(_LOCATOR64.size))
    if signature != b"PK\x06\x07":
        return plain
    # zipfile looks for it without being told to, and right before its locator; so do we, or the two
    # could disagree on what was checked.
    stream.seek(max(0, end_at - _LOCATOR64.size - _END64.size))
    record = stream.read(_END64.size)
    if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
        raise InputRejected(f"ZIP: broken, no zip64 record where its locator says ({record_at})")
    _, _, _, _, _, _, _, count, table_bytes, _ = _END64.unpack(record)
    return count, table_bytes


def _check_name(number: int, name: str) -> None:
    if "\0" in name or not name:
        raise InputRejected(f"ZIP: entry {number} has an empty name or one with a zero character")
    if name.startswith("/") or _DRIVE.match(name):
        raise InputRejected(f"ZIP: entry {number} has an absolute name")
    if ".." in name.split("/"):
        raise InputRejected(f"ZIP: entry {number} has a name that leads out of the archive's folder")


def _check_kind(number: int, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise InputRejected(f"ZIP: entry {number} is {what}")
    if info.flag_bits & (_ENCRYPTED | _STRONGLY | _MASKED) or info.compress_type == 99:
        raise InputRejected(f"ZIP: entry {number} is encrypted; send the study unencrypted")
    if info.compress_type not in _METHODS:
        raise InputRejected(
            f"ZIP: entry {number} is packed by method {info.compress_type};"
            " stored (0) and deflated (8) are read"
        )


def _check_apart(infos: Sequence[zipfile.ZipInfo], table_at: int) -> None:
    """Refuse entries that share bytes: one kernel of data quoted many times is how small bombs grow."""
    ordered = sorted(enumerate(infos, 1), key=lambda numbered: numbered[1].header_offset)
    ends_at = 0
    for number, info in ordered:
        if info.header_offset < ends_at:
            raise InputRejected(f"ZIP: entry {number} shares bytes with another")
        ends_at = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size
        if ends_at > table_at:
            raise InputRejected(f"ZIP: entry {number} reaches beyond the archive's content")
