"""All that the dashboard shows, gathered over some tenants: for pages, the API and Prometheus alike.

Owns how fresh each figure is: what changes by the second is asked anew every few seconds, sums over a
month every minute, however many people look on. Whoever may see the whole deployment also sees its
machine: disk, releases in service, workers that have nothing to do.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bedside.config import Settings
from bedside.domain.figures import (
    EndedFigure,
    FailureFigure,
    QueueFigure,
    Scope,
    SpentFigure,
    Spread,
    TimedResult,
    Unit,
    spread,
)
from bedside.domain.job import JobState
from bedside.domain.pipeline import Release
from bedside.domain.release import Promotion
from bedside.errors import Unavailable
from bedside.operate.alarms import Alarm, Seen, alarms_of, alarms_of_machine
from bedside.operate.crew import Hand, Idle, hands, idle
from bedside.operate.disk import Disk, DiskGauge
from bedside.ports import Clock, Ledger
from bedside.ports.figures import Figures

T = TypeVar("T")

#: What changes by the second is as old as this at most, and what is summed up over days as that.
LIVE_S, SUMMED_S = 2.0, 30.0
HOURS, DAYS = 24, 30
#: Failures and times are those of so many days.
RECENT = timedelta(days=7)
#: Scopes remembered; the least recently asked for goes.
REMEMBERED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """How long the steps of one stage take; of ``took``, a pipeline as a whole, the stage is empty."""

    pipeline: str
    stage: str
    steps: Mapping[str, Spread]


@dataclass(frozen=True, slots=True, kw_only=True)
class InService:
    """A release that works somewhere, and its record, where it is registered."""

    promotion: Promotion
    release: Release | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What only the whole deployment has.

    Attributes:
        disk: Of this machine; None where it cannot be asked.
        in_service: Releases that work, by stage and role.
        idle: Workers that have nothing in hand.
    """

    disk: Disk | None
    in_service: tuple[InService, ...]
    idle: tuple[Idle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The figures of some tenants at a time.

    Attributes:
        at: When.
        alarms: What needs a look, the worst first.
        queues: What waits.
        states: Jobs in each state.
        hands: Who works.
        hours: How jobs ended in each hour of the last day; empty hours are left out.
        days: How they ended on each of the last days.
        failures: Why jobs ended badly in the last week, most jobs first.
        times: How long stages took in the last week.
        took: How long jobs took as a whole, by pipeline.
        spent: What results took, by day.
        machine: Of the whole deployment; None for whoever sees some tenants only.
    """

    at: datetime
    alarms: tuple[Alarm, ...]
    queues: tuple[QueueFigure, ...]
    states: Mapping[JobState, int]
    hands: tuple[Hand, ...]
    hours: tuple[EndedFigure, ...]
    days: tuple[EndedFigure, ...]
    failures: tuple[FailureFigure, ...]
    times: tuple[StageTimes, ...]
    took: Mapping[str, Spread]
    spent: tuple[SpentFigure, ...]
    machine: Machine | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing ran yet."""
        return not self.states


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is looked at.

    Attributes:
        figures: Of the ledger.
        ledger: Knows releases.
        settings: Of the deployment.
        disk: Measures the disk.
        alive: Whether a worker's process is there, or None where that is not known.
        clock: The time.
    """

    figures: Figures
    ledger: Ledger
    settings: Settings
    disk: DiskGauge
    alive: Callable[[str], bool | None]
    clock: Clock


@dataclass(slots=True)
class _Kept:
    """A value, and until when it is fresh."""

    value: Any = None
    until: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class Overviews:
    """Gathers overviews, and keeps each for a moment. Safe between threads.

    Args:
        watched: What is looked at.
    """

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, Scope], _Kept] = {}

    def look(self, scope: Scope) -> Overview:
        """Return the overview of some tenants; None is the whole deployment.

        Raises:
            Unavailable: The ledger is out of reach.
        """
        summed = self._fresh("summed", scope, SUMMED_S, lambda: self._summed(scope))
        return self._fresh("live", scope, LIVE_S, lambda: self._live(scope, summed))

    def _summed(self, scope: Scope) -> dict[str, Any]:
        figures, now = self._watched.figures, self._watched.clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        timed = figures.timed(scope, since=now - RECENT)
        return {
            "hours": tuple(figures.ended(scope, since=hour - timedelta(hours=HOURS - 1), unit=Unit.HOUR)),
            "days": tuple(figures.ended(scope, since=day - timedelta(days=DAYS - 1), unit=Unit.DAY)),
            "failures": tuple(figures.failures(scope, since=now - RECENT)),
            "times": stage_times(timed),
            "took": took(timed),
            "spent": tuple(figures.spent(scope, since=day - timedelta(days=DAYS - 1))),
        }

    def _live(self, scope: Scope, summed: Mapping[str, Any]) -> Overview:
        watched = self._watched
        figures, now = watched.figures, watched.clock.now()
        queues, states = tuple(figures.queues(scope, now)), dict(figures.states(scope))
        at_work = hands(figures.in_hand(scope), now=now, lease_s=watched.settings.worker.lease_s)
        seen = Seen(
            now=now,
            dead=states.get(JobState.DEAD, 0),
            queues=queues,
            hands=at_work,
            rejected_inputs=figures.rejected_inputs(scope, since=now - timedelta(days=1)),
            failed_exports=figures.failed_exports(scope),
        )
        found, machine = alarms_of(seen), None
        if scope is None:
            machine = self._machine(at_work)
            found += alarms_of_machine(watched.settings, machine.disk)
        return Overview(
            at=now,
            alarms=tuple(found),
            queues=queues,
            states=states,
            hands=tuple(at_work),
            machine=machine,
            **summed,
        )

    def _machine(self, at_work: Sequence[Hand]) -> Machine:
        watched = self._watched
        try:
            disk = watched.disk.look()
        except Unavailable:  # the rest is worth showing
            disk = None
        known = {release.digest: release for release in watched.ledger.releases()}
        return Machine(
            disk=disk,
            in_service=tuple(
                InService(promotion=promotion, release=known.get(promotion.digest))
                for promotion in watched.ledger.standing()
                if promotion.digest
            ),
            idle=tuple(idle(watched.figures.workers(None), at_work, watched.alive)),
        )

    def _fresh(self, kind: str, scope: Scope, seconds: float, make: Callable[[], T]) -> T:
        """Return what was made within the last seconds, or make it; others wait for whoever makes it."""
        with self._lock:
            key = (kind, scope)
            kept = self._kept.pop(key, None) or _Kept()
            self._kept[key] = kept
            while len(self._kept) > REMEMBERED:
                del self._kept[next(iter(self._kept))]
        with kept.lock:
            if self._watched.clock.monotonic() >= kept.until:
                kept.value = make()
                kept.until = self._watched.clock.monotonic() + seconds
            found: T = kept.value
            return found


def stage_times(timed: Sequence[TimedResult]) -> tuple[StageTimes, ...]:
    """Return how long each step of each stage took, in order of pipeline."""
    seconds: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in timed:
        for stage, steps in result.timings_s.items():
            for step, took_s in steps.items():
                if isinstance(took_s, int | float):
                    seconds[result.pipeline, stage][step].append(float(took_s))
    return tuple(
        StageTimes(
            pipeline=pipeline, stage=stage, steps={step: spread(values) for step, values in steps.items()}
        )
        for (pipeline, stage), steps in sorted(seconds.items(), key=lambda item: item[0][0])
    )


def took(timed: Sequence[TimedResult]) -> Mapping[str, Spread]:
    """Return how long jobs took from their making to their end, by pipeline in order of name."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for result in timed:
        seconds[result.pipeline].append(result.took_s)
    return {pipeline: spread(values) for pipeline, values in sorted(seconds.items())}
