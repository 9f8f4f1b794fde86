"""Files written whole or not at all, and a full disk said as such.

Owns the way every file of a cache, a layout and an archive comes into being: beside its place, then
renamed. Where several processes write the same content, each writes its own and the last rename wins;
they are equal.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bedside.errors import BedsideError, ConfigError, Unavailable
from bedside.oci.hashing import Hasher

#: Names of files that are being written begin so.
TEMPORARY = ".writing-"
#: Content that is named by its digest is never written in place.
READ_ONLY = 0o444
_MIB = 1 << 20


@contextmanager
def refusals(place: Path) -> Iterator[None]:
    """Turn the system's refusal to write below `place` into an error with its reason.

    Raises:
        Unavailable: The disk is full, or has no room for this user.
        ConfigError: The folder must not be written.
    """
    try:
        yield
    except OSError as exc:
        raise refused(exc, place) from exc


def refused(exc: OSError, place: Path) -> BedsideError:
    """Return what a refusal of the system means to a person."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        existing = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(existing).free // _MIB
        return Unavailable(
            f"{place}: the disk is full, {free} MiB are free without what was being written",
            hint=f"df -h {existing}",
        )
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConfigError(f"{place}: {exc.strerror}", hint=f"ls -ld {place}")
    return Unavailable(f"{place}: {exc.strerror or type(exc).__name__}", hint=f"ls -ld {place}")


@contextmanager
def new_file(place: Path) -> Iterator[BinaryIO]:
    """Open a file to write that appears at `place` when all is written, and never if not.

    Raises:
        Unavailable: The disk is full.
        ConfigError: The folder must not be written.
    """
    temporary = place.parent / f"{TEMPORARY}{os.getpid()}-{os.urandom(16).hex()}"
    with refusals(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                yield stream
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)


def write_file(place: Path, data: bytes) -> None:
    """Write a small file whole."""
    with new_file(place) as stream:
        stream.write(data)


def write_blob(folder: Path, pieces: Iterable[bytes]) -> tuple[str, int]:
    """Write a stream into a folder under its SHA-256.

    Returns:
        Its digest (``sha256:…``) and its length in bytes; the file is named by the hex digits.

    Raises:
        Unavailable: The disk is full.
    """
    size = 0
    temporary = folder / f"{TEMPORARY}{os.getpid()}-{os.urandom(16).hex()}"
    with refusals(folder), Hasher() as hasher:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                for piece in hasher.noting(pieces):
                    stream.write(piece)
                    size += len(piece)
            temporary.chmod(READ_ONLY)
            digest = hasher.hexdigest()
            temporary.replace(folder / digest)
        finally:
            temporary.unlink(missing_ok=True)
    return f"sha256:{digest}", size


def file_digest(path: Path) -> str:
    """Return ``sha256:`` and the hex digits over a file."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def link_or_copy(source: Path, place: Path) -> None:
    """Give a file that never changes a second place, by a second name where the file system has one."""
    temporary = place.parent / f"{TEMPORARY}{os.getpid()}-{os.urandom(16).hex()}"
    with refusals(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                os.link(source, temporary)
            except OSError as exc:
                if exc.errno in (errno.ENOENT, errno.ENOSPC):
                    raise
                shutil.copyfile(source, temporary)
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold a lock among processes: the file `place`, which stays."""
    with refusals(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
