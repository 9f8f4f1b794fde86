"""Several parts in one answer: ``multipart/related`` (RFC 2387)."""

import secrets
from dataclasses import dataclass, field
from typing import ClassVar


def _boundary() -> str:
    return f"bedside-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipart:
    """One answer of several parts.

    Attributes:
        media_type: Of its parts.
        boundary: Between them; in no part, since nobody could guess it.
    """

    #: Stands after each part.
    tail: ClassVar[bytes] = b"\r\n"

    media_type: str
    boundary: str = field(default_factory=_boundary)

    @property
    def content_type(self) -> str:
        """The header of the answer."""
        return f'multipart/related; type="{self.media_type}"; boundary={self.boundary}'

    def head(self, content_type: str, length: int | None = None) -> bytes:
        """Return what stands before a part."""
        size = f"Content-Length: {length}\r\n" if length is not None else ""
        return f"--{self.boundary}\r\nContent-Type: {content_type}\r\n{size}\r\n".encode()

    @property
    def end(self) -> bytes:
        """What stands after the last part."""
        return f"--{self.boundary}--\r\n".encode()
