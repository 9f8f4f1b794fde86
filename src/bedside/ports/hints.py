"""Hints that a job waits: what wakes a pool of workers that may be asleep."""

from typing import Protocol

from bedside.domain.job import Job


class Hints(Protocol):
    """Tells the pool of a job that it waits. A hint: the ledger is the truth, and workers look there.

    What cannot be told raises `Unavailable`.
    """

    def send(self, job: Job, *, delay_s: float = 0.0) -> None:
        """Tell the pool of a job's stage, now or after a while; a longer one than can be is shortened."""
        ...

    def waiting(self, pool: str) -> int:
        """Return how many hints and events a pool has that nobody is done with, about."""
        ...
