"""Writes that survive a power cut: staged beside their place, flushed, renamed, folders flushed.

A rename is atomic but not durable until its folder is flushed, and a flushed folder may name a file
whose bytes are not on the disk: the order is bytes, rename, folder. Many files are flushed by a few
threads at once, since the disk answers several flushes with one write of its journal.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bedside.domain.keys import TEMPORARY

_THREADS = 8
#: A file of ours is never written in place, so that links to it may be given away.
READ_ONLY = 0o444


def temporary(folder: Path) -> Path:
    """Return a new name in ``folder`` that listings skip."""
    return folder / f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}"


def make_folders(folder: Path) -> set[Path]:
    """Create ``folder`` and what is missing above it, and return the folders that changed."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
    return {new.parent for new in missing}


def flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_all(paths: Iterable[Path]) -> None:
    """Flush many at once."""
    waiting = list(paths)
    if len(waiting) == 1:
        flush(waiting[0])
    elif waiting:
        with ThreadPoolExecutor(min(_THREADS, len(waiting))) as pool:
            list(pool.map(flush, waiting))


def write(staged: Path, data: bytes) -> None:
    """Write bytes to a new file, flushed."""
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, READ_ONLY)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def copy(source: Path, staged: Path, *, link: bool) -> None:
    """Link or copy a file to a new name, flushed.

    Args:
        source: Stays.
        staged: Must not exist.
        link: Whether the two may be one file from now on; copied where that cannot be.
    """
    if not (link and linked(source, staged)):
        # O_EXCL: a name that a stranger planted is not followed.
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        shutil.copyfile(source, staged)
    staged.chmod(READ_ONLY)
    os.utime(staged)
    flush(staged)


def linked(source: Path, destination: Path) -> bool:
    """Give a file a second name, or return False where the file system has no way to."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError as exc:
        if exc.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS):
            return False
        raise
    return True


def publish(staged: Mapping[Path, Path]) -> set[Path]:
    """Rename staged files (temporary name → place), and return the folders that changed."""
    for temp, place in staged.items():
        temp.replace(place)
    return {place.parent for place in staged.values()}
