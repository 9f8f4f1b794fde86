"""`MemoryRecords`: what the portal keeps, for tests and as long as the process lives."""


class MemoryRecords:
    """A `bedside.ports.records.Records` in memory; safe between threads."""
