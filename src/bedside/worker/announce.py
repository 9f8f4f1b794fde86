"""Tells people: gathers notices into bulletins, and sends them beside the work.

Owns when something is sent and how often it is tried. The first notice of a kind leaves at once; what
follows within `Digests.every_s` is gathered and leaves as one bulletin, so that a night on which a
thousand jobs fail is a few mails. Nothing here is lasting: what is told is in the ledger anyway, and a
process that is killed takes at most one digest with it. Whoever tells never waits and never fails.
"""

import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bedside.domain.measure import Measurement, Metric
from bedside.domain.notice import EXAMPLES, Bulletin, Notice, NoticeKind
from bedside.errors import BedsideError
from bedside.log import Log, silent
from bedside.ports import Clock
from bedside.ports.metrics import Metrics, Unmeasured
from bedside.ports.notifier import Notifier

#: Waits before another try; after the last one a bulletin is lost.
RETRIES_S = (2.0, 10.0, 60.0, 300.0)
#: An end of the process waits so long for what is to be sent.
CLOSE_S = 5.0
#: Of one kind, so many are known again when they are told twice.
REMEMBERED = 10_000
#: Letters that wait for another try; the oldest goes where a channel is gone for long.
MOST_LETTERS = 100

Tell = Callable[[Notice], None]


def ignore(_notice: Notice) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class _Gathered:
    """Notices of one kind that wait, and those that must not be told again."""

    due: float
    before: set[Notice] = field(default_factory=set)
    seen: set[Notice] = field(default_factory=set)
    count: int = 0
    first: list[Notice] = field(default_factory=list)
    first_at: datetime | None = None
    last_at: datetime | None = None


