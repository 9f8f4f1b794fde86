"""What needs somebody's look: alarms, found in figures; and hints, found in settings.

Owns what counts as one, and no words: pages have them in every language, and an alarm holds numbers and
names of the configuration only. The worst come first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bedside.config import Settings
from bedside.domain.figures import QueueFigure
from bedside.operate.crew import Hand, HandState
from bedside.operate.disk import Disk

#: Of a disk, what should stay free; below the first it is an alarm, below the second a warning.
FREE_LEAST, FREE_LOW = 0.05, 0.10
#: A due job that waits so long, while nobody works in its pool, waits for somebody to start a worker.
WAITS_LONG = timedelta(minutes=15)


class Level(StrEnum):
    """How much it needs somebody."""

    BAD = "bad"  # studies are not read, or soon will not be
    WARN = "warn"
    HINT = "hint"  # nothing is wrong; something may be missing


class AlarmKind(StrEnum):
    """What it is about."""

    DEAD_JOBS = "dead_jobs"
    LOST_WORKERS = "lost_workers"
    LONG_RUN = "long_run"
    LONG_WAIT = "long_wait"
    DISK_FULL = "disk_full"
    DISK_LOW = "disk_low"
    REJECTED_INPUTS = "rejected_inputs"
    FAILED_EXPORTS = "failed_exports"
    NO_PIPELINE = "no_pipeline"
    NO_RULE = "no_rule"
    NOBODY_TOLD = "nobody_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing to look at.

    Attributes:
        kind: What it is about.
        level: How much it needs somebody.
        count: How many of it there are.
        name: Of a pool, where it is about one.
    """

    kind: AlarmKind
    level: Level
    count: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What alarms are found in.

    Attributes:
        now: The time.
        dead: Dead jobs.
        queues: What waits.
        hands: Who works.
        rejected_inputs: Of the last day.
        failed_exports: That nobody tries any more.
    """

    now: datetime
    dead: int
    queues: Sequence[QueueFigure]
    hands: Sequence[Hand]
    rejected_inputs: int
    failed_exports: int


def alarms_of(seen: Seen) -> list[Alarm]:
    """Return what figures say; the worst first."""
    return sorted(_of_figures(seen), key=_order)


def alarms_of_machine(settings: Settings, disk: Disk | None) -> list[Alarm]:
    """Return what settings and the disk say; the worst first."""
    return sorted(_of_machine(settings, disk), key=_order)


def _of_figures(seen: Seen) -> Iterator[Alarm]:
    if seen.dead:
        yield Alarm(kind=AlarmKind.DEAD_JOBS, level=Level.BAD, count=seen.dead)
    if lost := sum(hand.state is HandState.LOST for hand in seen.hands):
        yield Alarm(kind=AlarmKind.LOST_WORKERS, level=Level.BAD, count=lost)
    if slow := sum(hand.state is HandState.LONG for hand in seen.hands):
        yield Alarm(kind=AlarmKind.LONG_RUN, level=Level.WARN, count=slow)
    busy = {hand.job.stage.pool for hand in seen.hands if hand.state is not HandState.LOST}
    for queue in seen.queues:
        long = queue.waits_since is not None and seen.now - queue.waits_since >= WAITS_LONG
        if long and queue.pool not in busy:
            yield Alarm(kind=AlarmKind.LONG_WAIT, level=Level.BAD, count=queue.due, name=queue.pool)
    if seen.rejected_inputs:
        yield Alarm(kind=AlarmKind.REJECTED_INPUTS, level=Level.WARN, count=seen.rejected_inputs)
    if seen.failed_exports:
        yield Alarm(kind=AlarmKind.FAILED_EXPORTS, level=Level.WARN, count=seen.failed_exports)


def _of_machine(settings: Settings, disk: Disk | None) -> Iterator[Alarm]:
    if disk is not None and disk.free_share < FREE_LOW:
        full = disk.free_share < FREE_LEAST
        yield Alarm(
            kind=AlarmKind.DISK_FULL if full else AlarmKind.DISK_LOW,
            level=Level.BAD if full else Level.WARN,
            count=round(disk.free_share * 100),
        )
    if not settings.pipeline:
        yield Alarm(kind=AlarmKind.NO_PIPELINE, level=Level.HINT)
    elif not settings.rule:
        yield Alarm(kind=AlarmKind.NO_RULE, level=Level.HINT)
    told = settings.notify
    if not (told.log or told.topic_arn or told.webhook_url or told.email_to):
        yield Alarm(kind=AlarmKind.NOBODY_TOLD, level=Level.HINT)


def _order(alarm: Alarm) -> int:
    return list(Level).index(alarm.level)
