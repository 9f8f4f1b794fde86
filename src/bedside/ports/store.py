"""Objects of a tenant, by key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An object in a store: its key below the tenant, length, and last change."""

    key: str
    size_bytes: int
    modified_at: datetime


class BlobStore(Protocol):
    """One tenant's objects. Another tenant's cannot be named through it.

    Keys are relative, ``/``-separated, without empty, ``.`` or ``..`` parts; anything else raises
    `UsageError`. Writes are atomic (a reader sees the old object, none, or the new one whole) and
    durable when the call returns. Missing keys raise `NotFound`; a store that is full, gone or
    refuses raises `Unavailable`. No caller makes a key that is an object and begins others below it: a
    store with folders refuses the second of the two (`UsageError`), one without keeps both.
    """

    def tenant(self, name: str) -> "BlobStore":
        """Return the same store for another tenant."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        ...

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file, which stays and must not be changed afterwards."""
        ...

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects; durable together when the call returns (one flush, not one each)."""
        ...

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        ...

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read at most ``length`` bytes from ``offset`` on; fewer where the object ends, none beyond."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        ...

    def fetch(self, key: str, destination: Path) -> None:
        """Bring an object to a new local file, read-only, perhaps by linking it."""
        ...

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        ...

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        ...
