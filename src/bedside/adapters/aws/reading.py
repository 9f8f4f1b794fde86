"""Reading objects of S3: whole, in parts at once, or as a stream that can be wound.

Every reader keeps to the version that it saw first (If-Match): a big object that is replaced while it is
read gives an error that a retry mends, never halves of two. An answer that breaks off is asked for again
from where it began.
"""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore import exceptions

from bedside.adapters.aws.errors import BeyondEnd, as_ours
from bedside.worker.abreast import abreast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: An answer whose bytes stop coming is asked for this often; botocore retries only the asking.
_ATTEMPTS = 4
#: One reading of a stream asks for this much: a header, the end of a ZIP.
_BUFFER_BYTES = 2**18
#: What of an object is in memory at once on its way to a file.
_PIECE_BYTES = 2**20
_BROKEN_OFF = (
    exceptions.FlexibleChecksumError,
    exceptions.IncompleteReadError,
    exceptions.ReadTimeoutError,
    exceptions.ResponseStreamingError,
)
_READ = "store: cannot read"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Object:
    """An object of a bucket.

    Attributes:
        client: Of boto3.
        bucket: Its name.
        key: Of the object.
    """

    client: Any
    bucket: str
    key: str

    def read(self) -> bytes:
        """Return the whole object, checked against the checksum that S3 keeps of it."""
        return self._ask(_bytes)

    def read_range(self, start: int, end: int, version: str) -> bytes:
        """Return bytes ``start`` to ``end`` (exclusive) of a version."""
        return self._ask(_bytes, Range=f"bytes={start}-{end - 1}", IfMatch=version)

    def read_some(self, offset: int, length: int) -> bytes:
        """Return at most ``length`` bytes of whatever version is there; none beyond its end."""
        try:
            return self._ask(_bytes, Range=f"bytes={offset}-{offset + length - 1}")
        except BeyondEnd:
            return b""

    def write_to(self, handle: int, *, part_bytes: int, threads: int) -> None:
        """Write the object to an open, empty file; more than ``part_bytes`` in parts at once."""

        def small(answer: Any) -> tuple[int, str]:
            size_bytes = int(answer["ContentLength"])
            if size_bytes <= part_bytes:  # one request, and its checksum is looked at
                _pour(answer, handle, 0)
            else:
                answer["Body"].close()
            return size_bytes, str(answer["ETag"])

        size_bytes, version = self._ask(small)
        if size_bytes <= part_bytes:
            return

        def bring(start: int) -> None:
            wanted = {"Range": f"bytes={start}-{min(start + part_bytes, size_bytes) - 1}", "IfMatch": version}
            self._ask(lambda answer: _pour(answer, handle, start), **wanted)

        abreast(bring, range(0, size_bytes, part_bytes), threads=threads)

    def _ask(self, use: Callable[[Any], T], **more: str) -> T:
        """Return what ``use`` makes of an answer, asked for again where its bytes break off."""
        left = _ATTEMPTS
        with as_ours(_READ):
            while True:
                answer = self.client.get_object(Bucket=self.bucket, Key=self.key, **more)
                left -= 1
                try:
                    return use(answer)
                except _BROKEN_OFF:
                    if not left:
                        raise

    def stream(self) -> io.BufferedReader:
        """Return the object as a stream that reads where it is wound to."""
        with as_ours(_READ):
            found = self.client.head_object(Bucket=self.bucket, Key=self.key)
        raw = _Ranges(self, int(found["ContentLength"]), str(found["ETag"]))
        return io.BufferedReader(raw, _BUFFER_BYTES)


class _Ranges(io.RawIOBase):
    """The bytes of one version of an object, each reading a request of its own."""

    def __init__(self, found: S3Object, size_bytes: int, version: str) -> None:
        super().__init__()
        self._object = found
        self._size_bytes = size_bytes
        self._version = version
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}, before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        found = self._next(self._at + len(view))
        view[: len(found)] = found
        return len(found)

    def readall(self) -> bytes:
        return self._next(self._size_bytes)

    def _next(self, end: int) -> bytes:
        end = min(end, self._size_bytes)
        if end <= self._at:
            return b""
        found = self._object.read_range(self._at, end, self._version)
        self._at += len(found)
        return found


def _bytes(answer: Any) -> bytes:
    with answer["Body"] as body:
        return bytes(body.read())


def _pour(answer: Any, handle: int, start: int) -> None:
    """Write an answer to a file from ``start`` on, in pieces: many parts are under way at once."""
    with answer["Body"] as body:
        while piece := body.read(_PIECE_BYTES):  # its end is looked at too, where the checksum is
            view = memoryview(piece)
            while view:
                done = os.pwrite(handle, view, start)
                view, start = view[done:], start + done
