"""Parts of an object in a folder store: each is written at its place in one file, which a rename completes.

Owns ``<tenant>/.bedside-uploads/<ticket>/``: ``bytes`` is the object to be, ``parts`` says which parts of it
are whole, one line each, written after their bytes are on the disk. Hashes are compared while bytes pass;
before the rename each part's CRC is read back, so that two who wrote other bytes to the same place, or a
disk that lost some, make no object. Never the whole twice: neither in memory nor on the disk.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bedside.adapters.local import durable, journal
from bedside.adapters.local.paths import as_ours, path_of
from bedside.domain.keys import TEMPORARY, check_key
from bedside.errors import ErrorCode, Full, InputRejected, NotFound, Overtaken, UsageError, told
from bedside.ports.parts import Part, StoredPart

FOLDER = f"{TEMPORARY}uploads"
_LOCK = "lock"
_TICKET = re.compile(r"[0-9a-f]{32}")
#: Who completes an upload waits so long for parts that are being written.
_LOCK_S = 10.0
#: Longer than any upload may stay open: what lies here then is in no ledger.
ABANDONED_S = 8 * 86400.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


class FolderParts:
    """The part of `FolderBlobStore` that takes objects in parts."""

    _base: Path

    def begin_parts(self, key: str) -> str:
        """Begin an object that will come in parts, and return a ticket for it."""
        check_key(key)
        ticket = uuid.uuid4().hex
        folder = self._base / FOLDER / ticket
        with _as_ours("begin an upload"):
            changed = durable.make_folders(folder)
            for name in (journal.BYTES, journal.JOURNAL, _LOCK):
                (folder / name).touch(exist_ok=False)
            durable.flush_all(changed | {folder})
        return ticket

    def stored_parts(self, key: str, ticket: str) -> Sequence[StoredPart]:
        """Return the parts that are there, by number."""
        check_key(key)
        with _as_ours("look at an upload"):
            return [kept.stored for _, kept in sorted(journal.read(self._upload(ticket)).items())]

    @contextlib.contextmanager
    def receive_part(self, key: str, ticket: str, part: Part) -> Iterator["FolderSink"]:
        """Take one part; a part that is left before its end is not kept."""
        check_key(key)
        with _as_ours("write a part"):
            folder = self._upload(ticket)
            with (folder / journal.BYTES).open("r+b", buffering=0) as target:
                yield FolderSink(folder, target.fileno(), part)

    def complete_parts(self, key: str, ticket: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts, whole or not at all; durable when the call returns."""
        place = path_of(self._base, key)
        with _as_ours("complete an upload"):
            folder = self._upload(ticket)
            with _locked(folder, fcntl.LOCK_EX):
                journal.check_whole(folder, parts)
                changed = durable.make_folders(place.parent)
                whole = folder / journal.BYTES
                os.truncate(whole, sum(part.size_bytes for part in parts))
                whole.chmod(durable.READ_ONLY)
                os.utime(whole)  # it arrives now, and not when its last part did
                durable.flush(whole)
                if place.exists():  # a copy to another file system that a crash kept from ending
                    whole.unlink()
                else:
                    self._publish(whole, place)
                durable.flush_all({*changed, place.parent, folder})
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, whole: Path, place: Path) -> None:
        try:
            whole.rename(place)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            # The drop-box is a file system of its own: its copy becomes whole by a rename there.
            staged = durable.temporary(place.parent)
            try:
                durable.copy(whole, staged, link=False)
                staged.rename(place)
            finally:
                staged.unlink(missing_ok=True)
            whole.unlink()

    def abort_parts(self, key: str, ticket: str) -> None:
        """Remove the parts; those of an upload that ended are no error."""
        check_key(key)
        with _as_ours("give up an upload"), contextlib.suppress(NotFound):
            shutil.rmtree(self._upload(ticket))

    def free_bytes(self) -> int:
        """Return how much more there is room for."""
        with _as_ours("look at the disk"):
            folder = next(found for found in (self._base, *self._base.parents) if found.exists())
            return shutil.disk_usage(folder).free

    def _upload(self, ticket: str) -> Path:
        """Return the folder of an upload that is under way."""
        if not _TICKET.fullmatch(ticket):
            raise UsageError("store: not a ticket of an upload")
        area = self._base / FOLDER
        folder = area / ticket
        if area.is_symlink() or folder.is_symlink() or not (folder / journal.BYTES).is_file():
            raise NotFound("store: no such upload is under way", told=told(ErrorCode.PARTS_LOST))
        return folder


