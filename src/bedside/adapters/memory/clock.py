"""A clock that stands still until it is moved: hours of back-off pass in no time."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock for tests; `sleep` and `advance` move it on.

    Args:
        at: Where it stands, aware; by default the begin of 2026.
    """

    def __init__(self, at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._begun = at
        self._now = at

    def now(self) -> datetime:
        """Return where it stands."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it moved."""
        return (self._now - self._begun).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move on, at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now += timedelta(seconds=max(0.0, seconds))
