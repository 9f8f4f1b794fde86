"""A store in a bucket of S3, or of a server that speaks like it.

Owns one tenant's objects; where they lie says `places`. Keeps the promises of every store: S3 shows an
object whole or not at all, and after a write to everybody. A key may be an object and begin others at
once here, since S3 has no folders (decision 101).
"""

import heapq
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from bedside.adapters.aws.clients import LateClient, make_client
from bedside.adapters.aws.errors import Changed, as_ours
from bedside.adapters.aws.parts import BucketParts
from bedside.adapters.aws.places import TOP, Bucket
from bedside.adapters.aws.reading import S3Object
from bedside.adapters.aws.transfers import S3Options, local_errors, transferring
from bedside.domain.keys import TEMPORARY, check_key, check_prefix, check_range, check_tenant
from bedside.errors import NotFound, UsageError
from bedside.ports import Blob
from bedside.worker.abreast import abreast

#: An upload in parts that nobody finished for so long is nobody's any more: people may go on with theirs for
#: a week (upload.keep_days).
_ABANDONED_S = 8 * 86400.0
_READ_ONLY = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An object, and its ETag, which tells it from what is written there later."""

    blob: Blob
    version: str


class S3BlobStore(BucketParts):
    """One tenant's objects in a bucket.

    Args:
        bucket: Where all tenants' objects lie.
        tenant: Whose objects; `tenant` gives another's.
        options: How they travel.
    """

    def __init__(
        self,
        bucket: Bucket,
        tenant: str = "default",
        options: S3Options = S3Options(),  # noqa: B008 - frozen
        *,
        _client: Callable[[], Any] | None = None,
    ) -> None:
        self._bucket = bucket
        self._tenant = check_tenant(tenant)
        self._options = options
        self._client = _client or LateClient(
            lambda: make_client("s3", endpoint_url=options.endpoint_url, connections=2 * options.threads)
        )

    def tenant(self, name: str) -> "S3BlobStore":
        """Return the same store for another tenant."""
        return S3BlobStore(self._bucket, name, self._options, _client=self._client)

    def elsewhere(self, bucket: Bucket) -> "S3BlobStore":
        """Return the same tenant's store in another bucket."""
        return S3BlobStore(bucket, self._tenant, self._options, _client=self._client)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        place = self._bucket.object(self._tenant, key)
        with as_ours("store: cannot write"):
            self._client().put_object(Bucket=self._bucket.name, Key=place, Body=data)

    def put_file(self, key: str, source: Path) -> None:
        """Write an object from a file, which stays and must not be changed afterwards."""
        self.put_files({key: source})

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Write many objects; durable together when the call returns (one flush, not one each)."""
        places = {self._bucket.object(self._tenant, key): source for key, source in files.items()}
        if not all(source.is_file() for source in places.values()):
            raise UsageError("store: a file to put is not there")
        if not places:
            return
        with transferring(self._client(), "write", self._options.uploads) as transfers:
            waiting = [transfers.upload(str(f), self._bucket.name, p) for p, f in places.items()]
            for each in waiting:
                each.result()

    def get(self, key: str) -> bytes:
        """Read a whole object."""
        return self._object(key).read()

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read at most ``length`` bytes from ``offset`` on; fewer where the object ends, none beyond."""
        check_range(offset, length)
        return self._object(key).read_some(offset, length)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading as a stream."""
        return self._object(key).stream()

    def _object(self, key: str) -> S3Object:
        place = self._bucket.object(self._tenant, key)
        return S3Object(client=self._client(), bucket=self._bucket.name, key=place)

    def fetch(self, key: str, destination: Path) -> None:
        """Bring an object to a new local file, read-only, perhaps by linking it."""
        wanted = self._object(key)
        if os.path.lexists(destination):
            raise UsageError("store: the file to fetch to exists")
        staged = destination.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}")
        with local_errors("fetch"):
            handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                try:
                    wanted.write_to(
                        handle, part_bytes=self._options.part_bytes, threads=self._options.threads
                    )
                    os.fchmod(handle, _READ_ONLY)
                finally:
                    os.close(handle)
                os.link(staged, destination)  # unlike a rename it takes no name that is taken
            except FileExistsError as exc:
                raise UsageError("store: the file to fetch to exists") from exc
            finally:
                staged.unlink(missing_ok=True)

    def stat(self, key: str) -> Blob | None:
        """Return what is known of an object, or None where there is none."""
        found = self._look(key)
        return found.blob if found else None

    def _look(self, key: str) -> "_Found | None":
        place = self._bucket.object(self._tenant, key)
        try:
            with as_ours("store: cannot look at an object"):
                found = self._client().head_object(Bucket=self._bucket.name, Key=place)
        except NotFound:
            return None
        return _found(key, found["ContentLength"], found)

    def list(self, prefix: str) -> Iterator[Blob]:
        """Iterate over all objects whose key starts with ``prefix``, in key order."""
        area, slash, rest = check_prefix(prefix).partition("/")
        if slash:
            return (found.blob for found in self._in_area(area, rest))
        # Keys of one part stand between the areas, as files stand between folders.
        areas = chain.from_iterable(self._in_area(name, "") for name in self._areas(area))
        merged = heapq.merge(self._in_area(TOP, area), areas, key=lambda found: found.blob.key)
        return (found.blob for found in merged)

    def _areas(self, begin: str) -> Iterator[str]:
        for page in self._pages(Prefix=self._bucket.prefix + begin, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                name = found["Prefix"].removeprefix(self._bucket.prefix).removesuffix("/")
                if name != TOP:
                    yield name

    def _in_area(self, area: str, begin: str) -> "Iterator[_Found]":
        place = self._bucket.area(area, self._tenant)
        for page in self._pages(Prefix=place + begin):
            for found in page.get("Contents", ()):
                rest = str(found["Key"]).removeprefix(place)
                key = rest if area == TOP else f"{area}/{rest}"
                if _is_key(key):
                    yield _found(key, found["Size"], found)

    def _pages(self, **which: str) -> Iterator[Any]:
        with as_ours("store: cannot list"):
            pages = iter(
                self._client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket.name, **which)
            )
            while (page := next(pages, None)) is not None:
                yield page

    def move(self, source: str, destination: str) -> None:
        """Rename an object, or everything below ``source/`` where that is a prefix.

        S3 renames nothing: each object is copied there and then removed here, so that a move that broke
        off is finished by calling again.
        """
        self.move_to(self, source, destination)

    def move_to(self, other: "S3BlobStore", source: str, destination: str) -> None:
        """Do as `move`, into another bucket perhaps."""
        check_key(source)
        check_key(destination)
        if source == destination or f"{destination}/".startswith(f"{source}/"):
            raise UsageError("store: cannot move an object or a prefix into itself")
        whole = self._look(source)
        area, _, rest = f"{source}/".partition("/")
        found = [whole] if whole else list(self._in_area(area, rest))
        if not found:
            raise NotFound("store: nothing to move under this key")

        def move(one: _Found) -> None:
            self._move_one(one, other, destination + one.blob.key[len(source) :])

        abreast(move, found, threads=self._options.threads)

    def _move_one(self, found: "_Found", other: "S3BlobStore", target: str) -> None:
        """Copy and remove one version; what somebody wrote there meanwhile stays."""
        old = self._bucket.object(self._tenant, found.blob.key)
        there, new = other._bucket.name, other._bucket.object(other._tenant, target)
        origin = {"Bucket": self._bucket.name, "Key": old}
        only = {"CopySourceIfMatch": found.version}
        if found.blob.size_bytes <= self._options.copy_bytes:
            with as_ours("store: cannot move"):
                self._client().copy_object(CopySource=origin, Bucket=there, Key=new, **only)
        else:
            with transferring(self._client(), "move", self._options.copies) as transfers:
                transfers.copy(origin, there, new, extra_args=only).result()
        try:
            with as_ours("store: cannot move"):
                self._client().delete_object(Bucket=self._bucket.name, Key=old, IfMatch=found.version)
        except (NotFound, Changed):
            return

    def copy_to(self, other: "S3BlobStore", blob: Blob, storage_class: str) -> None:
        """Copy an object under the same key into another bucket or prefix, on S3's side.

        Args:
            other: Where to.
            blob: What.
            storage_class: Of the copy, as S3 names it.
        """
        origin = {"Bucket": self._bucket.name, "Key": self._bucket.object(self._tenant, blob.key)}
        there, new = other._bucket.name, other._bucket.object(other._tenant, blob.key)
        chosen = {"StorageClass": storage_class}
        if blob.size_bytes <= self._options.copy_bytes:
            with as_ours("store: cannot copy"):
                self._client().copy_object(CopySource=origin, Bucket=there, Key=new, **chosen)
            return
        with transferring(self._client(), "copy", self._options.copies) as transfers:
            transfers.copy(origin, there, new, extra_args=chosen).result()

    def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        place = self._bucket.object(self._tenant, key)
        with as_ours("store: cannot delete"):
            self._client().delete_object(Bucket=self._bucket.name, Key=place)

    def presign_put(self, key: str, expires_s: int, size_bytes: int | None = None) -> str:
        """Return a URL to which anybody may PUT this object, once or more, until it expires.

        Args:
            key: Of the object.
            expires_s: Seconds until then; at most 7 days, and less where the credentials end before.
            size_bytes: What the sender must send exactly; None is any length up to S3's 5 GB.
        """
        length = {} if size_bytes is None else {"ContentLength": size_bytes}
        return self._presign("put_object", key, expires_s, length)

    def presign_get(self, key: str, expires_s: int) -> str:
        """Return a URL with which anybody may read this object until it expires."""
        return self._presign("get_object", key, expires_s, {})

    def url(self, key: str) -> str:
        """Return where a person finds what lies under a key, as ``aws s3`` takes it."""
        return self._bucket.url(self._tenant, key)

    def _presign(self, operation: str, key: str, expires_s: int, more: Mapping[str, object]) -> str:
        place = self._bucket.object(self._tenant, key)
        with as_ours("store: cannot sign a URL"):
            signed = self._client().generate_presigned_url(
                operation, Params={"Bucket": self._bucket.name, "Key": place, **more}, ExpiresIn=expires_s
            )
        return str(signed)

    def check(self) -> str:
        """Return in words what the store is, once it answered.

        Raises:
            Unavailable: It is out of reach, or these credentials may not list it.
        """
        client = self._client()
        with as_ours(f"store: {self._bucket}"):
            client.list_objects_v2(Bucket=self._bucket.name, Prefix=self._bucket.prefix, MaxKeys=1)
        return f"{self._bucket} answers at {client.meta.endpoint_url}"

    def sweep(self, *, older_s: float = _ABANDONED_S) -> int:
        """Give up uploads in parts that nobody finished for so long, in all tenants; return how many.

        Their parts are listed nowhere and paid for every month.
        """
        client, removed = self._client(), 0
        oldest = datetime.now(UTC) - timedelta(seconds=older_s)
        with as_ours("store: cannot give up an unfinished upload"):
            uploads = client.get_paginator("list_multipart_uploads")
            for page in uploads.paginate(Bucket=self._bucket.name, Prefix=self._bucket.prefix):
                for found in page.get("Uploads", ()):
                    if found["Initiated"] < oldest:
                        client.abort_multipart_upload(
                            Bucket=self._bucket.name, Key=found["Key"], UploadId=found["UploadId"]
                        )
                        removed += 1
        return removed


def _found(key: str, size_bytes: int, answer: Mapping[str, Any]) -> _Found:
    # Whole seconds: an answer to HEAD has no more, and the same object must look the same each time.
    modified_at = answer["LastModified"].astimezone(UTC).replace(microsecond=0)
    blob = Blob(key=key, size_bytes=int(size_bytes), modified_at=modified_at)
    return _Found(blob=blob, version=str(answer["ETag"]))


def _is_key(key: str) -> bool:
    """Whether what others put may be read at all: consoles leave ``folder/`` for each folder they make."""
    try:
        check_key(key)
    except UsageError:
        return False
    return True
