"""One look at the ledger per tenant and second, however many browsers are open.

Owns who listens: the first listener of a tenant starts a task that looks, the last one to leave ends it.
What a look finds is told to each listener that asked for it; one that does not keep up is told to load its
page again. All of it runs in the event loop; only the looks are made in threads.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from starlette.concurrency import run_in_threadpool

from bedside.domain.job import Job, JobState
from bedside.errors import BedsideError, Unavailable
from bedside.following.estimate import Estimate, Estimator
from bedside.following.watch import News, Watch, find, since
from bedside.log import Log
from bedside.ports import Ledger

#: A person sees a change this late at most, and a ledger is asked no more often.
LOOK_S = 1.0
#: Places in line change without news of the job itself; they are counted this often.
LINE_S = 5.0
#: After a look that failed.
PAUSE_S = 5.0
#: A browser waits so long for the first look, and comes back otherwise.
FIRST_S = 10.0
#: Untold news of one listener; one that has more does not keep up.
BACKLOG = 256


@dataclass
class Told:
    """Something that listeners are told; what it looks like is made once for all of them.

    Attributes:
        number: Of the newest line of the history; what a browser says when it comes back.
        job: How a job stands now, or None.
        estimate: Of the job.
        arrival_id: What came, or ``""``.
        is_much: There is more than can be told.
        made: Of this, by kind and language, what is sent.
    """

    number: int
    job: Job | None = None
    estimate: Estimate | None = None
    arrival_id: str = ""
    is_much: bool = False
    made: dict[str, str] = field(default_factory=dict, repr=False)


class Listener:
    """One open stream.

    Args:
        only: Jobs to be told of; empty is all of the tenant.
    """

    def __init__(self, only: Collection[str]) -> None:
        self.only = frozenset(only)
        self._queue: asyncio.Queue[Told] = asyncio.Queue(BACKLOG)

    def tell(self, told: Told) -> None:
        """Put something into its hands; where they are full, all of it becomes one word to start anew."""
        if told.job is not None and self.only and told.job.id not in self.only:
            return
        try:
            self._queue.put_nowait(told)
        except asyncio.QueueFull:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(Told(number=told.number, is_much=True))

    async def heard(self, timeout_s: float) -> Told | None:
        """Return the next thing told, or None where nothing was in time."""
        try:
            return await asyncio.wait_for(self._queue.get(), timeout_s)
        except TimeoutError:
            return None


class _Room:
    """A tenant's listeners, and the task that looks for them."""

    def __init__(self, ledger: Ledger, estimator: Estimator, tenant: str, log: Log) -> None:
        self.listeners: set[Listener] = set()
        self.looked = asyncio.Event()
        self._ledger = ledger
        self._estimator = estimator
        self._tenant = tenant
        self._log = log
        self._watch = Watch(ledger, tenant)
        self._line: dict[str, int] = {}
        self._out_of_line: set[str] = set()

    @cached_property
    def task(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(), name=f"watch {self._tenant}")

    async def _run(self) -> None:
        passed_s = 0.0
        while True:
            try:
                for told in await run_in_threadpool(self._look):
                    self._tell(told)
                self.looked.set()
                if passed_s >= LINE_S:
                    passed_s = 0.0
                    for told in await run_in_threadpool(self._places, self._wanted()):
                        self._tell(told)
            except BedsideError as exc:  # the ledger is away; listeners wait, and so does this
                self._log("portal.watch.failed", tenant=self._tenant, error=type(exc).__name__)
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(LOOK_S)
            passed_s += LOOK_S

    def _tell(self, told: Told) -> None:
        for listener in tuple(self.listeners):
            listener.tell(told)

    def _wanted(self) -> frozenset[str]:
        return frozenset().union(*(listener.only for listener in self.listeners))

    def _look(self) -> list[Told]:
        news = self._watch.look()
        self._out_of_line -= {job.id for job in news.jobs}
        return told_of(news, self._estimator)

    def _places(self, wanted: Collection[str]) -> list[Told]:
        """Return those queued jobs that somebody looks at and whose place in line is another one now."""
        asked = set(wanted) - self._out_of_line
        queued = [j for j in find(self._ledger, self._tenant, asked) if j.state is JobState.QUEUED]
        # Those are not looked up again before something is heard of them.
        self._out_of_line |= asked - {job.id for job in queued}
        self._out_of_line &= set(wanted)
        estimates = self._estimator.of(queued)
        before = {job_id: estimate.before for job_id, estimate in estimates.items()}
        known, self._line = self._line, before
        moved = [job for job in queued if before[job.id] != known.get(job.id)]
        return [Told(number=self._watch.number, job=job, estimate=estimates[job.id]) for job in moved]


class Hub:
    """Looks at the ledger for everybody who watches.

    Args:
        ledger: Where jobs are.
        estimator: Says when they will end.
        log: Takes notes.
    """

    def __init__(self, *, ledger: Ledger, estimator: Estimator, log: Log) -> None:
        self._ledger = ledger
        self._estimator = estimator
        self._log = log
        self._rooms: dict[str, _Room] = {}

    @property
    def listeners(self) -> Mapping[str, int]:
        """How many listen, by tenant."""
        return {tenant: len(room.listeners) for tenant, room in self._rooms.items()}

    @asynccontextmanager
    async def listening(self, tenant: str, only: Collection[str] = ()) -> AsyncIterator[Listener]:
        """Be a listener for a while; call it in the event loop of the portal.

        What moves from then on is told; what moved before is `missed`.

        Raises:
            Unavailable: The ledger cannot be looked at.
        """
        room = self._rooms.get(tenant)
        if room is None:
            room = self._rooms[tenant] = _Room(self._ledger, self._estimator, tenant, self._log)
        listener = Listener(only)
        room.listeners.add(listener)
        room.task  # noqa: B018 - begins with the first listener
        try:
            try:
                # Else the first look could come after the caller's, and hide what moved between the two.
                await asyncio.wait_for(room.looked.wait(), FIRST_S)
            except TimeoutError as exc:
                raise Unavailable("ledger: nothing was heard of it", hint="try again") from exc
            yield listener
        finally:
            room.listeners.discard(listener)
            if not room.listeners and self._rooms.get(tenant) is room:
                del self._rooms[tenant]
                room.task.cancel()

    def missed(self, tenant: str, number: int, only: Collection[str]) -> list[Told]:
        """Return what somebody missed who saw a line last; call it in a thread."""
        return told_of(since(self._ledger, tenant, number, only), self._estimator)

    def newest(self) -> int:
        """Return the number of the newest line; call it in a thread."""
        return self._ledger.last_event()


def told_of(news: News, estimator: Estimator) -> list[Told]:
    """Return what to tell of some news."""
    if news.is_much:
        return [Told(number=news.number, is_much=True)]
    estimates = estimator.of(news.jobs)
    jobs = [Told(number=news.number, job=job, estimate=estimates.get(job.id)) for job in news.jobs]
    return [*jobs, *(Told(number=news.number, arrival_id=arrival_id) for arrival_id in news.arrivals)]
