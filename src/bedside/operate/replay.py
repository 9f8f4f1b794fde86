"""Changed rules over past studies: which would newly run, which no longer, which the same.

Owns the comparison: both sets of rules judge the same attributes, read again from the store, so that the
difference is the rules' alone. Only reads. A study that cannot be read any more is counted as such, and
the others go on. File sets start by their names and not by rules, so they are left out.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from bedside.domain.figures import ArrivalSeen, Scope
from bedside.errors import BedsideError, NotFound, UsageError, known_name
from bedside.operate.past import study_attributes
from bedside.operate.tester import started
from bedside.ports import BlobStore, Clock, Ledger
from bedside.ports.figures import Figures
from bedside.worker.rules import RuleBook

#: Most studies of one replay: each is read from the store.
MOST_STUDIES = 2000
DEFAULT_STUDIES = 100


class Change(StrEnum):
    """What other rules mean for one study and pipeline."""

    NEWLY = "newly"  # it would run and does not
    NO_LONGER = "no_longer"  # it runs and would not
    SAME = "same"  # it runs either way
    NOTHING = "nothing"  # no rule of either set starts anything
    UNREAD = "unread"  # it cannot be read any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One study and pipeline.

    Attributes:
        arrival: The study.
        pipeline: Which; empty where nothing runs either way, or it cannot be read.
        change: What the changed rules mean for it.
        reason: Why it cannot be read; empty otherwise.
        error: The kind of that: a class name of `bedside.errors.BY_NAME`.
    """

    arrival: ArrivalSeen
    pipeline: str
    change: Change
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which past studies: the last ones, perhaps only those of the last days.

    Raises:
        UsageError: It is too many, or none.
    """

    limit: int = DEFAULT_STUDIES
    days: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_STUDIES:
            raise UsageError(f"replay of {self.limit} studies: between 1 and {MOST_STUDIES} are possible")
        if self.days is not None and not 0 < self.days <= 36_500:
            raise UsageError(f"replay over {self.days:g} days: it must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Replays rules over what arrived.

    Attributes:
        ledger: Knows the arrivals' files.
        figures: Lists the arrivals.
        blobs: The store, of any tenant.
        clock: The time.
        scratch: Folder for files under way.
    """

    ledger: Ledger
    figures: Figures
    blobs: BlobStore
    clock: Clock
    scratch: Path

    def studies(self, scope: Scope, span: Span) -> Sequence[ArrivalSeen]:
        """Return the arrivals of a span, newest first."""
        since = self.clock.now() - timedelta(days=span.days) if span.days is not None else None
        return self.figures.arrivals(scope, since=since, limit=span.limit)

    def compare(
        self,
        studies: Sequence[ArrivalSeen],
        before: RuleBook,
        after: RuleBook,
        *,
        on: Callable[[int], None] = lambda _done: None,
    ) -> Iterator[Line]:
        """Yield what the rules ``after`` mean for each study, compared with those ``before``.

        Args:
            studies: Which.
            before: The rules in force.
            after: The changed ones.
            on: Told after each study how many are done; what it raises ends the replay.
        """
        for done, arrival in enumerate(studies, start=1):
            yield from self._of(arrival, before, after)
            on(done)

    def _of(self, arrival: ArrivalSeen, before: RuleBook, after: RuleBook) -> Iterator[Line]:
        try:
            recorded = self.ledger.arrival(arrival.tenant, arrival.id)
            store = self.blobs.tenant(arrival.tenant)
            attributes = study_attributes(store, recorded, self.scratch)
        except NotFound:
            gone = "its files are not in the store any more"
            yield Line(
                arrival=arrival, pipeline="", change=Change.UNREAD, reason=gone, error=NotFound.__name__
            )
            return
        except BedsideError as failed:
            yield Line(
                arrival=arrival,
                pipeline="",
                change=Change.UNREAD,
                reason=failed.message,
                error=known_name(failed),
            )
            return
        now = self.clock.now()
        old, new = set(started(before, attributes, now)), set(started(after, attributes, now))
        for pipeline in sorted(old | new):
            change = Change.SAME if pipeline in old & new else Change.NEWLY
            yield Line(
                arrival=arrival,
                pipeline=pipeline,
                change=change if pipeline in new else Change.NO_LONGER,
            )
        if not old | new:
            yield Line(arrival=arrival, pipeline="", change=Change.NOTHING)


def totals(lines: Sequence[Line]) -> dict[Change, int]:
    """Return how many lines there are of each change, none left out."""
    counts = Counter(line.change for line in lines)
    return {change: counts[change] for change in Change}


def as_csv(lines: Sequence[Line]) -> str:
    """Return lines as CSV with a head; ids and names of ours only."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("tenant", "arrival", "version", "received_at", "pipeline", "change", "reason"))
    for line in lines:
        arrival = line.arrival
        writer.writerow(
            (
                arrival.tenant,
                arrival.id,
                arrival.version,
                _said(arrival.received_at),
                line.pipeline,
                line.change.value,
                line.reason,
            )
        )
    return text.getvalue()


def _said(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
