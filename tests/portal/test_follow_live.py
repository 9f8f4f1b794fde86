"""The stream of a tenant's events: one look at the ledger for all, and it ends with the right to listen."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest

from bedside.errors import Unavailable
from bedside.portal.follow import hub, live
from follow_samples import done, queued, study
from portal_serving import serving
from portal_site import CLINICIAN, ENGINEER, Site, person

EVENTS = "/api/v1/tenants/default/events"
#: Longer than anything here takes on a busy machine.
PATIENCE_S = 20


@dataclass
class Heard:
    """One event of a stream."""

    event: str
    data: str
    id: str


@pytest.fixture
def served(portal: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A portal that looks and checks all the time, on a real port: tests' clients know no streams."""
    monkeypatch.setattr(hub, "LOOK_S", 0.05)
    monkeypatch.setattr(live, "CHECK_S", 0.1)
    with serving(portal.client.app) as address:
        yield address


async def heard(stream: httpx.Response) -> AsyncIterator[Heard]:
    """Read events, comments left out, as they are written."""
    fields: dict[str, str] = {}
    async for line in stream.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield Heard(fields["event"], fields.get("data", ""), fields.get("id", ""))
            fields = {}


def follow(address: str, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Tell a story with one client, in time."""

    async def told() -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=PATIENCE_S) as client:
            await asyncio.wait_for(story(client), PATIENCE_S)

    asyncio.run(told())


async def until(events: AsyncIterator[Heard], event: str) -> Heard:
    async for one in events:
        if one.event == event:
            return one
    raise AssertionError(f"the stream ended without {event}")


def test_moves_are_told_as_they_happen_and_caught_up_with_after_a_cut(portal: Site, served: str) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    foreign = queued(ledger, study(ledger, 9, now, tenant="ward-3"), now)

    async def story(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", EVENTS) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            events = heard(stream)
            await until(events, "ready")
            job = queued(ledger, study(ledger, 1, now), now)
            told = await until(events, "job")
            shape = json.loads(told.data)
            assert (shape["id"], shape["state"], shape["estimate"]["before"]) == (job.id, "queued", 1)
            assert json.loads((await until(events, "arrival")).data) == {"arrival_id": job.arrival_id}
        lease = ledger.lease(pools=(), worker="w", now=now, lease_s=60)  # the other tenant's, made first
        assert lease is not None and lease.job.id == foreign.id
        done(ledger, now)
        async with client.stream("GET", EVENTS, headers={"Last-Event-ID": told.id}) as stream:
            again = await until(heard(stream), "job")
            assert [json.loads(again.data)[key] for key in ("id", "state")] == [job.id, "succeeded"]
            assert int(again.id) > int(told.id)

    follow(served, story)


def test_what_moves_while_a_stream_opens_is_told(
    portal: Site, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look says what is old: it must be over when a stream asks for what it missed."""
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    look = hub._Room._look

    def slow(room: hub._Room) -> list[hub.Told]:
        time.sleep(0.4)
        return look(room)

    monkeypatch.setattr(hub._Room, "_look", slow)

    async def story(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", EVENTS, params={"after": 0}) as stream:
            events = heard(stream)
            await until(events, "ready")
            await asyncio.sleep(0.15)  # long enough for what was missed, in which there is nothing yet
            job = queued(ledger, study(ledger, 1, now), now)
            told = await asyncio.wait_for(until(events, "job"), 5)
            assert json.loads(told.data)["id"] == job.id

    follow(served, story)


def test_a_page_gets_its_own_jobs_as_html_in_its_language(portal: Site, served: str) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    mine = queued(ledger, study(ledger, 1, now), now)
    other = queued(ledger, study(ledger, 2, now), now)
    portal.gate.language = "es"

    async def story(client: httpx.AsyncClient) -> None:
        asked = {"shown": "true", "job": mine.id}
        async with client.stream("GET", EVENTS, params=asked) as stream:
            events = heard(stream)
            await until(events, "ready")
            ledger.cancel("default", other.id, now)  # not asked for
            ledger.cancel("default", mine.id, now)
            told = json.loads((await until(events, "job")).data)
            assert (told["id"], told["state"]) == (mine.id, "cancelled")
            assert ">cancelado<" in told["html"] and "<script" not in told["html"]

    follow(served, story)


def test_a_hundred_streams_cost_one_look(portal: Site, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    looks = 0
    look = hub._Room._look

    def counted(room: hub._Room) -> list[hub.Told]:
        nonlocal looks
        looks += 1
        return look(room)

    monkeypatch.setattr(hub._Room, "_look", counted)
    monkeypatch.setattr(hub, "LOOK_S", 0.25)
    monkeypatch.setattr(live, "CHECK_S", 5.0)
    listening = portal.client.app.state.desk.hub  # type: ignore[attr-defined]

    async def story(client: httpx.AsyncClient) -> None:
        async with AsyncExitStack() as stack:
            streams = [
                heard(await stack.enter_async_context(client.stream("GET", EVENTS))) for _ in range(100)
            ]
            await asyncio.gather(*(until(events, "ready") for events in streams))
            assert listening.listeners == {"default": 100}
            before = looks
            loop = asyncio.get_running_loop()
            began = loop.time()
            job = queued(ledger, study(ledger, 1, now), now)
            told = await asyncio.gather(*(until(events, "job") for events in streams))
            assert {json.loads(one.data)["id"] for one in told} == {job.id}
            assert looks - before <= (loop.time() - began) / 0.25 + 2
        while listening.listeners:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        ended = looks
        await asyncio.sleep(0.6)
        assert looks == ended  # nobody listens, nobody looks

    follow(served, story)


def test_places_in_line_are_told_as_they_change(
    portal: Site, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LINE_S", 0.1)
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    first = queued(ledger, study(ledger, 1, now), now)
    last = queued(ledger, study(ledger, 2, now), now)

    async def story(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", EVENTS, params={"job": [last.id, "gone"]}) as stream:
            events = heard(stream)
            told = json.loads((await until(events, "job")).data)
            assert (told["id"], told["estimate"]["before"]) == (last.id, 1)
            ledger.cancel("default", first.id, now)  # of which this stream is told nothing
            told = json.loads((await until(events, "job")).data)
            assert (told["id"], told["estimate"]["before"]) == (last.id, 0)
            ledger.cancel("default", last.id, now)
            assert json.loads((await until(events, "job")).data)["state"] == "cancelled"
            ledger.redrive("default", last.id, now)  # back in line
            assert json.loads((await until(events, "job")).data)["state"] == "queued"

    follow(served, story)


@pytest.mark.parametrize("after", [None, person()], ids=["signed out", "right taken"])
def test_a_stream_ends_with_the_right_to_listen(portal: Site, served: str, after: object) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()

    async def story(client: httpx.AsyncClient) -> None:
        portal.gate.person = ENGINEER if after else CLINICIAN
        async with client.stream("GET", EVENTS) as stream:
            events = heard(stream)
            await until(events, "ready")
            portal.gate.person = after  # type: ignore[assignment]
            await until(events, "end")
            queued(ledger, study(ledger, 1, now), now)
            assert [one async for one in events] == []  # closed by the server, with nothing more
        refused = await client.get(EVENTS)
        assert refused.status_code == (403 if after else 401)

    follow(served, story)


def test_a_stream_ends_where_nobody_can_say_who_listens(
    portal: Site, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", EVENTS) as stream:
            events = heard(stream)
            await until(events, "ready")

            def away(_: object) -> None:
                raise Unavailable("ledger: away")

            monkeypatch.setattr(portal.gate, "caller", away)
            assert [one.event async for one in events] == []  # no word of an end: the browser comes back

    follow(served, story)


def test_a_listener_that_does_not_keep_up_is_told_to_start_anew() -> None:
    async def story() -> None:
        listener = hub.Listener(())
        for number in range(hub.BACKLOG + 1):
            listener.tell(hub.Told(number=number, arrival_id="a"))
        told = await listener.heard(1)
        assert told is not None and told.is_much and told.number == hub.BACKLOG
        assert await listener.heard(0.01) is None

    asyncio.run(story())
