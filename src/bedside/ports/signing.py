"""A store to which somebody without credentials can send one object."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class SignedUploads(Protocol):
    """One tenant's objects, to which URLs can be signed. A store in a folder has no such thing."""

    def presign_put(self, key: str, expires_s: int, size_bytes: int | None = None) -> str:
        """Return a URL to which anybody may PUT this object until it expires.

        Args:
            key: Of the object.
            expires_s: Seconds until then.
            size_bytes: What must be sent exactly; None is any length.
        """
        ...
