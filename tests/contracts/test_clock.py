"""What every clock keeps: aware UTC, and seconds that only grow."""

import inspect
from datetime import UTC, timedelta

import pytest

from bedside.adapters.local.clock import SystemClock
from bedside.adapters.memory.clock import ManualClock
from bedside.ports import Clock

CLOCKS = [SystemClock, ManualClock]


@pytest.mark.parametrize("kind", CLOCKS)
def test_time_is_aware_utc_and_passes_when_slept(kind: type[SystemClock] | type[ManualClock]) -> None:
    clock: Clock = kind()
    before, tick = clock.now(), clock.monotonic()
    assert before.tzinfo is UTC
    clock.sleep(0.02)
    assert clock.now() - before >= timedelta(seconds=0.015)
    assert clock.monotonic() - tick >= 0.015


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock()
    begun = clock.now()
    assert clock.now() == begun
    clock.sleep(3600)
    clock.advance(1)
    clock.sleep(-5)
    assert clock.now() - begun == timedelta(seconds=3601)
    assert clock.monotonic() == 3601


@pytest.mark.parametrize("kind", CLOCKS)
def test_signatures_are_the_ports(kind: type) -> None:
    for name, method in inspect.getmembers(Clock, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(method) == inspect.signature(getattr(kind, name)), name