class Digests:
    """Gathers notices by kind; knows no thread and no clock.

    Args:
        deployment: Its name, for the bulletins.
        every_s: At most one bulletin of a kind in this time.
    """

    def __init__(self, deployment: str, every_s: float) -> None:
        self._deployment = deployment
        self.every_s = every_s
        self._kinds: dict[NoticeKind, _Gathered] = {}

    def add(self, notice: Notice, *, at: datetime, now: float) -> None:
        """Take a notice. One that was there within the time already is the same thing told twice.

        Args:
            notice: What happened.
            at: When.
            now: Seconds that only grow.
        """
        found = self._kinds.get(notice.kind)
        if found is None or (not found.count and now >= found.due):
            found = self._kinds[notice.kind] = _Gathered(due=now)
        if notice in found.seen or notice in found.before:
            return
        if len(found.seen) < REMEMBERED:
            found.seen.add(notice)
        found.count += 1
        found.first_at, found.last_at = found.first_at or at, at
        if len(found.first) < EXAMPLES:
            found.first.append(notice)

    def due(self, now: float, *, every: bool = False) -> list[Bulletin]:
        """Return what is to be sent now, or all there is; it is not returned again."""
        bulletins = []
        for kind, found in list(self._kinds.items()):
            if not found.count:
                if now >= found.due:
                    del self._kinds[kind]
                continue
            if now < found.due and not every:
                continue
            assert found.first_at is not None
            assert found.last_at is not None
            bulletins.append(
                Bulletin(
                    kind=kind,
                    deployment=self._deployment,
                    count=found.count,
                    first_at=found.first_at,
                    last_at=found.last_at,
                    notices=tuple(found.first),
                )
            )
            self._kinds[kind] = _Gathered(due=now + self.every_s, before=found.seen)
        return bulletins

    def next_due(self) -> float | None:
        """Return when something is to be sent next, or None where nothing waits."""
        return min((found.due for found in self._kinds.values() if found.count), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """A bulletin on its way through one channel."""

    channel: str
    bulletin: Bulletin
    tries: int
    due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """What an announcer works with.

    Attributes:
        channels: Ways to people, by name.
        deployment: Its name.
        kinds: What is told; none named is every kind.
        every_s: At most one bulletin of a kind in this time.
        clock: The time.
        log: Takes notes.
        metrics: Counts what is lost.
    """

    channels: Mapping[str, Notifier]
    deployment: str
    kinds: frozenset[NoticeKind] = frozenset()
    every_s: float = 600.0
    clock: Clock
    log: Log = silent
    metrics: Metrics = field(default_factory=Unmeasured)


class Announcer:
    """Sends what it is told, from a thread of its own that starts with the first notice.

    Args:
        parts: What it works with.
    """

    def __init__(self, parts: Announcing) -> None:
        self._parts = parts
        self._digests = Digests(parts.deployment, parts.every_s)
        self._letters: list[_Letter] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def tell(self, notice: Notice) -> None:
        """Take a notice to be sent; returns at once and raises nothing."""
        parts = self._parts
        if not parts.channels or (parts.kinds and notice.kind not in parts.kinds):
            return
        with self._changed:
            if self._closing:
                return
            self._digests.add(notice, at=parts.clock.now(), now=parts.clock.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, within_s: float = CLOSE_S) -> None:
        """Send what waits, each thing once more, and stop; what is not sent in time is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within_s)
            if self._thread.is_alive():
                self._parts.log("notice.unsent", waited_s=within_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closing and (wait := self._wait_s()) > 0:
                    self._changed.wait(wait if wait != float("inf") else None)
                closing = self._closing
                letters = self._take(every=closing)
            for letter in letters:
                self._post(letter, last=closing)
            if closing:
                return

    def _wait_s(self) -> float:
        dues = [letter.due for letter in self._letters]
        digest = self._digests.next_due()
        next_due = min([*dues, *([] if digest is None else [digest])], default=float("inf"))
        return next_due - self._parts.clock.monotonic()

    def _take(self, *, every: bool) -> Sequence[_Letter]:
        now = self._parts.clock.monotonic()
        for bulletin in self._digests.due(now, every=every):
            self._letters += [
                _Letter(channel=name, bulletin=bulletin, tries=0, due=now) for name in self._parts.channels
            ]
        due = [letter for letter in self._letters if every or letter.due <= now]
        self._letters = [letter for letter in self._letters if letter not in due]
        return due

    def _post(self, letter: _Letter, *, last: bool) -> None:
        """Try a channel once; what may still do is kept for another try."""
        try:
            self._parts.channels[letter.channel].send(letter.bulletin)
        except BedsideError as failed:
            again = failed.retryable and not last and letter.tries < len(RETRIES_S)
            reason = failed.message
        except Exception as surprise:  # noqa: BLE001 - one channel's surprise must not silence the others
            traceback.print_tb(surprise.__traceback__)
            where = traceback.extract_tb(surprise.__traceback__)[-1]
            again = False
            reason = f"{type(surprise).__name__} at {Path(where.filename).name}:{where.lineno}"
        else:
            self._note("notice.sent", letter)
            return
        if not again:
            self._lose(letter, reason)
            return
        due = self._parts.clock.monotonic() + RETRIES_S[letter.tries]
        with self._changed:
            self._letters.append(
                _Letter(channel=letter.channel, bulletin=letter.bulletin, tries=letter.tries + 1, due=due)
            )
            too_many = [self._letters.pop(0)] if len(self._letters) > MOST_LETTERS else []
        self._note("notice.postponed", letter, reason)
        for oldest in too_many:
            self._lose(oldest, "too many wait")

    def _lose(self, letter: _Letter, reason: str) -> None:
        self._note("notice.lost", letter, reason)
        self._parts.metrics.record(Measurement(values={Metric.NOTICES_LOST: 1}))

    def _note(self, action: str, letter: _Letter, reason: str = "") -> None:
        bulletin = letter.bulletin
        self._parts.log(
            action,
            channel=letter.channel,
            kind=bulletin.kind.value,
            notices=bulletin.count,
            bulletin=bulletin.id,
            reason=reason,
        )
