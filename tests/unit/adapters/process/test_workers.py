"""The worker processes of a machine, with real processes and a clock of the test's."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedside.adapters.process.workers import MOST_WAIT_S, WorkerProcesses


class Hand:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


Make = Callable[..., WorkerProcesses]


@pytest.fixture
def make(hand: Hand) -> Iterator[Make]:
    made: list[WorkerProcesses] = []

    def build(*command: str, count: int = 1) -> WorkerProcesses:
        lines: list[str] = []
        workers = WorkerProcesses(
            command,
            configuration=b"{}",
            count=count,
            log=lambda action, /, **_: lines.append(action),
            clock=hand,
        )
        made.append(workers)
        return workers

    yield build
    for workers in made:
        workers.stop(0)


def ended(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_each_is_told_the_configuration_and_keeps_running(make: Make) -> None:
    workers = make("sh", "-c", 'read -r given; [ "$given" = "{}" ] && exec sleep 300', count=2)
    assert workers.tend() is False
    time.sleep(0.3)
    before = workers.pids()
    assert workers.tend() is False
    assert workers.pids() == before and len(before) == 2


def test_one_that_lived_is_started_again_at_once(make: Make, hand: Hand) -> None:
    workers = make("sleep", "300")
    workers.tend()
    (first,) = workers.pids()
    os.kill(first, signal.SIGKILL)
    ended(first)
    hand.now = 60
    assert workers.tend() is True
    assert workers.pids() != [first] and len(workers.pids()) == 1


def test_one_that_dies_young_is_started_later_and_later(make: Make, hand: Hand) -> None:
    workers = make("false")
    starts = 0
    workers.tend()
    while hand.now < 600:
        if workers.pids():
            starts += 1
            ended(workers.pids()[0])
        hand.now += 0.25
        workers.tend()
    # 0.25, 0.5, 1, … up to a minute: 9 starts in the first minute, then one each
    assert 12 < starts < 25
    assert MOST_WAIT_S == 60


def test_a_nudge_reaches_each_and_waits_for_none(make: Make, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    hears = make("sh", "-c", f'read -r given; read -r nudge; echo $$ >> "{heard}"; exec sleep 300', count=2)
    deaf = make("sleep", "300")
    dead = make("true")
    for workers in (hears, deaf, dead):
        workers.tend()
    ended(dead.pids()[0])
    dead.nudge()
    hears.nudge()
    for _ in range(70_000):  # more than a pipe holds
        deaf.nudge()
    until = time.monotonic() + 10
    while not heard.exists() or len(heard.read_text().splitlines()) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_stopping_waits_and_then_ends(make: Make) -> None:
    polite = make("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
    deaf = make("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    for workers in (polite, deaf):
        workers.tend()
    time.sleep(0.3)
    (kept,) = deaf.pids()
    polite.stop(10)
    deaf.stop(0.2)
    assert polite.pids() == deaf.pids() == []
    with pytest.raises(ProcessLookupError):
        os.kill(kept, 0)
