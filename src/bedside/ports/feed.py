"""What in a drop-box is complete."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A complete thing in the drop-box, ready to be taken.

    Attributes:
        key: Its key or prefix under the tenant (``input/…``).
        parts: Keys of its objects: one for a ZIP or single file, many for a folder or file set.
        fingerprint: Of its parts' keys, sizes and times.
    """

    key: str
    parts: tuple[str, ...]
    fingerprint: str


class ArrivalFeed(Protocol):
    """Says what in a tenant's drop-box is complete. A hint: the drop-box itself is the truth."""

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        ...

    def taken(self, tenant: str, dropped: Dropped) -> None:
        """Hear that a thing is in the ledger now, and need not be told again while it is the same."""
        ...

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        """Hear that a thing could not be taken, and will be tried again after ``wait_s`` seconds."""
        ...

    def close(self) -> None:
        """Give back whatever is held, at once; nothing that happens then is an error."""
        ...
