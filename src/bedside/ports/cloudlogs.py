"""What machines and functions of a cloud wrote, as whoever looks after a deployment reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line.

    Attributes:
        at: When it was written, aware, UTC.
        group: Log that it stands in.
        stream: Who wrote it: a machine, or a run of a function.
        text: The line.
        id: Tells it from any other, also from one with the same text.
    """

    at: datetime
    group: str
    stream: str
    text: str
    id: str


class CloudLogs(Protocol):
    """The logs of one account in one region."""

    def groups(self, prefix: str) -> Sequence[str]:
        """Return the names of logs that begin so, sorted."""
        ...

    def lines(self, groups: Sequence[str], *, since: datetime, phrase: str = "") -> Sequence[LogLine]:
        """Return what was written, oldest first.

        Args:
            groups: Names of logs; one that is not there is empty.
            since: Lines from then on.
            phrase: Only lines that hold it; empty is all.
        """
        ...
