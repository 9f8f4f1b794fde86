"""Waiting time and cost per study: days of arrivals through the scaling rules that a deployment has.

    python bench/scaling.py            # waiting time and cost per study, as tables
    python bench/scaling.py --json

The waker's `decide` is the one that Lambda runs, loaded from the Terraform module; the other rules are
those of that module (`scaling.tf`, how a machine of `node.sh.tftpl` counts and leaves), written again here.
What is assumed stands in `STARTS`, `LEAVING_S`, `SAGEMAKER` and `PATTERNS`; docs/cost.md has the sources.
Nothing here was measured on AWS.
"""

import argparse
import heapq
import importlib.util
import itertools
import json
import random
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bedside.deploy.cost import LEAST_BILLED_S, LEAVING_S, OFTEN_S, SELDOM_S, START_S
from bedside.deploy.prices import load_table

WAKER = "src/bedside/deploy/terraform/modules/workers/waker/waker.py"
HOUR, DAY, MINUTE = 3600.0, 86400.0, 60.0
OPENS = 8 * HOUR
DAYS = 20
#: scaling.tf: jobs above the threshold to machines more, and how long a new machine counts as starting.
STEPS = ((10.0, 4), (3.0, 2), (1.0, 1))
WARMUP_S = 300.0


def load_waker() -> Any:
    """Return the waker's module, by its path."""
    path = Path(__file__).resolve().parents[1] / WAKER
    spec = importlib.util.spec_from_file_location("bedside_waker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


waker = load_waker()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How long a machine takes: until EC2 calls it running, which is free, and then until its first job.

    Attributes:
        lead_s: What the waker takes for it (`start_s` of main.tf).
    """

    free_s: float
    billed_s: float
    lead_s: float


#: Kinds of start; `deploy/cost.py` has the billed seconds, main.tf the leads. Free: API and pending, 23 s for
#: a new machine, 15 for a stopped one.
COLD = Start(free_s=23, billed_s=START_S["gpu"], lead_s=240)
COLD_CPU = Start(free_s=23, billed_s=START_S["cpu"], lead_s=150)
WARM = Start(free_s=15, billed_s=START_S["warm"], lead_s=90)
WARM_CPU = Start(free_s=15, billed_s=START_S["warm cpu"], lead_s=90)
#: Asynchronous inference: two one-minute periods of HasBacklogWithoutCapacity (AWS's documentation), then an
#: endpoint's machine in five minutes, all of it taken as free; ScaleInCooldown 600 s as documented.
SAGEMAKER, SAGEMAKER_IDLE_S = Start(free_s=120 + 300, billed_s=0, lead_s=0), 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The scaling settings of one pool, as in ``[deploy.pools]``; and what is assumed of a study.

    Attributes:
        seconds: Of one study on a running machine.
        leaving_s: From the count that found nothing to do until EC2 bills no more.
    """

    start: Start = COLD
    idle_s: float = 300
    permitted_wait_s: float = 0
    most: int = 1
    seconds: float = 25
    threshold: int = 10
    leaving_s: float = LEAVING_S

    @property
    def every_s(self) -> float:
        """How often a machine counts."""
        return min(SELDOM_S, max(OFTEN_S, self.idle_s))


@dataclass(slots=True)
class Machine:
    """One machine: when it began, when it is ready, what it does, when it last had something to do."""

    number: int
    began: float
    ready: float
    free: bool = False
    busy_at: float = 0


@dataclass(slots=True)
class Outcome:
    """What came of it: per study the seconds from its arrival to its result; per machine when it was paid."""

    waits_s: list[float] = field(default_factory=list)
    billed: list[tuple[float, float]] = field(default_factory=list)

    @property
    def machine_s(self) -> float:
        """Billed machine seconds."""
        return sum(max(end - begin, LEAST_BILLED_S) for begin, end in self.billed)

    def seconds_between(self, begin_h: float, end_h: float) -> float:
        """Machine seconds within these hours of any day."""
        last = int(max((end for _, end in self.billed), default=0) // DAY) + 1
        windows = [(d * DAY + begin_h * HOUR, d * DAY + end_h * HOUR) for d in range(last)]
        return sum(max(0.0, min(e, high) - max(b, low)) for b, e in self.billed for low, high in windows)

    def wait_s(self, share: float) -> float:
        """The wait that this share of the studies does not exceed."""
        ordered = sorted(self.waits_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Simulation:
    """One pool, event by event: arrivals, the waker's minute, machines that are ready, done or idle."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.outcome = Outcome()
        self._now = 0.0
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self._queue: deque[float] = deque()
        self._machines: dict[int, Machine] = {}
        self._working = 0
        self._since: float | None = None

    def run(self, arrivals: Sequence[float]) -> Outcome:
        """Let studies arrive at these seconds; return when all have a result and no machine is left."""
        for at in arrivals:
            self._plan(at, "arrived", None)
        self._plan(0.0, "minute", None)
        left = len(arrivals)
        while self._events:
            self._now, _, what, subject = heapq.heappop(self._events)
            match what:
                case "arrived":
                    self._queue.append(self._now)
                    self._take()
                    self._wake()
                case "minute":
                    self._wake()
                    self._grow()
                    if left or self._machines:
                        self._plan(self._now + MINUTE, "minute", None)
                case "ready":
                    subject.free, subject.busy_at = True, self._now
                    self._plan(self._now + self.rules.every_s, "count", subject)
                    self._take()
                case "done":
                    machine, arrived = subject
                    self.outcome.waits_s.append(self._now - arrived)
                    left -= 1
                    self._working -= 1
                    machine.free = True
                    self._take()
                case "count":
                    self._count(subject)
                case "left":
                    self._leave(subject)
        return self.outcome

    def _plan(self, at: float, what: str, subject: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), what, subject))

    def _take(self) -> None:
        """Give waiting studies to idle machines."""
        for machine in self._machines.values():
            if machine.free and self._queue:
                machine.free = False
                self._working += 1
                self._plan(self._now + self.rules.seconds, "done", (machine, self._queue.popleft()))

    def _count(self, machine: Machine) -> None:
        """Do what a machine does each time it counts what it has to do."""
        if self._queue or not machine.free:
            machine.busy_at = self._now
        elif self._now - machine.busy_at >= self.rules.idle_s:
            machine.free = False  # its worker stops, so that nothing comes between
            self._plan(self._now + self.rules.leaving_s, "left", machine)
            return
        self._plan(self._now + self.rules.every_s, "count", machine)

    def _leave(self, machine: Machine) -> None:
        """Go, unless something came before the second count: then the worker is started again."""
        if self._queue:
            machine.free, machine.busy_at = True, self._now
            self._plan(self._now + self.rules.every_s, "count", machine)
            self._take()
            return
        del self._machines[machine.number]
        self.outcome.billed.append((machine.began, self._now))

    def _wake(self) -> None:
        action = waker.decide(
            visible=len(self._queue),
            in_flight=self._working,
            delayed=0,
            desired=len(self._machines),
            maximum=self.rules.most,
            waited_s=None if self._since is None else self._now - self._since,
            permitted_wait_s=self.rules.permitted_wait_s,
            start_s=self.rules.start.lead_s,
        )
        if action is waker.Action.REMEMBER:
            self._since = self._now
        elif action is waker.Action.FORGET:
            self._since = None
        elif action is waker.Action.WAKE:
            self._since = None
            self._launch()

    def _grow(self) -> None:
        """Do what the alarm on waiting jobs does each minute; workers count them, so one must be there."""
        working = [m for m in self._machines.values() if m.ready <= self._now]
        more = next((n for times, n in STEPS if len(self._queue) >= times * self.rules.threshold), 0)
        if not working or not more:
            return
        settled = sum(self._now - m.ready >= WARMUP_S for m in working)
        wanted = min(self.rules.most, max(settled, 1) + more)
        for _ in range(wanted - len(self._machines)):
            self._launch()

    def _launch(self) -> None:
        began = self._now + self.rules.start.free_s
        machine = Machine(number=next(self._order), began=began, ready=began + self.rules.start.billed_s)
        self._machines[machine.number] = machine
        self._plan(machine.ready, "ready", machine)


def simulate(arrivals: Sequence[float], rules: Rules) -> Outcome:
    """Run arrivals through the rules."""
    return Simulation(rules).run(arrivals)


def steady(seed: int, studies: float = 100, hours: float = 10, days: int = DAYS) -> list[float]:
    """Studies at random (Poisson) over the hours of a working day."""
    random_ = random.Random(seed)
    found = []
    for day in range(days):
        at = 0.0
        while (at := at + random_.expovariate(studies / (hours * HOUR))) < hours * HOUR:
            found.append(day * DAY + OPENS + at)
    return found


def bursts(seed: int) -> list[float]:
    """A hundred a day in ten bursts: ten studies within ten minutes, at random hours of ten."""
    random_ = random.Random(seed)
    starts = [d * DAY + OPENS + random_.uniform(0, 10 * HOUR) for d in range(DAYS) for _ in range(10)]
    return sorted(start + random_.uniform(0, 600) for start in starts for _ in range(10))


def nights(seed: int) -> list[float]:
    """Ninety by day, and ten through the night."""
    day = steady(seed, 90)
    night = [at + 10 * HOUR for at in steady(seed + 1, 10, 14)]
    return sorted(day + night)


def list_of_500(_seed: int) -> list[float]:
    """Five hundred studies at eight in the morning, as a script sends them."""
    return [day * DAY + OPENS + n * 0.1 for day in range(DAYS) for n in range(500)]


BIG = "list of 500"
PATTERNS = {"steady": steady, "bursts": bursts, "nights": nights, BIG: list_of_500}

#: Seconds of a study. On a GPU assumed, for none is at hand; on a CPU measured: `spleen` on two cores, with
#: everything around it (bench/throughput.py, fp32 torch). c7i.xlarge has two cores, as four virtual ones.
GPU_S, CPU_S = (12.0, 25.0), 14.3
#: What the reference's machine took for one.
REFERENCE_S = 90.0
QUICK = Rules(permitted_wait_s=900, idle_s=0)
SETTINGS = {
    "as it comes (idle 300)": Rules(),
    "idle 0": Rules(idle_s=0),
    "wait 900, idle 0": QUICK,
    "wait 900, idle 0, warm pool": replace(QUICK, start=WARM),
}
#: Also on a machine with a fraction of a GPU (g6f.xlarge: 3 GB of it); nobody's list has its spot price.
EIGHTH = ("wait 900, idle 0", "wait 900, idle 0, warm pool")
CPU_SETTINGS = {
    "wait 900, idle 0, CPU": replace(QUICK, start=COLD_CPU),
    "wait 900, idle 0, CPU, warm pool": replace(QUICK, start=WARM_CPU),
}


def rows(patterns: Sequence[str] = tuple(PATTERNS)) -> Iterator[dict[str, Any]]:
    """Yield one row per pattern, setting and assumption."""
    table = load_table("us-east-1")

    def prices(machine: str, rules: Rules) -> tuple[float, float | None]:
        spot = None if rules.start in (WARM, WARM_CPU) else table.usd(f"spot/{machine}")
        return table.usd(f"ec2/{machine}"), spot

    for pattern in (name for name in patterns if name != BIG):
        for name, rules in CPU_SETTINGS.items():
            yield _row(pattern, name, replace(rules, seconds=CPU_S), *prices("c7i.xlarge", rules))
        for name in EIGHTH:
            of_eighth = replace(SETTINGS[name], seconds=GPU_S[0])
            yield _row(pattern, f"{name}, 1/8 of an L4", of_eighth, table.usd("ec2/g6f.xlarge"), None)
        for seconds in GPU_S:
            for name, rules in SETTINGS.items():
                yield _row(pattern, name, replace(rules, seconds=seconds), *prices("g4dn.xlarge", rules))
            managed = Rules(start=SAGEMAKER, idle_s=SAGEMAKER_IDLE_S, seconds=seconds, leaving_s=0)
            yield _row(pattern, "SageMaker async", managed, table.usd("sagemaker/ml.g4dn.xlarge"), None)
        for hours in (10, 24):
            yield _static(pattern, hours, table.usd("ec2/g4dn.xlarge"))
    for most in (1, 4, 8) if BIG in patterns else ():
        rules = Rules(most=most, idle_s=0)
        yield _row(BIG, f"idle 0, max {most}", rules, *prices("g4dn.xlarge", rules))


def _static(pattern: str, hours: float, hourly: float) -> dict[str, Any]:
    """Return the row of the reference: one machine that is on for these hours, 90 s a study."""
    outcome, free = Outcome(), 0.0
    arrivals = PATTERNS[pattern](1)
    for at in arrivals:
        free = max(at, free) + REFERENCE_S
        outcome.waits_s.append(free - at)
    outcome.billed = [(d * DAY + OPENS, d * DAY + OPENS + hours * HOUR) for d in range(DAYS)]
    night = DAYS * 12 * HOUR if hours == 24 else 0
    row = _summary(pattern, f"reference, on for {hours} h", REFERENCE_S, outcome, hourly, None)
    return {**row, "night_machine_s": round(night)}


def _row(pattern: str, name: str, rules: Rules, hourly: float, spot: float | None) -> dict[str, Any]:
    found = simulate(PATTERNS[pattern](1), rules)
    return _summary(pattern, name, rules.seconds, found, hourly, spot)


def _summary(
    pattern: str, name: str, seconds: float, found: Outcome, hourly: float, spot: float | None
) -> dict[str, Any]:
    each = found.machine_s / len(found.waits_s)
    return {
        "pattern": pattern,
        "settings": name,
        "s_per_study": seconds,
        "wait_p50_s": round(found.wait_s(0.5)),
        "wait_p95_s": round(found.wait_s(0.95)),
        "wait_max_s": round(max(found.waits_s)),
        "machine_s": round(each, 1),
        "usd": round(each / HOUR * hourly, 4),
        "usd_spot": None if spot is None else round(each / HOUR * spot, 4),
        "night_machine_s": round(found.seconds_between(20, 24) + found.seconds_between(0, 8)),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="Print JSON instead of tables.")
    found = list(rows())
    if parser.parse_args().json:
        print(json.dumps(found, indent=2))
    else:
        print(table_of(found))


def table_of(found: Sequence[dict[str, Any]]) -> str:
    """Return rows as the Markdown table of docs/cost.md."""
    names = list(found[0])
    lines = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join("" if row[n] is None else str(row[n]) for n in names) + " |" for row in found]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
