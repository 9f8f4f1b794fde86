"""Parts of an object in a bucket: an upload in parts of S3, whose parts whoever has a signed URL sends.

Owns that every part carries its SHA-256: S3 compares it before it keeps the part, and the signature covers
it, so that a URL takes no other bytes. What began and did not end S3 gives up by itself after days (the
bucket's lifecycle), and `S3BlobStore.sweep` where there is none.
"""

import base64
import contextlib
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions

from bedside.adapters.aws.errors import as_ours, code_of
from bedside.adapters.aws.places import Bucket
from bedside.domain.upload import named
from bedside.errors import Incomplete, NotFound
from bedside.ports.parts import Part, SignedPart, StoredPart

#: With which S3 says that a part it was told of is not there, is another, or is too small.
_WRONG_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest"})
CHECKSUM_HEADER = "x-amz-checksum-sha256"


class BucketParts:
    """The part of `S3BlobStore` that takes objects in parts."""

    _bucket: Bucket
    _tenant: str
    _client: Callable[[], Any]

    def begin_parts(self, key: str) -> str:
        """Begin an object that will come in parts, and return a ticket for it."""
        with as_ours("store: cannot begin an upload"):
            begun = self._client().create_multipart_upload(**self._place(key), ChecksumAlgorithm="SHA256")
        return str(begun["UploadId"])

    def stored_parts(self, key: str, ticket: str) -> Sequence[StoredPart]:
        """Return the parts that are there, by number."""
        return [
            StoredPart(
                number=found["PartNumber"],
                size_bytes=found["Size"],
                sha256=_hex(found.get("ChecksumSHA256", "")),
            )
            for found in self._listed(key, ticket)
        ]

    def complete_parts(self, key: str, ticket: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts, whole or not at all; durable when the call returns."""
        there = {found["PartNumber"]: found for found in self._listed(key, ticket)}
        missing = [
            part.number
            for part in parts
            if part.number not in there or there[part.number]["Size"] != part.size_bytes
        ]
        if missing:
            raise Incomplete(
                f"{len(missing)} of {len(parts)} parts are missing: {named(missing)}", missing=tuple(missing)
            )
        # A part beyond the last would be a part of the object too.
        wanted = [_told(there[part.number]) for part in sorted(parts, key=lambda p: p.number)]
        with as_ours("store: cannot complete an upload"):
            try:
                self._client().complete_multipart_upload(
                    **self._place(key), UploadId=ticket, MultipartUpload={"Parts": wanted}
                )
            except exceptions.ClientError as exc:
                if code_of(exc) not in _WRONG_PARTS:
                    raise
                raise Incomplete(
                    f"S3 does not put these {len(parts)} parts together ({code_of(exc)})",
                    missing=tuple(part.number for part in parts),
                    hint="send them again",
                ) from exc

    def abort_parts(self, key: str, ticket: str) -> None:
        """Remove the parts; those of an upload that ended are no error."""
        with contextlib.suppress(NotFound), as_ours("store: cannot give up an upload"):
            self._client().abort_multipart_upload(**self._place(key), UploadId=ticket)

    def presign_part(self, key: str, ticket: str, part: Part, expires_s: int) -> SignedPart:
        """Return where a part can be sent; the store compares its hash and refuses others."""
        checksum = base64.b64encode(bytes.fromhex(part.sha256)).decode()
        url = self._signed(
            key, ticket, part.number, expires_s, ChecksumSHA256=checksum, ContentLength=part.size_bytes
        )
        return SignedPart(url=url, headers={CHECKSUM_HEADER: checksum})

    def origin(self, key: str) -> str:
        """Return scheme, host and port of such URLs, which a page must be permitted to connect to."""
        parts = urlsplit(self._signed(key, "none", 1, 60))
        return f"{parts.scheme}://{parts.netloc}"

    def _signed(self, key: str, ticket: str, number: int, expires_s: int, **more: object) -> str:
        with as_ours("store: cannot sign a URL"):
            return str(
                self._client().generate_presigned_url(
                    "upload_part",
                    Params={**self._place(key), "UploadId": ticket, "PartNumber": number, **more},
                    ExpiresIn=expires_s,
                )
            )

    def _listed(self, key: str, ticket: str) -> list[Any]:
        with as_ours("store: cannot list the parts of an upload"):
            pages = self._client().get_paginator("list_parts").paginate(**self._place(key), UploadId=ticket)
            return [found for page in pages for found in page.get("Parts", ())]

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": self._bucket.object(self._tenant, key)}


def _told(found: Any) -> dict[str, object]:
    told = {"PartNumber": found["PartNumber"], "ETag": found["ETag"]}
    if checksum := found.get("ChecksumSHA256"):
        told["ChecksumSHA256"] = checksum
    return told


def _hex(checksum: str) -> str:
    return base64.b64decode(checksum).hex()
