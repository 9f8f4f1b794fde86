"""`MemoryRecords`: what the portal keeps, for tests and as long as the process lives."""

from bedside.adapters.memory.audit import MemoryAudit
from bedside.adapters.memory.uploads import MemoryUploads


class MemoryRecords:
    """A `bedside.ports.records.Records` in memory; safe between threads."""

    def __init__(self) -> None:
        self.audit = MemoryAudit()
        self.uploads = MemoryUploads()
