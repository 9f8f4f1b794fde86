"""Keeps a lease alive while work goes on, and ends the work when it is lost."""

from datetime import datetime, timedelta

from bedside.domain.job import Lease
from bedside.errors import StaleLease, Unavailable
from bedside.ports import Clock, Ledger
from bedside.worker.stop import Stop

#: Of a lease, how often it is extended; two beats may be lost without losing the lease.
BEATS_PER_LEASE = 3

#: How fresh the progress is that people see.
PROGRESS_S = 2.0


class Heartbeat:
    """Extends one lease as often as needed, however often it is called.

    Args:
        ledger: Where the lease is held.
        lease: The lease.
        lease_s: What each beat extends it to, from now.
        clock: The time.
        stop: The worker's wish to stop.
    """

    def __init__(self, ledger: Ledger, lease: Lease, *, lease_s: float, clock: Clock, stop: Stop) -> None:
        self._ledger = ledger
        self._lease = lease
        self._lease_s = lease_s
        self._clock = clock
        self._stop = stop
        self._every = timedelta(seconds=min(lease_s / BEATS_PER_LEASE, PROGRESS_S))
        self._due = clock.now() + self._every
        self._doing, self._progress = "", 0.0

    @property
    def lease(self) -> Lease:
        """The lease as it was last extended."""
        return self._lease

    def beat(self, doing: str, progress: float) -> None:
        """Note progress, and extend the lease where it is time to.

        Raises:
            StaleLease: The job was cancelled or taken over, or the ledger was out of reach for so
                long that it may have been.
            Stopping: The worker stops and the grace is over.
        """
        self._stop.check()
        self._doing, self._progress = doing, progress
        now = self._clock.now()
        if now < self._due:
            return
        try:
            self._extend(now)
        except Unavailable as missing:
            if now >= self._lease.until:
                raise StaleLease(
                    f"job {self._lease.job.id}: the lease ran out while the ledger was out of reach"
                ) from missing
            self._due = now + timedelta(seconds=1)

    def confirm(self) -> Lease:
        """Extend the lease now, so that what follows is surely written under it.

        Raises:
            StaleLease: It is lost.
            Unavailable: The ledger is out of reach.
        """
        self._extend(self._clock.now())
        return self._lease

    def _extend(self, now: datetime) -> None:
        self._lease = self._ledger.extend(
            self._lease, now=now, lease_s=self._lease_s, progress=self._progress, doing=self._doing
        )
        self._due = now + self._every
