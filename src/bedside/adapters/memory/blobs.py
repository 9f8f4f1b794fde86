"""A store in memory, for tests of what uses one. It keeps the folder store's promises."""

import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bedside.domain.keys import check_key, check_prefix, check_range, check_tenant
from bedside.errors import NotFound, Unavailable, UsageError
from bedside.ports import Blob


@dataclass(slots=True)
class _Objects:
    """What all tenants' stores share. Keys are (tenant, key)."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    content: dict[tuple[str, str], tuple[bytes, datetime]] = field(default_factory=dict)


class MemoryBlobStore:
    """One tenant's objects in a dictionary.

    Args:
        tenant: Whose objects; `tenant` gives another's.
    """

    def __init__(self, tenant: str = "default", *, _objects: _Objects | None = None) -> None:
        self._tenant = check_tenant(tenant)
        self._objects = _objects or _Objects()

    def tenant(self, name: str) -> "MemoryBlobStore":
        """Return the same store for another tenant."""
        return MemoryBlobStore(name, _objects=self._objects)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._put({key: data})

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file."""
        self.put_files({key: source})

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects."""
        if not all(source.is_file() for source in files.values()):
            raise UsageError("store: a file to put is not there")
        try:
            self._put({key: source.read_bytes() for key, source in files.items()})
        except OSError as exc:
            raise Unavailable(f"store: a file to put cannot be read: {exc.strerror}") from exc

    def _put(self, content: Mapping[str, bytes]) -> None:
        with self._objects.lock:
            for key in content:
                self._check_free(check_key(key))
            for key, data in content.items():
                self._objects.content[self._tenant, key] = (data, datetime.now(UTC))

    def _check_free(self, key: str) -> None:
        """Refuse a key below an object or above one, as a folder does."""
        parts = key.split("/")
        above = {(self._tenant, "/".join(parts[:n])) for n in range(1, len(parts))}
        if above & self._objects.content.keys() or any(True for _ in self._below(key + "/")):
            raise UsageError("store: a key cannot be an object and a prefix of others at once")

    def _below(self, prefix: str) -> Iterator[str]:
        return (k for t, k in self._objects.content if t == self._tenant and k.startswith(prefix))

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        with self._objects.lock:
            try:
                return self._objects.content[self._tenant, check_key(key)][0]
            except KeyError:
                raise NotFound("store: no such object") from None

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read at most ``length`` bytes from ``offset`` on; fewer where the object ends, none beyond."""
        check_range(offset, length)
        return self.get(key)[offset : offset + length]

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        return io.BytesIO(self.get(key))

    def fetch(self, key: str, destination: Path) -> None:
        """Write an object to a new local file, read-only."""
        data = self.get(key)
        if destination.exists():
            raise UsageError("store: the file to fetch to exists")
        try:
            destination.write_bytes(data)
            destination.chmod(0o444)
        except OSError as exc:
            raise Unavailable(f"store: cannot fetch: {exc.strerror}") from exc

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        with self._objects.lock:
            found = self._objects.content.get((self._tenant, check_key(key)))
        return None if found is None else Blob(key=key, size_bytes=len(found[0]), modified_at=found[1])

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        check_prefix(prefix)
        with self._objects.lock:
            keys = sorted(self._below(prefix))
        for key in keys:
            blob = self.stat(key)
            if blob is not None:
                yield blob

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix."""
        check_key(source)
        check_key(destination)
        if source == destination or f"{destination}/".startswith(f"{source}/"):
            raise UsageError("store: cannot move an object or a prefix into itself")
        content = self._objects.content
        with self._objects.lock:
            if (self._tenant, source) in content:
                self._check_free(destination)
                content[self._tenant, destination] = content.pop((self._tenant, source))
                return
            below = list(self._below(source + "/"))
            if not below:
                raise NotFound("store: nothing to move under this key")
            for key in below:
                target = destination + key[len(source) :]
                content[self._tenant, target] = content.pop((self._tenant, key))

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        with self._objects.lock:
            self._objects.content.pop((self._tenant, check_key(key)), None)
