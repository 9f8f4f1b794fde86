"""A ZIP from a stranger becomes numbered files in one folder, or an `InputRejected` that says why not.

Owns what a ZIP may do: hold files that are stored or deflated, up to limits that are counted while
inflating (headers lie). Names in the archive decide nothing: they are checked, never used, and never
repeated, since they may hold a patient's name; messages say "entry 17". Anything odd rejects the
whole archive, because half a study read as a whole one is worse than none.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import InputRejected, Unavailable
from bedside.worker.directory import Member, check_table, members

_CHUNK = 2**20
#: Below this an archive may grow by any ratio: a mask of a few MB of zeros shrinks a thousandfold.
RATIO_FROM_BYTES = 8 * 2**20

#: How archives begin (and, for tar, go on): a study in an archive in an archive is not looked for.
_ARCHIVES = (
    (0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"PK\x07\x08"), (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"), (0, b"\x1f\x8b\x08"), (0, b"BZh"), (0, b"\xfd7zXZ\x00"),
    (0, b"\x28\xb5\x2f\xfd"), (257, b"ustar"),
)  # fmt: skip
_MAGIC_BYTES = 264


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is too much for one entry of the drop-box.

    Attributes:
        max_files: Most files.
        max_bytes: Most bytes of all files together, unpacked.
        max_ratio: Most times that a ZIP may grow, from `RATIO_FROM_BYTES` on.
    """

    max_files: int = 20_000
    max_bytes: int = 20 * 2**30
    max_ratio: float = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedFile:
    """One file of a drop-box entry, written and hashed in one pass.

    Attributes:
        path: Where it lies; its name is its number.
        sha256: 64 hex digits.
        size_bytes: Its length.
    """

    path: Path
    sha256: str
    size_bytes: int


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a ZIP does."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def unpack(archive: Path, folder: Path, limits: Limits) -> list[UnpackedFile]:
    """Unpack a ZIP into an existing folder, as ``000001``, ``000002``, …, read-only.

    Memory stays at a few MB plus the table of contents, which `Limits.max_files` bounds.

    Raises:
        InputRejected: Not a ZIP, broken, encrypted, too large, or trying something.
        Unavailable: The folder cannot be written.
    """
    try:
        size_bytes = archive.stat().st_size
        with archive.open("rb") as stream:
            check_table(stream, size_bytes, limits.max_files)
            budget = _Budget(limits, size_bytes)
            with zipfile.ZipFile(stream) as opened:
                entries = members(opened, limits.max_files)
                return [_write(opened, entry, folder, budget) for entry in entries]
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        EOFError,
        ValueError,
        struct.error,
        OverflowError,
    ) as exc:
        # zipfile's messages repeat names.
        raise InputRejected(f"ZIP: broken ({type(exc).__name__})") from exc
    except (NotImplementedError, RuntimeError) as exc:
        raise InputRejected("ZIP: packed in a way that is not supported") from exc
    except OSError as exc:
        raise Unavailable(f"ZIP: cannot be read or unpacked here: {exc.strerror or 'I/O error'}") from exc


@dataclass(slots=True)
class _Budget:
    """Counts what really comes out, whatever the headers say."""

    limits: Limits
    archive_bytes: int
    written_bytes: int = 0

    def spend(self, size_bytes: int, number: int) -> None:
        self.written_bytes += size_bytes
        if self.written_bytes > self.limits.max_bytes:
            raise InputRejected(f"ZIP: unpacks to more than {self.limits.max_bytes} bytes, at entry {number}")
        most = max(RATIO_FROM_BYTES, self.limits.max_ratio * self.archive_bytes)
        if self.written_bytes > most:
            raise InputRejected(
                f"ZIP: {self.archive_bytes} bytes grow more than {self.limits.max_ratio:g} times,"
                f" at entry {number}",
                hint="raise intake.max_ratio if such studies are expected",
            )


def _write(opened: zipfile.ZipFile, entry: Member, folder: Path, budget: _Budget) -> UnpackedFile:
    path = folder / f"{entry.number:06d}"
    sha256, size_bytes = hashlib.sha256(), 0
    with path.open("xb") as target:
        for chunk in _inflated(opened, entry):
            if not size_bytes and any(chunk[at : at + len(sign)] == sign for at, sign in _ARCHIVES):
                raise InputRejected(
                    f"ZIP: entry {entry.number} is itself an archive; unpack it before sending"
                )
            size_bytes += len(chunk)
            budget.spend(len(chunk), entry.number)
            sha256.update(chunk)
            target.write(chunk)
    if size_bytes != entry.info.file_size:
        raise InputRejected(
            f"ZIP: entry {entry.number} has {size_bytes} bytes, its header says {entry.info.file_size}"
        )
    path.chmod(0o444)
    return UnpackedFile(path=path, sha256=sha256.hexdigest(), size_bytes=size_bytes)


def _inflated(opened: zipfile.ZipFile, entry: Member) -> Iterator[bytes]:
    """Yield an entry's bytes in chunks, the first long enough to be recognised."""
    try:
        with opened.open(entry.info) as stream:
            first = stream.read(_MAGIC_BYTES)
            while len(first) < _MAGIC_BYTES and (more := stream.read(_MAGIC_BYTES - len(first))):
                first += more
            if first:
                yield first
            while chunk := stream.read(_CHUNK):
                yield chunk
    except zlib.error as exc:
        raise InputRejected(f"ZIP: entry {entry.number} is damaged and does not inflate") from exc
    except (zipfile.BadZipFile, EOFError) as exc:
        why = "fails its checksum" if "CRC" in str(exc) else "is damaged or cut off"
        raise InputRejected(f"ZIP: entry {entry.number} {why}") from exc


def hash_file(path: Path) -> UnpackedFile:
    """Return a file that lies unpacked already, hashed."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return UnpackedFile(path=path, sha256=sha256, size_bytes=path.stat().st_size)
