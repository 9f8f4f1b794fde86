"""A place outside the store where a tenant's objects are kept when it is closed."""

from typing import Protocol

from bedside.ports.store import Blob


class Keeping(Protocol):
    """One tenant's place in an archive: the same keys as in the store."""

    def copy(self, blob: Blob) -> None:
        """Copy an object of the store there, whole and durable when the call returns."""
        ...

    def stat(self, key: str) -> Blob | None:
        """Return what is there under a key, or None."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write an object there."""
        ...
