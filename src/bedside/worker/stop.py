"""A wish to stop, made by a signal, and the grace that a job in hand is given."""

import os
import select
import time

from bedside.errors import Cancelled


class Stopping(Cancelled):
    """The worker stops and its job did not end within the grace; the job goes back to its queue."""


class Stop:
    """Asked for once, seen by everything that waits or works.

    A pipe and not a `threading.Event`, whose lock a signal handler could find held by the very
    thread it interrupted.

    Args:
        grace_s: How long a job in hand may go on after the wish.
    """

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._until = float("inf")
        self._read, self._write = os.pipe()

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
        """Wait, at most until the wish to stop; return whether there is one."""
        if not self.requested:
            select.select([self._read], [], [], max(seconds, 0.0))
        return self.requested

    def check(self) -> None:
        """Raise `Stopping` where the grace is over."""
        if time.monotonic() > self._until:
            raise Stopping(f"worker: stops, the job did not end within {self._grace_s:g} s")
