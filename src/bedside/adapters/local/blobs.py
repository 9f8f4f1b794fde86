"""A store in a folder: ``<root>/<tenant>/<key>``, atomic and durable, links never followed.

Objects are files that a person can look at with any tool. They are read-only and never written in
place, so `fetch` may give away a second name of the same bytes instead of a copy. What lies in the
drop-box was written by others and is copied.
"""

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bedside.adapters.local import durable
from bedside.adapters.local.parts import FolderParts, sweep_parts
from bedside.adapters.local.paths import as_ours, key_of, path_of
from bedside.domain.keys import TEMPORARY, check_key, check_prefix, check_range, check_tenant
from bedside.errors import NotFound, UsageError
from bedside.ports import Blob

_THREADS = 8
_RETRIES = 20
_LAST_S = 253_402_300_000.0  # late in the year 9999


class FolderBlobStore(FolderParts):
    """One tenant's objects in a folder.

    Args:
        root: Folder of all tenants; made where it is missing.
        tenant: Whose objects; `tenant` gives another's.
    """

    def __init__(self, root: Path, tenant: str = "default") -> None:
        self._root = Path(os.path.realpath(root))
        self._tenant = check_tenant(tenant)
        self._base = self._root / self._tenant

    def tenant(self, name: str) -> "FolderBlobStore":
        """Return the same store for another tenant."""
        return FolderBlobStore(self._root, name)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        path = path_of(self._base, key)
        with as_ours("write"):
            self._write({path: data})

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file, which stays and must not be changed afterwards."""
        self.put_files({key: source})

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects; durable together when the call returns (one flush, not one each)."""
        places = {path_of(self._base, key): Path(os.path.realpath(f)) for key, f in files.items()}
        for source in places.values():
            if not source.is_file():
                raise UsageError("store: a file to put is not there")
        with as_ours("write"):
            self._write(places)

    def _write(self, content: Mapping[Path, Path | bytes]) -> None:
        changed: set[Path] = set()
        staged: dict[Path, Path] = {}
        try:
            for place in content:
                if place.is_dir():
                    raise UsageError("store: a key cannot be an object and a prefix of others at once")
            # A neighbour's delete may take a folder away between its making and the writing into it.
            for left in reversed(range(_RETRIES)):
                try:
                    for place in content:
                        changed |= durable.make_folders(place.parent)
                    self._stage(content, staged)
                    break
                except FileNotFoundError:
                    if not left:
                        raise
            changed |= durable.publish(staged)
        except NotADirectoryError as exc:
            raise UsageError("store: a key cannot be an object and a prefix of others at once") from exc
        finally:
            # Also after success: a rename between two names of one file does nothing (POSIX).
            for temp in staged:
                temp.unlink(missing_ok=True)
        durable.flush_all(changed)

    def _stage(self, content: Mapping[Path, Path | bytes], staged: dict[Path, Path]) -> None:
        todo = []
        done = set(staged.values())
        for place, source in content.items():
            if place not in done:
                temp = durable.temporary(place.parent)
                staged[temp] = place
                todo.append((temp, source))

        def stage(item: tuple[Path, Path | bytes]) -> None:
            temp, source = item
            if isinstance(source, bytes):
                durable.write(temp, source)
            else:
                durable.copy(source, temp, link=self._ours(source))

        try:
            if len(todo) == 1:
                stage(todo[0])
            else:
                with ThreadPoolExecutor(min(_THREADS, max(1, len(todo)))) as pool:
                    list(pool.map(stage, todo))
        except FileNotFoundError:
            for temp, _ in todo:
                temp.unlink(missing_ok=True)
                del staged[temp]
            raise

    def _ours(self, source: Path) -> bool:
        """Whether a file to put lies in a work folder below the root: nobody else changes it."""
        return self._root in source.parents and source.relative_to(self._root).parts[1:2] != ("input",)

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        with self.open(key) as stream, as_ours("read"):
            return stream.read()

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read at most ``length`` bytes from ``offset`` on; fewer where the object ends, none beyond."""
        check_range(offset, length)
        handle = self._opened(key)
        try:
            with as_ours("read"):
                return os.pread(handle, length, offset)
        finally:
            os.close(handle)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        return os.fdopen(self._opened(key), "rb")

    def _opened(self, key: str) -> int:
        path = path_of(self._base, key)
        with as_ours("read"):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise NotFound("store: no such object")
            return handle

    def fetch(self, key: str, destination: Path) -> None:
        """Bring an object to a new local file, read-only, perhaps by linking it."""
        path = path_of(self._base, key)
        with as_ours("fetch"):  # neither a link nor an exclusive opening takes a name that is taken
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise NotFound("store: no such object")
            given = stat.S_IMODE(found.st_mode) == durable.READ_ONLY
            if given and not key.startswith("input/") and durable.linked(path, destination):
                return
        with self.open(key) as stream, as_ours("fetch"), destination.open("xb") as target:
            shutil.copyfileobj(stream, target, 2**20)
            os.fchmod(target.fileno(), durable.READ_ONLY)

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        try:
            path = path_of(self._base, key)
            with as_ours("look at"):
                return _blob(key, path.lstat())
        except NotFound:
            return None

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        folder, _, begin = check_prefix(prefix).rpartition("/")
        try:
            path = path_of(self._base, f"{folder}/x").parent if folder else self._base
        except NotFound:
            return iter(())
        return self._below(path, f"{folder}/" if folder else "", begin)

    def _below(self, folder: Path, prefix: str, begin: str) -> Iterator[Blob]:
        with as_ours("list"):
            try:
                with os.scandir(folder) as found:
                    entries = [(key_of(e.name), e) for e in found if not e.name.startswith(TEMPORARY)]
            except (FileNotFoundError, NotADirectoryError):
                return
            # A folder sorts as its name and a slash, as its keys do: "a-b" stands before "a/b".
            ordered = sorted(
                (f"{name}/" if e.is_dir(follow_symlinks=False) else name, e)
                for name, e in entries
                if name.startswith(begin)
            )
        for name, entry in ordered:
            if name.endswith("/"):
                yield from self._below(Path(entry.path), prefix + name, "")
                continue
            try:
                blob = _blob(prefix + name, entry.stat(follow_symlinks=False))
            except FileNotFoundError:  # moved away meanwhile
                continue
            if blob is not None:
                yield blob

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix.

        Atomic where both lie on one file system and nothing lies under the destination yet; else
        object by object, and calling again goes on.
        """
        check_key(destination)
        if source == destination or f"{destination}/".startswith(f"{source}/"):
            raise UsageError("store: cannot move an object or a prefix into itself")
        old, new = path_of(self._base, source), path_of(self._base, destination)
        with as_ours("move"):
            is_folder = stat.S_ISDIR(old.lstat().st_mode)
            changed = durable.make_folders(new.parent)
            try:
                if not is_folder and new.is_dir():
                    raise UsageError("store: a key cannot be an object and a prefix of others at once")
                old.rename(new)
            except OSError as exc:
                if exc.errno not in (errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._move_each(source, destination, is_folder=is_folder)
            durable.flush_all(changed | {p for p in (old.parent, new.parent) if p.is_dir()})
        self._prune(old.parent)

    def _move_each(self, source: str, destination: str, *, is_folder: bool) -> None:
        blobs = list(self.list(f"{source}/")) if is_folder else [self.stat(source)]
        for blob in blobs:
            if blob is not None:
                target = destination + blob.key[len(source) :]
                old, new = path_of(self._base, blob.key), path_of(self._base, target)
                try:
                    durable.make_folders(new.parent)
                    old.replace(new)
                except OSError as exc:
                    if exc.errno != errno.EXDEV:
                        raise
                    self._write({new: old})
                    old.unlink(missing_ok=True)
                self._prune(old.parent)

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        try:
            path = path_of(self._base, key)
            with as_ours("delete"):
                if stat.S_ISDIR(path.lstat().st_mode):
                    return
                path.unlink()
                durable.flush(path.parent)
        except NotFound:
            return
        self._prune(path.parent)

    def _prune(self, folder: Path) -> None:
        """Remove folders left empty, but not those right below the tenant's: they are the map."""
        while self._base in folder.parents and folder.parent != self._base:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already
                return
            folder = folder.parent

    def sweep(self, *, older_s: float = 3600.0) -> int:
        """Remove what crashed writers left half-written, in all tenants; return how many."""
        removed = 0
        with as_ours("sweep"):
            for folder, _, names in os.walk(self._root):
                for name in names:
                    path = Path(folder, name)
                    if name.startswith(TEMPORARY) and _age_s(path) >= older_s:
                        path.unlink(missing_ok=True)
                        removed += 1
        return removed + sweep_parts(self._root)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_ctime  # the inode's own: a copied time cannot mislead
    except FileNotFoundError:
        return -1.0


def _blob(key: str, found: os.stat_result) -> Blob | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    modified_s = min(max(found.st_mtime_ns / 1e9, 0.0), _LAST_S)  # a file may say any time at all
    modified_at = datetime.fromtimestamp(modified_s, UTC)
    return Blob(key=key, size_bytes=found.st_size, modified_at=modified_at)
