"""Telling people: a storm is a digest, a channel that fails is tried again, and nobody waits."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bedside.adapters.local.clock import SystemClock
from bedside.domain.measure import Measurement, Metric
from bedside.domain.notice import EXAMPLES, Bulletin, Notice, NoticeKind
from bedside.errors import BedsideError, ConfigError, Unavailable
from bedside.ports.metrics import Unmeasured
from bedside.ports.notifier import Notifier
from bedside.worker import announce
from bedside.worker.announce import Announcer, Announcing, Digests

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def dead(number: int) -> Notice:
    return Notice(kind=NoticeKind.JOB_DEAD, job=f"{number:08x}")


class Kept(Unmeasured):
    """Measurements that are kept."""

    def __init__(self) -> None:
        self.all: list[Measurement] = []

    def record(self, measurement: Measurement) -> None:
        self.all.append(measurement)


class Channel:
    """A channel that fails as it is told, then takes."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.took: list[Bulletin] = []
        self.tries = 0
        self.open = threading.Event()
        self.open.set()

    def send(self, bulletin: Bulletin) -> None:
        self.open.wait(5)
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        self.took.append(bulletin)


class Told:
    """An announcer over some channels, what it logs and what it counts."""

    def __init__(
        self, *, every_s: float = 600.0, kinds: tuple[NoticeKind, ...] = (), **channels: Notifier
    ) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.metrics = Kept()
        self.announcer = Announcer(
            Announcing(
                channels=channels,
                deployment="ward",
                kinds=frozenset(kinds),
                clock=SystemClock(),
                log=lambda action, /, **fields: self.lines.append((action, fields)),
                metrics=self.metrics,
            )
        )

    def actions(self) -> list[str]:
        return [action for action, _ in self.lines]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Digests


def test_the_first_leaves_at_once_and_a_storm_is_one_digest_more() -> None:
    digests = Digests("ward", 600)
    digests.add(dead(0), at=AT, now=0)
    (first,) = digests.due(0)
    assert (first.count, len(first.notices)) == (1, 1)
    for number in range(1, 1000):
        digests.add(dead(number), at=AT, now=1 + number / 10)
    assert digests.due(599) == []
    assert digests.next_due() == 600
    (rest,) = digests.due(600)
    assert (rest.count, len(rest.notices)) == (999, EXAMPLES)
    assert digests.due(1e9) == []


def test_kinds_do_not_wait_for_one_another_and_a_quiet_time_begins_anew() -> None:
    digests = Digests("ward", 600)
    digests.add(dead(1), at=AT, now=0)
    digests.due(0)
    digests.add(Notice(kind=NoticeKind.WORKER_GONE, worker="w"), at=AT, now=1)
    assert [b.kind for b in digests.due(1)] == [NoticeKind.WORKER_GONE]
    digests.add(dead(2), at=AT, now=601)
    assert [b.count for b in digests.due(601)] == [1]


def test_the_same_thing_told_twice_counts_once_and_later_again() -> None:
    digests = Digests("ward", 600)
    for now in (0, 1):
        digests.add(dead(1), at=AT, now=now)
    assert [b.count for b in digests.due(1)] == [1]
    digests.add(dead(1), at=AT, now=2)
    assert digests.due(700) == []
    digests.add(dead(1), at=AT, now=700)  # redriven, and dead again
    assert [b.count for b in digests.due(700)] == [1]


# The announcer


def test_a_thousand_jobs_that_fail_are_two_messages_for_each_channel() -> None:
    one, two = Channel(), Channel()
    told = Told(one=one, two=two)
    told.announcer.tell(dead(0))
    until(lambda: len(one.took) == len(two.took) == 1)
    for number in range(1, 1000):
        told.announcer.tell(dead(number))
    told.announcer.close()
    for channel in (one, two):
        assert [bulletin.count for bulletin in channel.took] == [1, 999]
    assert told.actions() == ["notice.sent"] * 4


def test_nobody_waits_for_a_channel_that_hangs() -> None:
    channel = Channel()
    channel.open.clear()
    told = Told(hangs=channel)
    began = time.monotonic()
    for number in range(100):
        told.announcer.tell(dead(number))
    assert time.monotonic() - began < 0.1
    told.announcer.close(within_s=0.1)
    assert told.actions() == ["notice.unsent"]
    channel.open.set()


def test_a_channel_that_is_out_of_reach_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "RETRIES_S", (0.01, 0.01))
    flaky, well = Channel(Unavailable("away"), Unavailable("away")), Channel()
    told = Told(flaky=flaky, well=well)
    told.announcer.tell(dead(1))
    until(lambda: bool(flaky.took))
    assert (flaky.tries, well.tries) == (3, 1)
    assert [b.id for b in flaky.took] == [b.id for b in well.took]
    told.announcer.close()
    assert not told.metrics.all


@pytest.mark.parametrize(
    ("failures", "tries"),
    [([Unavailable("away")] * 9, 3), ([ConfigError("refused")], 1), ([RuntimeError("Müller^Anna")], 1)],
)
def test_what_is_lost_is_logged_and_counted_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, failures: list[BedsideError], tries: int
) -> None:
    monkeypatch.setattr(announce, "RETRIES_S", (0.01, 0.01))
    channel = Channel(*failures)
    told = Told(broken=channel)
    told.announcer.tell(dead(1))
    until(lambda: "notice.lost" in told.actions())
    assert channel.tries == tries
    assert told.metrics.all == [Measurement(values={Metric.NOTICES_LOST: 1})]
    assert "Müller" not in str(told.lines)
    channel.failures.clear()
    told.announcer.tell(Notice(kind=NoticeKind.WORKER_GONE, worker="w"))  # the thread lives on
    until(lambda: bool(channel.took))
    told.announcer.close()


def test_an_end_tries_what_waits_once_more() -> None:
    channel = Channel(Unavailable("away"))
    told = Told(channel=channel)
    told.announcer.tell(dead(1))
    until(lambda: "notice.postponed" in told.actions())
    told.announcer.close()
    assert [b.count for b in channel.took] == [1]
    told.announcer.tell(dead(2))
    assert len(channel.took) == 1


def test_only_what_is_wanted_is_told() -> None:
    channel = Channel()
    told = Told(channel=channel, kinds=(NoticeKind.WORKER_GONE,))
    told.announcer.tell(dead(1))
    told.announcer.tell(Notice(kind=NoticeKind.WORKER_GONE, worker="w"))
    told.announcer.close()
    assert [b.kind for b in channel.took] == [NoticeKind.WORKER_GONE]


def test_without_channels_there_is_no_thread() -> None:
    told = Told()
    told.announcer.tell(dead(1))
    told.announcer.close()
    assert not any(thread.name == "notices" for thread in threading.enumerate())
