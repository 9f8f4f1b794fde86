"""A wish to stop, made by a signal, and the grace that a job in hand is given."""

import os
import select
import time

from bedside.errors import Cancelled

#: Nudges that came while nobody waited are one.
_MANY = 4096


class Stopping(Cancelled):
    """The worker stops and its job did not end within the grace; the job goes back to its queue."""


class Stop:
    """Asked for once, seen by everything that waits or works.

    A pipe and not a `threading.Event`, whose lock a signal handler could find held by the very
    thread it interrupted.

    Args:
        grace_s: How long a job in hand may go on after the wish.
        nudges: Descriptor of a pipe: a byte on it ends a wait, because there may be something to do.
    """

    def __init__(self, *, grace_s: float, nudges: int | None = None) -> None:
        self._grace_s = grace_s
        self._until = float("inf")
        self._read, self._write = os.pipe()
        self._nudges = nudges

    @property
    def requested(self) -> bool:
        """Whether to begin nothing new."""
        return self._until != float("inf")

    def request(self) -> None:
        """Ask to stop; a second time changes nothing. Safe in a signal handler."""
        if not self.requested:
            self._until = time.monotonic() + self._grace_s
            os.write(self._write, b"x")

    def wait(self, seconds: float) -> bool:
        """Wait, at most until the wish to stop or a nudge; return whether there is the wish."""
        if not self.requested:
            heard = [self._read] if self._nudges is None else [self._read, self._nudges]
            ready, _, _ = select.select(heard, [], [], max(seconds, 0.0))
            # At its end a pipe is always ready, and no wait would be one any more.
            if self._nudges in ready and not os.read(self._nudges, _MANY):
                self._nudges = None
        return self.requested

    def check(self) -> None:
        """Raise `Stopping` where the grace is over."""
        if time.monotonic() > self._until:
            raise Stopping(f"worker: stops, the job did not end within {self._grace_s:g} s")