class FolderSink:
    """Writes one part at its place, and hashes it on the way.

    Args:
        folder: Of the upload.
        target: Descriptor of the file of all parts.
        part: Which.
    """

    def __init__(self, folder: Path, target: int, part: Part) -> None:
        kept = journal.read(folder).get(part.number)
        self._folder = folder
        self._target = target
        self._part = part
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._done_bytes = 0
        # The same again is compared and not written: what is whole stays whole if this breaks off.
        self._there = kept is not None and (kept.stored.sha256, kept.stored.size_bytes) == (
            part.sha256,
            part.size_bytes,
        )
        self._spoils = kept is not None and not self._there

    def write(self, chunks: Sequence[bytes | bytearray | memoryview]) -> None:
        """Take bytes that follow those before."""
        size_bytes = sum(map(len, chunks))
        if self._done_bytes + size_bytes > self._part.size_bytes:
            raise InputRejected(
                f"part {self._part.number}: more than the {self._part.size_bytes} bytes that it has",
                told=told(ErrorCode.PART_DAMAGED),
            )
        for chunk in chunks:
            self._sha256.update(chunk)
            self._crc32 = zlib.crc32(chunk, self._crc32)
        if not self._there:
            # Held while bytes are written and not between: a line that went silent keeps nobody waiting.
            with _as_ours("write a part"), _locked(self._folder, fcntl.LOCK_SH):
                if self._spoils:
                    journal.forget(self._folder, self._part.number)
                    self._spoils = False
                _write_at(self._target, chunks, self._part.offset_bytes + self._done_bytes)
        self._done_bytes += size_bytes

    def finish(self) -> StoredPart:
        """Compare length and hash, and keep the part; it is durable when the call returns."""
        part = self._part
        if self._done_bytes != part.size_bytes:
            raise InputRejected(
                f"part {part.number}: {self._done_bytes} bytes came, it has {part.size_bytes}",
                hint="send the part again",
                told=told(ErrorCode.PART_DAMAGED),
            )
        if self._sha256.hexdigest() != part.sha256:
            raise InputRejected(
                f"part {part.number}: its SHA-256 is not the one that was said; it was not kept",
                hint="send the part again",
                told=told(ErrorCode.PART_DAMAGED),
            )
        if not self._there:
            with _as_ours("keep a part"), _locked(self._folder, fcntl.LOCK_SH):
                os.fdatasync(self._target)
                journal.note(self._folder, part.number, part.size_bytes, part.sha256, self._crc32)
        return StoredPart(number=part.number, size_bytes=part.size_bytes, sha256=part.sha256)


def sweep_parts(root: Path, *, older_s: float = ABANDONED_S) -> int:
    """Remove uploads that nobody touched for so long, in all tenants; return how many."""
    removed = 0
    with as_ours("sweep"):
        for folder in root.glob(f"*/{FOLDER}/*"):
            ages = [path.lstat().st_ctime for path in (folder, *folder.iterdir())]
            if time.time() - max(ages) >= older_s:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def _write_at(target: int, chunks: Sequence[bytes | bytearray | memoryview], offset: int) -> None:
    """Write at a place without joining what came in pieces."""
    views = [memoryview(chunk) for chunk in chunks if len(chunk)]
    while views:
        done = os.pwritev(target, views[:512], offset)
        offset += done
        while views and done >= len(views[0]):
            done -= len(views[0])
            del views[0]
        if done:
            views[0] = views[0][done:]


@contextlib.contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    """Hold an upload's lock: parts are written under a shared one, and completed under one's own.

    Raises:
        NotFound: It was completed or given up meanwhile.
        Overtaken: Others hold it.
    """
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        give_up = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Overtaken(
                        "store: parts of this upload are still being written",
                        told=told(ErrorCode.UPLOAD_RACED),
                    ) from None
                time.sleep(0.02)
        if not (folder / journal.BYTES).is_file():
            raise NotFound("store: no such upload is under way", told=told(ErrorCode.PARTS_LOST))
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _as_ours(doing: str) -> Iterator[None]:
    """As `as_ours`, and a full disk by its name."""
    try:
        with as_ours(doing):
            yield
    except Exception as exc:
        cause = exc.__cause__
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            raise Full(
                f"store: cannot {doing}: the disk is full; what was sent before stays",
                hint="free some disk, then go on",
                told=told(ErrorCode.DISK_FULL),
            ) from cause
        raise
