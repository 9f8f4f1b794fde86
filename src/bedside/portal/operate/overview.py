"""The dashboard."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.figures import STEPS, Unit
from bedside.domain.job import JobState
from bedside.operate.overview import DAYS, HOURS, Overview
from bedside.portal.here import InHere
from bedside.portal.operate.charts import ended_chart, spent_chart
from bedside.portal.operate.parts import InOperating, Operator, page, scope_of

router = APIRouter(prefix="/operate", include_in_schema=False)

#: In the order of a job's life.
_STATES = (
    JobState.QUEUED,
    JobState.RUNNING,
    JobState.SUCCEEDED,
    JobState.REJECTED,
    JobState.DEAD,
    JobState.CANCELLED,
)


@router.get("")
def overview(request: Request, here: InHere, parts: InOperating, caller: Operator) -> Response:
    """Show what a deployment does and what needs a look; made again every few seconds by its own page."""
    seen = parts.overviews.look(scope_of(here, caller))
    days = [figure for figure in seen.spent if figure.priced]
    return page(
        request,
        here,
        caller,
        "overview.html",
        seen=seen,
        states=[(state, seen.states.get(state, 0)) for state in _STATES],
        by_hour=ended_chart(seen.hours, now=seen.at, unit=Unit.HOUR, pieces=HOURS),
        by_day=ended_chart(seen.days, now=seen.at, unit=Unit.DAY, pieces=DAYS),
        by_cost=spent_chart(seen.spent, now=seen.at, pieces=DAYS),
        usd=sum(figure.usd for figure in days),
        usd_each=_each(seen),
        steps=STEPS,
        longest=max((s.p95_s for times in seen.times for s in times.steps.values()), default=0.0),
        deepest=max((queue.due + queue.delayed for queue in seen.queues), default=0),
    )


def _each(seen: Overview) -> float | None:
    """Return what one study cost in the mean, where any has a price."""
    priced = sum(figure.priced for figure in seen.spent)
    return sum(figure.usd for figure in seen.spent) / priced if priced else None
