"""A wish to stop, made by a signal, and the grace that a job in hand is given."""

import threading
import time

from bedside.errors import Cancelled


class Stopping(Cancelled):
    """The worker stops and its job did not end within the grace; the job goes back to its queue."""


class Stop:
    """Asked for once, seen by everything that waits or works.

    Args:
        grace_s: How long a job in hand may go on after the wish.
    """

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._event = threading.Event()
        self._until = float("inf")

    @property
    def requested(self) -> bool:
        """Whether to begin nothing new."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask to stop; a second time changes nothing. Safe in a signal handler."""
        if not self._event.is_set():
            self._until = time.monotonic() + self._grace_s
            self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait, at most until the wish to stop; return whether there is one."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raise `Stopping` where the grace is over."""
        if time.monotonic() > self._until:
            raise Stopping(f"worker: stops, the job did not end within {self._grace_s:g} s")
