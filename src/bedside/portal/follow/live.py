"""The stream of a tenant's events (server-sent events): how jobs stand, and that something came.

Owns when a stream ends: with the session or token it was opened with, or with the right. Who it is is asked
again every few seconds; where nobody can say, the stream ends too, and the browser comes back.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from bedside.domain.person import Right
from bedside.errors import BedsideError, NotSignedIn
from bedside.portal.access.caller import LISTENS
from bedside.portal.access.need import Place, within
from bedside.portal.follow.desk import AtDesk, Desk
from bedside.portal.follow.hub import Told
from bedside.portal.follow.shaping import job_shape
from bedside.portal.shell.words import Words

#: Who listens is asked for again this often.
CHECK_S = 10.0
#: A browser that lost its stream comes back after so long.
COME_BACK_MS = 3000
#: Jobs that one stream may name.
NAMED = 200

router = APIRouter(prefix="/api/v1/tenants/{tenant}", tags=["following"])

Follower = Annotated[Place, Depends(within(Right.READ, Right.OPERATE))]


class Came(BaseModel):
    """Something was received."""

    arrival_id: str


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    request: Request,
    place: Follower,
    desk: AtDesk,
    job: Annotated[list[str], Query(max_length=NAMED, description="Only these jobs.")] = [],  # noqa: B006
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="Tell what happened since this number, too.")
    ] = None,
    shown: Annotated[bool, Query(description="Send jobs as HTML for a page.")] = False,
    last_event_id: Annotated[str, Header(max_length=30)] = "",
) -> EventSourceResponse:
    """Follow jobs as they move: server-sent events, until the session or the right ends.

    `job` has a job as `GET /jobs/{id}` shows it, without its history; `arrival` says that a study or a
    version of one came; `reload` that there was more than can be told; `end` that the caller may not listen
    any more. Each has a number as its id: whoever comes back says the last one as `Last-Event-ID`.
    """
    seen = int(last_event_id) if last_event_id.isdecimal() else after
    words = place.here.pages.words(request, place.caller) if shown else None
    return EventSourceResponse(_stream(request, place, desk, job, seen, words))


async def _stream(
    request: Request,
    place: Place,
    desk: Desk,
    only: Sequence[str],
    seen: int | None,
    words: Words | None,
) -> AsyncIterator[ServerSentEvent]:
    setattr(request.state, LISTENS, True)
    async with desk.hub.listening(place.tenant, only) as listener:
        newest = await run_in_threadpool(desk.hub.newest)
        yield ServerSentEvent(event="ready", data="", id=str(newest), retry=COME_BACK_MS)
        if seen is not None:
            for told in await run_in_threadpool(desk.hub.missed, place.tenant, seen, only):
                yield _event(told, place, words)
        loop_time = request.scope["app"].state.here.deployment.clock.monotonic
        checked = loop_time()
        while True:
            heard = await listener.heard(CHECK_S)
            if heard is not None:
                yield _event(heard, place, words)
            if heard is None or loop_time() - checked >= CHECK_S:
                try:
                    may = await run_in_threadpool(_may_still, request, place)
                except BedsideError:  # nobody can say: not one more word, and the browser comes back
                    return
                if not may:
                    yield ServerSentEvent(event="end", data="")
                    return
                checked = loop_time()


def _may_still(request: Request, place: Place) -> bool:
    """Ask again who it is, and whether they may."""
    try:
        caller = place.here.gate.caller(request)
    except NotSignedIn:
        return False
    if caller is None or caller.person.subject != place.caller.person.subject:
        return False
    return any(caller.person.may(right, place.tenant) for right in (Right.READ, Right.OPERATE))


def _event(told: Told, place: Place, words: Words | None) -> ServerSentEvent:
    number = str(told.number)
    if told.is_much:
        return ServerSentEvent(event="reload", data="", id=number)
    if told.job is None:
        return ServerSentEvent(
            event="arrival", data=Came(arrival_id=told.arrival_id).model_dump_json(), id=number
        )
    kind = words.language if words else ""
    if kind not in told.made:
        shape = job_shape(told.job, told.estimate)
        if words is None:
            told.made[kind] = shape.model_dump_json()
        else:
            html = place.here.pages.part("follow/live.html", words, job=shape)
            told.made[kind] = Shown(id=shape.id, state=shape.state.value, html=html).model_dump_json()
    return ServerSentEvent(event="job", data=told.made[kind], id=number)


class Shown(BaseModel):
    """How a job stands, as a page shows it."""

    id: str
    state: str
    html: str = Field(description="Of templates/follow/live.html.")
