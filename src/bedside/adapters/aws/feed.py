"""What is complete in a bucket's drop-boxes, looked at only when the queue says that something came.

Hints of jobs come the same way, and are held as long as the job needs this pool: what a machine held that
died comes back and wakes another. A pool whose queue brings no events listens for hints alone.

Owns which message may go. The drop-box stays the truth and a message is a hint: one that is lost is
made up for by a full look now and then, one that comes twice is deleted twice. Of several machines that
hold messages of one series, the one that was told of its first object takes it; the others wait a while.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bedside.adapters.aws.events import JobHint, parse
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.queue import Message, SqsQueue
from bedside.errors import InputRejected
from bedside.log import Log, silent
from bedside.ports import Clock, Dropped
from bedside.worker.dropbox import DropboxWatch

#: Every drop-box is listed this often, though no message came: a listing costs money.
FULL_LOOK_S = 300.0
#: Something that another machine was told of is taken by us after this long, for that one may be dead.
PATIENCE_S = 60.0
#: Whether a job ended is asked this often: a hint that is held keeps its machine, which costs.
_JOBS_S = 1.0
#: Log lines about messages that stay, remembered so that each is told once.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOptions:
    """How the queue is asked.

    Attributes:
        poll_s: It is asked at most this often, however many tenants there are.
        wait_s: How long SQS may wait for a message.
    """

    poll_s: float = 1.0
    wait_s: int = 1


@dataclass(slots=True)
class _Held:
    """A message in our hands, and what of it is not done."""

    queue: SqsQueue
    message: Message
    objects: set[tuple[str, str]]
    job: JobHint | None = None
    foreign: bool = False


@dataclass(kw_only=True)
class SqsFeed:
    """Tells what is complete in the drop-boxes of the tenants that are served. Not frozen: it remembers.

    Attributes:
        queues: All bring hints of jobs; where drop-boxes are watched, the first brings events.
        bucket: Where the drop-boxes are.
        watch: Knows what belongs together and when it is complete.
        tenants: Who is served; messages of others are left alone.
        hint_done: Whether the job of a hint needs no worker of that pool any more.
        clock: The time.
        options: How the queue is asked.
        drop_boxes: Whether drop-boxes are watched here, or only hints listened to.
        owner: Returns whose own input bucket one is, by its name; empty for any other bucket.
        woken: Called when a hint came of a job that waits.
        log: Takes notes.
    """

    queues: Sequence[SqsQueue]
    bucket: Bucket
    watch: DropboxWatch
    tenants: Sequence[str]
    hint_done: Callable[[JobHint], bool]
    clock: Clock
    options: FeedOptions = FeedOptions()
    drop_boxes: bool = True
    owner: Callable[[str], str] = lambda _: ""
    woken: Callable[[], None] = lambda: None
    log: Log = silent
    _held: dict[str, _Held] = field(init=False, repr=False, default_factory=dict)
    _unread: deque[tuple[SqsQueue, Message]] = field(init=False, repr=False, default_factory=deque)
    _told: dict[str, set[str]] = field(init=False, repr=False, default_factory=lambda: defaultdict(set))
    _looked_at: dict[str, float] = field(init=False, repr=False, default_factory=dict)
    _polled_at: float = field(init=False, repr=False, default=float("-inf"))
    _jobs_at: float = field(init=False, repr=False, default=float("-inf"))
    _noted: dict[str, None] = field(init=False, repr=False, default_factory=dict)

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        self._poll()
        if not self.drop_boxes:
            return []
        now = self.clock.monotonic()
        waits = {key for held in self._held.values() for of, key in held.objects if of == tenant}
        due = self._looked_at.get(tenant, float("-inf")) + FULL_LOOK_S
        if not waits and now < due:
            return []
        if now >= due:
            self._looked_at[tenant] = now
        look = self.watch.look(tenant)
        there = {key for dropped, _ in look.complete for key in dropped.parts} | look.growing
        # Gone, a marker, junk, or of a set that lacks a file: whatever it waits for has an event of its own.
        self._done(tenant, waits - there)
        self._told[tenant] = (self._told[tenant] | waits) & (there | look.partial)
        return [
            dropped
            for dropped, still_s in look.complete
            if dropped.parts[0] in self._told[tenant] or still_s >= PATIENCE_S
        ]

    def taken(self, tenant: str, dropped: Dropped) -> None:
        """Delete the messages that told of it.

        One that came since the last `ready` is not among them: it may tell of a newer object.
        """
        self._done(tenant, dropped.parts)

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        """Give the messages that told of it back until then; what comes too often, the queue buries."""
        objects = {(tenant, key) for key in dropped.parts}
        for held in self._which(objects):
            del self._held[held.message.id]
            held.queue.give_back([held.message], delay_s=wait_s)

    def close(self) -> None:
        """Give back what is held, for another machine to have it at once."""
        self._held.clear()
        self._unread.clear()
        for queue in self.queues:
            queue.close()

    # Messages

    def _poll(self) -> None:
        now = self.clock.monotonic()
        if now >= self._polled_at + self.options.poll_s:
            self._polled_at = now
            came = self._read_all()
            for number, queue in enumerate(self.queues):
                received = queue.receive(wait_s=0 if number else self.options.wait_s)
                self._unread.extend((queue, message) for message in received)
                came = self._read_all() or came
            if came:
                self.woken()
        if now >= self._jobs_at + _JOBS_S:
            self._jobs_at = now
            for held in [held for held in self._held.values() if held.job is not None]:
                self._look_after(held)

    def _read_all(self) -> bool:
        """Read what was received; return whether a hint is among it of a job that waits.

        Reading asks the ledger. While that is out of reach a message stays to be read: the queue's heartbeat
        keeps it from everybody else, so that one forgotten here would be nobody's.
        """
        came = False
        while self._unread:
            queue, message = self._unread[0]
            self._read(queue, message)
            self._unread.popleft()
            waits = self._held.get(message.id)
            came = came or (waits is not None and waits.job is not None)
        return came

    def _read(self, queue: SqsQueue, message: Message) -> None:
        try:
            told = parse(message.body, self.bucket, self.owner)
        except InputRejected as refused:
            queue.forget([message])
            self._note("queue.malformed", message, reason=refused.message)
            return
        tenants = {tenant for tenant, _ in told.objects}
        if told.job and (told.job.tenant in self.tenants or not self.hint_done(told.job)):
            tenants.add(told.job.tenant)  # else of a tenant that ended with its jobs: nobody misses it
        held = _Held(
            queue=queue,
            message=message,
            objects={found for found in told.objects if self.drop_boxes and found[0] in self.tenants},
            job=told.job if told.job and told.job.tenant in self.tenants else None,
            foreign=not tenants <= set(self.tenants) or bool(told.objects and not self.drop_boxes),
        )
        if held.foreign:
            who = "a tenant that is not served here" if self.drop_boxes else "a drop-box, in our pool's queue"
            self._note("queue.foreign", message, reason=f"of {who}")
        self._held[message.id] = held
        if held.job is not None:
            self._look_after(held)
        elif not held.objects:
            self._let_go([held])

    def _look_after(self, held: _Held) -> None:
        assert held.job is not None
        if self.hint_done(held.job):
            self._let_go([held])

    def _done(self, tenant: str, keys: Iterable[str]) -> None:
        objects = {(tenant, key) for key in keys}
        ended = []
        for held in self._which(objects):
            held.objects -= objects
            if not held.objects:
                ended.append(held)
        self._let_go(ended)

    def _which(self, objects: set[tuple[str, str]]) -> list[_Held]:
        return [held for held in self._held.values() if held.objects & objects]

    def _let_go(self, ended: Sequence[_Held]) -> None:
        """Delete messages of which all is done; what is not ours to end comes back by itself."""
        for queue in self.queues:
            mine = [held for held in ended if held.queue is queue]
            queue.delete([held.message for held in mine if not held.foreign])
            queue.forget([held.message for held in mine if held.foreign])
        for held in ended:
            self._held.pop(held.message.id, None)

    def _note(self, action: str, message: Message, reason: str) -> None:
        if message.id not in self._noted:
            if len(self._noted) >= _REMEMBERED:
                self._noted.clear()
            self._noted[message.id] = None
            self.log(action, message=message.id, reason=reason)
