"""Hints of waiting jobs by SQS, a queue for each pool of workers.

Owns which queue is whose. A message lives as long as its job waits or runs in that pool, so that a pool
whose last machine died is woken by what that machine held.
"""

from collections.abc import Mapping

from bedside.adapters.aws.events import JobHint
from bedside.adapters.aws.queue import SqsQueue
from bedside.domain.job import Job
from bedside.log import Log, silent


class SqsHints:
    """Tells pools of jobs.

    Args:
        url: Of the queue of pools that have none of their own.
        pools: URL of each other pool's queue.
        log: Takes notes.
    """

    def __init__(self, url: str, pools: Mapping[str, str], *, log: Log = silent) -> None:

        def queue(its: str) -> SqsQueue:
            # Whoever moves a job waits for this, and a hint that does not go is told again.
            return SqsQueue(its, log=log, beats=False, patient=False)

        self._default = queue(url)
        self._queues = {pool: self._default if its == url else queue(its) for pool, its in pools.items()}

    def send(self, job: Job, *, delay_s: float = 0.0) -> None:
        """Tell the pool of a job's stage, now or after a while, at most 900 s, which is SQS's longest.

        A job that is due later is told of too early then: its worker waits for it, holding the message.
        """
        pool = job.stage.pool
        hint = JobHint(tenant=job.tenant, job=job.id, pool=pool)
        self._of(pool).send(hint.body(), delay_s=delay_s)

    def waiting(self, pool: str) -> int:
        """Return how many messages a pool's queue has: visible, in hands, or delayed; about, says SQS."""
        return self._of(pool).count()

    def _of(self, pool: str) -> SqsQueue:
        return self._queues.get(pool, self._default)
