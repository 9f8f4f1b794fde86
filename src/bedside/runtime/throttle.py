"""Lets through what is new, and otherwise only so much per second."""

import time


class Throttle:
    """Decides which progress is worth a message: a new step always, the same one now and then.

    Args:
        every_s: Least seconds between two messages about the same step.
    """

    def __init__(self, *, every_s: float) -> None:
        self._every_s = every_s
        self._doing = ""
        self._next = 0.0

    def passes(self, doing: str) -> bool:
        """Say whether progress of this step goes through now."""
        now = time.monotonic()
        if doing == self._doing and now < self._next:
            return False
        self._doing, self._next = doing, now + self._every_s
        return True
