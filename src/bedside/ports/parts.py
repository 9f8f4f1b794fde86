"""A store to which one object can come in parts, in any order, over days."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an object that is sent in parts.

    Attributes:
        number: From 1.
        offset_bytes: Where it begins in the whole.
        size_bytes: Its length.
        sha256: Of its bytes, 64 hex digits; empty where only its place matters.
    """

    number: int
    offset_bytes: int
    size_bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part that is there, whole and durable.

    Attributes:
        number: From 1.
        size_bytes: Its length.
        sha256: Of its bytes, 64 hex digits; empty from a server that does not tell it.
    """

    number: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPart:
    """Where one part can be PUT by anybody who has this, until it expires.

    Attributes:
        url: A secret until then.
        headers: That must be sent as they are.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str]


class PartSink(Protocol):
    """Takes the bytes of one part, as they come. One thread at a time."""

    def write(self, chunks: Sequence[bytes | bytearray | memoryview]) -> None:
        """Take bytes that follow those before.

        Raises:
            InputRejected: They are more than the part has.
            Full: There is no room for them.
        """
        ...

    def finish(self) -> StoredPart:
        """Compare length and hash, and keep the part; it is durable when the call returns.

        Raises:
            InputRejected: They are others than was said; nothing is kept.
        """
        ...


@runtime_checkable
class UploadParts(Protocol):
    """One tenant's objects, which may come in parts. What began and did not end is in no listing.

    A key and the ticket that `begin_parts` gave name an upload; one that ended raises `NotFound`.
    """

    def begin_parts(self, key: str) -> str:
        """Begin an object that will come in parts, and return a ticket for it."""
        ...

    def stored_parts(self, key: str, ticket: str) -> Sequence[StoredPart]:
        """Return the parts that are there, by number."""
        ...

    def complete_parts(self, key: str, ticket: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts, whole or not at all; durable when the call returns.

        Raises:
            Incomplete: Some are missing or damaged; what is whole stays.
            Overtaken: A part is still being written.
        """
        ...

    def abort_parts(self, key: str, ticket: str) -> None:
        """Remove the parts; those of an upload that ended are no error."""
        ...


@runtime_checkable
class ReceivedParts(UploadParts, Protocol):
    """A store whose parts come through this process."""

    def receive_part(self, key: str, ticket: str, part: Part) -> AbstractContextManager[PartSink]:
        """Take one part; a part that is left before its end is not kept.

        The same part may come twice, also at once.
        """
        ...

    def free_bytes(self) -> int:
        """Return how much more there is room for."""
        ...


@runtime_checkable
class SignedParts(UploadParts, Protocol):
    """A store that parts are sent to directly, by signed URLs."""

    def presign_part(self, key: str, ticket: str, part: Part, expires_s: int) -> SignedPart:
        """Return where a part can be sent; the store compares its hash and refuses others."""
        ...

    def origin(self, key: str) -> str:
        """Return scheme, host and port of such URLs, which a page must be permitted to connect to."""
        ...
