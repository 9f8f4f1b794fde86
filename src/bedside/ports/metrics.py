"""Where counts and times go that a dashboard shows."""

from typing import Protocol

from bedside.domain.measure import Measurement


class Metrics(Protocol):
    """Takes measurements. It costs a job less than a millisecond and never fails one.

    What cannot be kept is lost, and said once in the log: a full disk must not stop a study.
    """

    def record(self, measurement: Measurement) -> None:
        """Keep one measurement; raises nothing, and may be called by several threads."""
        ...

    def close(self) -> None:
        """Give back what it holds; what was recorded before is kept."""
        ...


class Unmeasured:
    """Keeps nothing."""

    def record(self, measurement: Measurement) -> None:
        """Forget it."""

    def close(self) -> None:
        """Do nothing."""
