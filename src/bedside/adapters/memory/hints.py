"""Hints that are kept in memory, for tests and for one process."""

from collections.abc import Callable

from bedside.domain.job import Job
from bedside.errors import Unavailable


class MemoryHints:
    """Remembers what was told, in order.

    Attributes:
        sent: Tenant, job, pool and delay in seconds of each hint.
        broken: Nothing can be told while this is set.
        done: Whether a job needs no hint any more; by default none ever is.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, float]] = []
        self.broken = False
        self.done: Callable[[str, str], bool] = lambda _tenant, _job: False

    def send(self, job: Job, *, delay_s: float = 0.0) -> None:
        """Tell the pool of a job's stage, now or after a while."""
        self._check()
        self.sent.append((job.tenant, job.id, job.stage.pool, delay_s))

    def waiting(self, pool: str) -> int:
        """Return how many hints a pool has that nobody is done with."""
        self._check()
        return sum(its == pool and not self.done(tenant, job) for tenant, job, its, _ in self.sent)

    def _check(self) -> None:
        if self.broken:
            raise Unavailable("queue: is out of reach")
