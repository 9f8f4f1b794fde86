"""Small charts, made on the server: where each bar stands, for a template to draw as SVG.

Owns the geometry and no colour: a bar has a class, and a style sheet says what that looks like in light
and in dark. Every chart has its numbers as a table beside it, so that nobody needs to see it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bedside.domain.figures import EndedFigure, SpentFigure, Unit
from bedside.domain.job import JobState

WIDTH, HEIGHT = 640.0, 140.0
#: Of a bar's place, what is left free between two.
GAP = 0.25
#: Fewer bars than this are labelled one by one, more every so many.
LABELS = 8

#: From the bottom of a bar to its top.
STATES = (JobState.SUCCEEDED, JobState.REJECTED, JobState.DEAD, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle: left, top, width, height, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One place of a chart.

    Attributes:
        at: The time it is about.
        middle: Of its bars, from the left.
        labelled: Whether the time is written below it.
        second: Whether that label gives way where there is little room.
        values: By kind.
        bars: What is drawn; nothing for zeros.
    """

    at: datetime
    middle: float
    labelled: bool
    second: bool
    values: Mapping[str, float]
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Columns below a greatest value.

    Attributes:
        columns: From the left.
        kinds: Of the bars, in the order of the table.
        top: The value at the upper edge.
    """

    columns: tuple[Column, ...]
    kinds: tuple[str, ...]
    top: float

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but zeros."""
        return not any(column.bars for column in self.columns)


def chart(points: Sequence[tuple[datetime, Mapping[str, float]]], kinds: Sequence[str]) -> Chart:
    """Return a chart of stacked bars.

    Args:
        points: From the left, each a time and its values by kind.
        kinds: From the bottom of a bar to its top.
    """
    top = nice(max((sum(values.values()) for _, values in points), default=0.0))
    place = WIDTH / max(len(points), 1)
    every = math.ceil(len(points) / LABELS)
    columns = []
    for number, (at, values) in enumerate(points):
        bars, filled = [], 0.0
        for kind in kinds:
            height = values.get(kind, 0.0) / top * HEIGHT
            if height <= 0:
                continue
            filled += height
            bars.append(
                Bar(
                    x=round(number * place + place * GAP / 2, 2),
                    y=round(HEIGHT - filled, 2),
                    width=round(place * (1 - GAP), 2),
                    height=round(height, 2),
                    kind=kind,
                )
            )
        # Counted from the right: the newest always has its time below it.
        back = len(points) - 1 - number
        columns.append(
            Column(
                at=at,
                middle=round((number + 0.5) * place, 2),
                labelled=back % every == 0,
                second=back // every % 2 == 1,
                values={kind: values.get(kind, 0.0) for kind in kinds},
                bars=tuple(bars),
            )
        )
    return Chart(columns=tuple(columns), kinds=tuple(kinds), top=top)


def nice(greatest: float) -> float:
    """Return a round number that is at least as great: 1, 2 or 5 times a power of ten."""
    if greatest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(greatest))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= greatest * (1 - 1e-9))


def ended_chart(figures: Sequence[EndedFigure], *, now: datetime, unit: Unit, pieces: int) -> Chart:
    """Return how many jobs ended how in the last hours or days, empty ones included."""
    counts: dict[datetime, dict[str, float]] = {}
    for figure in figures:
        counts.setdefault(figure.begin, {})[figure.state.value] = float(figure.jobs)
    points = [(begin, counts.get(begin, {})) for begin in begins(now, unit, pieces)]
    return chart(points, [state.value for state in STATES])


def spent_chart(figures: Sequence[SpentFigure], *, now: datetime, pieces: int) -> Chart:
    """Return what each of the last days cost in USD."""
    costs = {figure.day: figure.usd for figure in figures}
    return chart([(day, {"usd": costs.get(day, 0.0)}) for day in begins(now, Unit.DAY, pieces)], ["usd"])


def begins(now: datetime, unit: Unit, pieces: int) -> list[datetime]:
    """Return the begins of the last hours or days in UTC, the present one last."""
    last = now.replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1)
    if unit is Unit.DAY:
        last, step = last.replace(hour=0), timedelta(days=1)
    return [last - step * back for back in reversed(range(pieces))]
