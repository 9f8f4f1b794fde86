"""Folders that appear whole: entries written to a disk, and back.

Owns the step between entries and files that other programs read (a Python that compiles, a wheel that is
pruned). Owners and times are not kept: layers have none.
"""

import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bedside.oci.parts import Entry, EntryKind
from bedside.oci.storage import TEMPORARY, refusals

#: What packages are fetched and unpacked to, below bedside's cache folder; layers need none of it.
MATERIALS = ("debs", "interpreters", "wheels")


def clear_materials(cache: Path) -> int:
    """Remove fetched and unpacked packages from bedside's cache, and return the bytes that were freed."""
    freed = 0
    with refusals(cache):
        for name in MATERIALS:
            files = [path for path in (cache / name).rglob("*") if path.is_file() and not path.is_symlink()]
            freed += sum(path.stat().st_size for path in files)
            shutil.rmtree(cache / name, ignore_errors=True)
    return freed


@contextmanager
def unpacking(place: Path) -> Iterator[Path]:
    """Open a new folder that appears at `place` when the block ends, and never if it fails.

    Raises:
        Unavailable: The disk is full.
    """
    temporary = place.parent / f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}"
    with refusals(place.parent):
        temporary.mkdir(parents=True)
        try:
            yield temporary
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_entries(entries: Iterable[Entry], folder: Path) -> None:
    """Write entries below a folder. Links are written as they are and never followed."""
    hard_links = []
    for entry in entries:
        place = folder / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind is EntryKind.DIRECTORY:
            place.mkdir(exist_ok=True)
            place.chmod(entry.mode)
        elif entry.kind is EntryKind.SYMLINK:
            place.symlink_to(entry.target)
        elif entry.kind is EntryKind.HARDLINK:
            hard_links.append(entry)
        else:
            place.write_bytes(
                entry.content if isinstance(entry.content, bytes) else entry.content.read_bytes()
            )
            place.chmod(entry.mode & 0o777)
    for entry in hard_links:
        (folder / entry.path).hardlink_to(folder / entry.target)


def folder_entries(folder: Path, *, below: str) -> Iterator[Entry]:
    """Yield the files and links of a folder, sorted, as entries below a path; folders follow from paths."""
    for path in sorted(folder.rglob("*")):
        name = f"{below}/{path.relative_to(folder).as_posix()}"
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            yield Entry(path=name, kind=EntryKind.SYMLINK, mode=0o777, target=str(path.readlink()))
        elif stat.S_ISREG(found.st_mode):
            yield Entry(path=name, mode=0o755 if found.st_mode & 0o100 else 0o644, content=path)
