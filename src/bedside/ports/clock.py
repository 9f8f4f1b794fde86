"""The time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, as one replaceable thing."""

    def now(self) -> datetime:
        """Return the time now, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow, from some begin; for waits that a set clock must not change."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a test's clock only moves on."""
        ...
