"""Keeps a tenant's objects in another bucket, or below another prefix, copied on S3's side."""

from dataclasses import dataclass

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.ports import Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Keeping:
    """One tenant's place in a bucket.

    Attributes:
        source: The tenant's store.
        target: The same tenant's in the archive.
        storage_class: What objects cost there, and how soon they can be read.
    """

    source: RoutedBlobStore
    target: S3BlobStore
    storage_class: str

    def copy(self, blob: Blob) -> None:
        """Copy an object of the store there."""
        self.source.at(blob.key).copy_to(self.target, blob, self.storage_class)

    def stat(self, key: str) -> Blob | None:
        """Return what is there under a key, or None."""
        return self.target.stat(key)

    def put(self, key: str, data: bytes) -> None:
        """Write an object there, in the class that can be read at once."""
        self.target.put(key, data)
