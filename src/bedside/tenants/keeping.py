"""Keeps a tenant's objects in any other store, through this machine."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bedside.ports import Blob, BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughHere:
    """A place in another store; each object is fetched here and sent there.

    Attributes:
        source: The tenant's store.
        target: The same tenant's in the archive.
        scratch: Folder for one object at a time.
    """

    source: BlobStore
    target: BlobStore
    scratch: Path

    def copy(self, blob: Blob) -> None:
        """Copy an object of the store there."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            here = Path(folder) / "object"
            self.source.fetch(blob.key, here)
            self.target.put_file(blob.key, here)

    def stat(self, key: str) -> Blob | None:
        """Return what is there under a key, or None."""
        return self.target.stat(key)

    def put(self, key: str, data: bytes) -> None:
        """Write an object there."""
        self.target.put(key, data)
