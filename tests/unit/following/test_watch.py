"""What is new: every move is told, once, whatever order lines become visible in."""

from collections.abc import Sequence

import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.job import JobState, LedgerEvent
from bedside.following import watch as watching
from bedside.following.watch import News, Watch, since
from follow_samples import done, queued, study


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def states(news: News) -> list[JobState]:
    return [job.state for job in news.jobs]


def test_only_what_moved_since_the_last_look_is_new(ledger: MemoryLedger, clock: ManualClock) -> None:
    queued(ledger, study(ledger, 1, clock.now()), clock.now())
    watch = Watch(ledger, "default")
    assert states(watch.look()) == []
    arrival = study(ledger, 2, clock.now())
    queued(ledger, arrival, clock.now())
    news = watch.look()
    assert states(news) == [JobState.QUEUED] and news.arrivals == [arrival.id]
    assert (watch.look().jobs, watch.look().number) == ([], news.number)
    done(ledger, clock.now())
    news = watch.look()
    assert states(news) == [JobState.SUCCEEDED] and news.arrivals == []  # taken and done: how it stands now


def test_progress_of_a_running_job_is_new_without_a_line(ledger: MemoryLedger, clock: ManualClock) -> None:
    queued(ledger, study(ledger, 1, clock.now()), clock.now())
    lease = ledger.lease(pools=(), worker="w", now=clock.now(), lease_s=60)
    assert lease is not None
    watch = Watch(ledger, "default")
    watch.look()
    assert watch.look().jobs == []
    ledger.extend(lease, now=clock.now(), lease_s=60, progress=0.5, doing="forward")
    assert [job.progress for job in watch.look().jobs] == [0.5]


def test_another_tenants_news_are_none(ledger: MemoryLedger, clock: ManualClock) -> None:
    watch = Watch(ledger, "default")
    watch.look()
    queued(ledger, study(ledger, 1, clock.now(), tenant="ward-3"), clock.now())
    assert watch.look().jobs == []
    assert since(ledger, "default", 0).jobs == []
    assert len(since(ledger, "ward-3", 0).jobs) == 1


class Late(MemoryLedger):
    """A ledger in which one line becomes visible after one with a higher number."""

    hidden: frozenset[int] = frozenset()

    def news(self, tenant: str, *, after: int, limit: int = 1000) -> Sequence[tuple[int, LedgerEvent]]:
        return [(n, e) for n, e in super().news(tenant, after=after, limit=limit) if n not in self.hidden]


def test_a_line_that_becomes_visible_late_is_told(clock: ManualClock) -> None:
    ledger = Late()
    watch = Watch(ledger, "default")
    watch.look()
    ledger.hidden = frozenset({1})
    first = queued(ledger, study(ledger, 1, clock.now()), clock.now())
    second = queued(ledger, study(ledger, 2, clock.now()), clock.now())
    assert [job.id for job in watch.look().jobs] == [second.id]
    ledger.hidden = frozenset()
    assert [job.id for job in watch.look().jobs] == [first.id]
    assert watch.look().jobs == []


def test_whoever_was_away_hears_what_moved_of_the_jobs_they_watch(
    ledger: MemoryLedger, clock: ManualClock
) -> None:
    one = queued(ledger, study(ledger, 1, clock.now()), clock.now())
    seen = ledger.last_event()
    queued(ledger, study(ledger, 2, clock.now()), clock.now())
    done(ledger, clock.now())
    news = since(ledger, "default", seen, only=[one.id])
    assert [(job.id, job.state) for job in news.jobs] == [(one.id, JobState.SUCCEEDED)]
    assert len(news.arrivals) == 1 and news.number == ledger.last_event()


def test_too_much_to_tell_is_said(
    ledger: MemoryLedger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MANY", 3)
    watch = Watch(ledger, "default")
    watch.look()
    for seed in range(4):
        queued(ledger, study(ledger, seed, clock.now()), clock.now())
    assert watch.look().is_much
    assert since(ledger, "default", 0).is_much
    assert not watch.look().is_much
