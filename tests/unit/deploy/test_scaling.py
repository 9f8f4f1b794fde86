"""What must hold of the scaling simulation whatever its numbers say, and the estimate's formula by it."""

import importlib.util
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from bedside.deploy.cost import PoolPlan, Workload, machine_seconds


def _load() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "bench" / "scaling.py"
    spec = importlib.util.spec_from_file_location("scaling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling"] = module
    spec.loader.exec_module(module)
    return module


scaling = _load()


@pytest.mark.parametrize("pattern", sorted(scaling.PATTERNS))
@pytest.mark.parametrize("settings", sorted(scaling.SETTINGS))
def test_every_study_is_served_and_every_machine_goes(pattern: str, settings: str) -> None:
    arrivals, rules = scaling.PATTERNS[pattern](3), scaling.SETTINGS[settings]
    found = scaling.simulate(arrivals, rules)
    assert len(found.waits_s) == len(arrivals)
    assert min(found.waits_s) >= rules.seconds
    used = sum(end - begin for begin, end in found.billed)
    assert used >= len(arrivals) * rules.seconds
    assert all(end - begin >= rules.start.billed_s + rules.idle_s for begin, end in found.billed)


@pytest.mark.parametrize("pattern", ["steady", "bursts"])
def test_no_machine_runs_at_night(pattern: str) -> None:
    found = scaling.simulate(scaling.PATTERNS[pattern](4), scaling.Rules(permitted_wait_s=900))
    assert found.seconds_between(8, 20) > 0
    assert found.seconds_between(20, 24) + found.seconds_between(0, 8) == 0


def test_there_are_never_more_machines_than_permitted() -> None:
    found = scaling.simulate([0.1 * n for n in range(500)], scaling.Rules(most=4))
    moments = Counter(begin for begin, _ in found.billed)
    assert sum(moments.values()) == 4
    assert len(moments) > 1  # the waker raises one, the alarm on waiting jobs the others


def test_one_study_alone_by_hand() -> None:
    """Woken at once, 23 s free, 180 s of start, 25 s of work, 300 s of idle time."""
    found = scaling.simulate([100.0], scaling.Rules())
    assert found.waits_s == [23 + 180 + 25]
    assert found.billed == [(123.0, 123.0 + 180 + 25 + 300)]
    assert found.machine_s == 505


def test_a_permitted_wait_is_waited_and_ends_within_a_minute() -> None:
    found = scaling.simulate([90.0], scaling.Rules(permitted_wait_s=600))
    (wait,) = found.waits_s
    assert 600 <= wait - (23 + 180 + 25) <= 660


def test_ten_that_wait_start_a_machine_at_once() -> None:
    found = scaling.simulate([float(n) for n in range(10)], scaling.Rules(permitted_wait_s=600))
    assert found.billed[0][0] == 9 + 23


@pytest.mark.parametrize("wait_s", [0.0, 900.0])
@pytest.mark.parametrize("idle_s", [60.0, 300.0])
def test_the_estimates_formula_agrees(wait_s: float, idle_s: float) -> None:
    arrivals = scaling.steady(5, days=100)
    rules = scaling.Rules(permitted_wait_s=wait_s, idle_s=idle_s)
    seen = scaling.simulate(arrivals, rules).machine_s / len(arrivals)
    formula = machine_seconds(PoolPlan(permitted_wait_s=wait_s, idle_s=idle_s), Workload())
    assert formula == pytest.approx(seen, rel=0.06)


def test_a_pool_that_is_refilled_pays_for_it() -> None:
    rules = scaling.Rules(start=replace(scaling.COLD, refill_s=70))
    assert scaling.simulate([0.0], rules).machine_s == 505 + 70
