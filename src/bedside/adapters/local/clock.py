"""The machine's own clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The time of the operating system."""

    def now(self) -> datetime:
        """Return the time now, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow, from some begin."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
