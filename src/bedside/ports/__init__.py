"""What bedside needs from the world, as protocols; adapters give it, `wiring` chooses which.

Each port has one contract suite in ``tests/contracts`` that every adapter passes and that compares
the adapter's signatures with these. A port says what a caller may rely on, never how it is done.
"""

from bedside.ports.clock import Clock
from bedside.ports.feed import ArrivalFeed, Dropped
from bedside.ports.following import JobFilter, StudyFilter
from bedside.ports.ledger import Ledger
from bedside.ports.run import ModelRunner, Outcome, Progress, Task
from bedside.ports.store import Blob, BlobStore

__all__ = [
    "ArrivalFeed",
    "Blob",
    "BlobStore",
    "Clock",
    "Dropped",
    "JobFilter",
    "Ledger",
    "ModelRunner",
    "Outcome",
    "Progress",
    "StudyFilter",
    "Task",
]
