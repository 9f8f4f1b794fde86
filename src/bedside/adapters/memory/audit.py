"""`MemoryAudit`: the audit trail of a process, for tests."""

import threading
from collections.abc import Iterator, Sequence

from bedside.domain.audit import Deed, Record, chained
from bedside.domain.tenant import holds
from bedside.ports.audit import AuditFilter


class MemoryAudit:
    """A `bedside.ports.audit.AuditTrail` in memory; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []

    def append(self, deed: Deed) -> Record:
        """Put a deed at the trail's end, and return it in its place."""
        with self._lock:
            record = chained(deed, self._records[-1] if self._records else None)
            self._records.append(record)
        return record

    def record(self, number: int) -> Record | None:
        """Return one record, or None where the trail is not so long."""
        with self._lock:
            return self._records[number - 1] if 0 < number <= len(self._records) else None

    def head(self) -> Record | None:
        """Return the last record, or None where there is none yet."""
        with self._lock:
            return self._records[-1] if self._records else None

    def records(
        self, wanted: AuditFilter, *, limit: int = 100, before: int | None = None
    ) -> Sequence[Record]:
        """Return records, newest first."""
        with self._lock:
            found = [r for r in reversed(self._records) if _matches(r, wanted)]
        return [r for r in found if before is None or r.number < before][:limit]

    def walk(self, wanted: AuditFilter, *, after: int = 0) -> Iterator[Record]:
        """Give records, oldest first, from the one after a number on; there may be very many."""
        with self._lock:
            found = [r for r in self._records if r.number > after and _matches(r, wanted)]
        yield from found


def _matches(record: Record, wanted: AuditFilter) -> bool:
    deed = record.deed
    return (
        (wanted.nodes is None or any(holds(node, deed.tenant) for node in wanted.nodes))
        and wanted.person in {"", deed.person}
        and (not wanted.action or f"{deed.action}.".startswith(f"{wanted.action}."))
        and wanted.object in {"", deed.object}
        and (wanted.since is None or deed.at >= wanted.since)
        and (wanted.until is None or deed.at < wanted.until)
    )
