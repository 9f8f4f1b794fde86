"""The audit trail: appended to, read, and never changed. There is no call that would."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bedside.domain.audit import Deed, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which records; the default is all of them.

    Attributes:
        nodes: Those of these nodes of the tree of tenants, and below; None is everywhere, and what
            concerns the whole deployment too. An empty sequence is nowhere.
        person: Subject of who did it.
        action: ``noun.verb``, or ``noun`` for every verb of it.
        object: What it was done to.
        since: Not before.
        until: Before.
    """

    nodes: Sequence[str] | None = None
    person: str = ""
    action: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditTrail(Protocol):
    """One chain of records for a deployment; threads and processes append to it at once."""

    def append(self, deed: Deed) -> Record:
        """Put a deed at the trail's end, and return it in its place.

        Raises:
            Unavailable: The trail is out of reach; nothing was appended.
        """
        ...

    def record(self, number: int) -> Record | None:
        """Return one record, or None where the trail is not so long."""
        ...

    def head(self) -> Record | None:
        """Return the last record, or None where there is none yet."""
        ...

    def records(
        self, wanted: AuditFilter, *, limit: int = 100, before: int | None = None
    ) -> Sequence[Record]:
        """Return records, newest first.

        Args:
            wanted: Which.
            limit: How many at most.
            before: Only those with smaller numbers, to page on.
        """
        ...

    def walk(self, wanted: AuditFilter, *, after: int = 0) -> Iterator[Record]:
        """Give records, oldest first, from the one after a number on; there may be very many."""
        ...
