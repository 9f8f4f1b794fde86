"""A store of all tenants of which some have buckets of their own: an input bucket and an output bucket.

Owns which bucket a key is in. Inside, everything lies as in the shared bucket (area first, tenant second),
so that a copy from one to the other changes no key, and events are read by one rule.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.domain.keys import check_key, check_prefix
from bedside.domain.tenant import TenantBuckets
from bedside.ports import Blob
from bedside.ports.parts import Part, SignedPart, StoredPart

#: What a tenant's output bucket takes; the input bucket takes the rest.
OUTPUT_AREAS = frozenset({"results", "shadows"})

#: Returns a tenant's own buckets, or None where it shares the deployment's.
Routes = Callable[[str], TenantBuckets | None]


def own_bucket(own: TenantBuckets, key: str) -> Bucket:
    """Return which of a tenant's own buckets a key is in."""
    return Bucket(name=own.output if key.partition("/")[0] in OUTPUT_AREAS else own.input)


class RoutedBlobStore:
    """One tenant's objects, wherever they lie.

    Args:
        shared: The deployment's bucket.
        routes: Who has buckets of its own. Asked when a tenant's first object is.
        tenant: Whose objects; `tenant` gives another's.
    """

    def __init__(self, shared: S3BlobStore, routes: Routes, tenant: str = "default") -> None:
        self._shared = shared.tenant(tenant)
        self._routes = routes
        self._tenant = tenant

    def tenant(self, name: str) -> "RoutedBlobStore":
        """Return the same store for another tenant."""
        return RoutedBlobStore(self._shared, self._routes, name)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self.at(key).put(key, data)

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file, which stays and must not be changed afterwards."""
        self.at(key).put_file(key, source)

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects; durable together when the call returns (one flush, not one each)."""
        by_store: dict[int, dict[str, Path]] = defaultdict(dict)
        for key, source in files.items():
            by_store[self._number(check_key(key))][key] = source
        for number, some in sorted(by_store.items()):
            self._stores[number].put_files(some)

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        return self.at(key).get(key)

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read at most ``length`` bytes from ``offset`` on; fewer where the object ends, none beyond."""
        return self.at(key).read(key, offset, length)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        return self.at(key).open(key)

    def fetch(self, key: str, destination: Path) -> None:
        """Bring an object to a new local file, read-only, perhaps by linking it."""
        self.at(key).fetch(key, destination)

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        return self.at(key).stat(key)

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        if "/" in check_prefix(prefix) or not self._is_apart:
            return self.at(prefix).list(prefix)
        return heapq.merge(*(store.list(prefix) for store in self._stores), key=lambda blob: blob.key)

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix."""
        self.at(source).move_to(self.at(destination), source, destination)

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        self.at(key).delete(key)

    def presign_put(self, key: str, expires_s: int, size_bytes: int | None = None) -> str:
        """Return a URL to which anybody may PUT this object. See `S3BlobStore.presign_put`."""
        return self.at(key).presign_put(key, expires_s, size_bytes)

    def presign_get(self, key: str, expires_s: int) -> str:
        """Return a URL with which anybody may read this object until it expires."""
        return self.at(key).presign_get(key, expires_s)

    def begin_parts(self, key: str) -> str:
        """Begin an object that will come in parts, and return a ticket for it."""
        return self.at(key).begin_parts(key)

    def stored_parts(self, key: str, ticket: str) -> Sequence[StoredPart]:
        """Return the parts that are there, by number."""
        return self.at(key).stored_parts(key, ticket)

    def complete_parts(self, key: str, ticket: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts, whole or not at all."""
        self.at(key).complete_parts(key, ticket, parts)

    def abort_parts(self, key: str, ticket: str) -> None:
        """Remove the parts; those of an upload that ended are no error."""
        self.at(key).abort_parts(key, ticket)

    def presign_part(self, key: str, ticket: str, part: Part, expires_s: int) -> SignedPart:
        """Return where a part can be sent; the store compares its hash and refuses others."""
        return self.at(key).presign_part(key, ticket, part, expires_s)

    def origin(self, key: str) -> str:
        """Return scheme, host and port of such URLs."""
        return self.at(key).origin(key)

    def url(self, key: str) -> str:
        """Return where a person finds what lies under a key, as ``aws s3`` takes it."""
        return self.at(key).url(key)

    @cached_property
    def _stores(self) -> tuple[S3BlobStore, S3BlobStore]:
        own = self._routes(self._tenant)
        if own is None:
            return self._shared, self._shared
        return self._shared.elsewhere(Bucket(name=own.input)), self._shared.elsewhere(Bucket(name=own.output))

    @property
    def _is_apart(self) -> bool:
        return self._stores[0] is not self._stores[1]

    def at(self, key: str) -> S3BlobStore:
        """Return the store of the bucket that a key is in."""
        return self._stores[self._number(key)]

    def _number(self, key: str) -> int:
        # A key of one part is in no area; where it names one, it means all that lies there.
        return int(key.partition("/")[0] in OUTPUT_AREAS)
