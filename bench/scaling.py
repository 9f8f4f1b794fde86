"""Waiting time and cost per study: days of arrivals through the scaling rules that a deployment has.

    python bench/scaling.py            # waiting time and cost per study, as tables
    python bench/scaling.py --json

The waker's `decide` is the one that Lambda runs, loaded from the Terraform module; the other rules are
those of that module (`scaling.tf`, the idle time of a worker), written again here. What is assumed stands
in `COLD` and the other starts, `SAGEMAKER` and `PATTERNS`, with the source where there is one. Nothing here
was measured on AWS.
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

from bedside.deploy.prices import load_table

WAKER = "src/bedside/deploy/terraform/modules/workers/waker/waker.py"
HOUR, DAY, MINUTE = 3600.0, 86400.0, 60.0
OPENS = 8 * HOUR
DAYS = 20
#: scaling.tf: jobs above the threshold to machines more, and how long a new machine counts as starting.
STEPS = ((10.0, 4), (3.0, 2), (1.0, 1))
WARMUP_S = 300.0
#: AWS bills at least a minute of each start (EC2's pricing of Linux machines).
LEAST_BILLED_S = 60.0


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
        refill_s: Billed besides, for the machine that takes this one's place in a warm pool.
    """

    free_s: float
    billed_s: float
    refill_s: float = 0


#: Launched from AWS's image for GPUs. Free: API and pending, 23 of 26 s as brevdev/ec2-coldboot-research
#: measured (t3 to r7i alike). Billed, assumed: kernel, NVIDIA's driver and docker 25, packages and bedside
#: 45, 4 GB of layers at 45 MB/s with unpacking 90 (tensorfuse publishes 7 to 10 min for 10 GB, half as
#: fast), loading model and CUDA 20.
COLD = Start(free_s=23, billed_s=180)
#: From a warm pool as the module makes it: set up, but the release is pulled when the worker starts, and a
#: used machine is replaced by a new one, which is paid for while it is set up.
WARM = Start(free_s=15, billed_s=135, refill_s=70)
#: Not built: a pool whose machines come back and keep the release on their disk.
REUSED = Start(free_s=15, billed_s=45)
#: Not built: a machine image with bedside and the release in it.
BAKED = Start(free_s=23, billed_s=60)
#: A CPU machine: no driver, layers of 0.3 GB, no CUDA.
COLD_CPU = Start(free_s=23, billed_s=80)
#: Asynchronous inference: two one-minute periods of HasBacklogWithoutCapacity (AWS's documentation), then an
#: endpoint's machine in five minutes, all of it taken as free; ScaleInCooldown 600 s as documented.
SAGEMAKER, SAGEMAKER_IDLE_S = Start(free_s=120 + 300, billed_s=0), 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The scaling settings of one pool, as in ``[deploy.pools]``; and what is assumed of a study."""

    start: Start = COLD
    idle_s: float = 300
    permitted_wait_s: float = 0
    most: int = 1
    seconds: float = 25
    threshold: int = 10


@dataclass(slots=True)
class Machine:
    """One machine: when it began, when it is ready, since when it idles (None while it works)."""

    number: int
    began: float
    ready: float
    idle_since: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it: per study the seconds from its arrival to its result; per machine when it was paid."""

    waits_s: list[float] = field(default_factory=list)
    billed: list[tuple[float, float]] = field(default_factory=list)
    refill_s: float = 0

    @property
    def machine_s(self) -> float:
        """Billed machine seconds."""
        return sum(max(end - begin, LEAST_BILLED_S) + self.refill_s for begin, end in self.billed)

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
        self.outcome = Outcome(refill_s=rules.start.refill_s)
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
                    subject.idle_since = self._now
                    self._plan(self._now + self.rules.idle_s, "idle", (subject, self._now))
                    self._take()
                case "done":
                    machine, arrived = subject
                    self.outcome.waits_s.append(self._now - arrived)
                    left -= 1
                    self._working -= 1
                    machine.idle_since = self._now
                    self._plan(self._now + self.rules.idle_s, "idle", (machine, self._now))
                    self._take()
                case "idle":
                    machine, since = subject
                    if machine.idle_since == since and not self._queue:
                        del self._machines[machine.number]
                        self.outcome.billed.append((machine.began, self._now))
        return self.outcome

    def _plan(self, at: float, what: str, subject: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), what, subject))

    def _take(self) -> None:
        """Give waiting studies to idle machines."""
        for machine in self._machines.values():
            if machine.idle_since is not None and self._queue:
                machine.idle_since = None
                self._working += 1
                self._plan(self._now + self.rules.seconds, "done", (machine, self._queue.popleft()))

    def _wake(self) -> None:
        action = waker.decide(
            visible=len(self._queue),
            in_flight=self._working,
            delayed=0,
            desired=len(self._machines),
            maximum=self.rules.most,
            waited_s=None if self._since is None else self._now - self._since,
            permitted_wait_s=self.rules.permitted_wait_s,
            threshold=self.rules.threshold,
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


PATTERNS = {"steady": steady, "bursts": bursts, "nights": nights, "list of 500": list_of_500}

SETTINGS = {
    "default: idle 300 s": Rules(),
    "wait 900 s": Rules(permitted_wait_s=900),
    "wait 900 s, idle 60 s": Rules(permitted_wait_s=900, idle_s=60),
    "wait 660 s, idle 60 s": Rules(permitted_wait_s=660, idle_s=60),
    "wait 900 s, idle 60 s, warm pool": Rules(permitted_wait_s=900, idle_s=60, start=WARM),
    "wait 3600 s, idle 60 s, threshold 20": Rules(permitted_wait_s=3600, idle_s=60, threshold=20),
    "(not built) wait 900 s, idle 60 s, pool with release": Rules(
        permitted_wait_s=900, idle_s=60, start=REUSED
    ),
    "(not built) wait 900 s, idle 30 s, pool with release": Rules(
        permitted_wait_s=900, idle_s=30, start=REUSED
    ),
    "(not built) wait 900 s, idle 30 s, image with release": Rules(
        permitted_wait_s=900, idle_s=30, start=BAKED
    ),
}
POOLED = (WARM, REUSED)
#: A CPU is taken to need four times as long for a study as the GPU.
CPU_TIMES = 4


def rows() -> Iterator[dict[str, Any]]:
    """Yield one row per pattern, setting and assumption."""
    table = load_table("us-east-1")
    on_demand, spot = table.usd("ec2/g4dn.xlarge"), table.usd("spot/g4dn.xlarge")
    for seconds in (12.0, 25.0):
        for name, rules in SETTINGS.items():
            price = None if rules.start in POOLED else spot
            yield _row("steady", name, replace(rules, seconds=seconds), on_demand, price)
        cpu = Rules(permitted_wait_s=900, idle_s=60, start=COLD_CPU, seconds=seconds * CPU_TIMES)
        prices = table.usd("ec2/c7i.xlarge"), table.usd("spot/c7i.xlarge")
        yield _row("steady", "c7i.xlarge instead, wait 900 s, idle 60 s", cpu, *prices)
        managed = Rules(start=SAGEMAKER, idle_s=SAGEMAKER_IDLE_S, seconds=seconds)
        price = table.usd("sagemaker/ml.g4dn.xlarge")
        yield _row("steady", "SageMaker async, in its favour", managed, price, None)
    for seconds, pattern, name in itertools.product((12.0, 25.0), ("bursts", "nights"), list(SETTINGS)[:3]):
        yield _row(pattern, name, replace(SETTINGS[name], seconds=seconds), on_demand, spot)
    for most in (1, 4, 8):
        yield _row("list of 500", f"default, max {most}", Rules(most=most), on_demand, spot)


def _row(pattern: str, name: str, rules: Rules, hourly: float, spot: float | None) -> dict[str, Any]:
    arrivals = PATTERNS[pattern](1)
    found = simulate(arrivals, rules)
    each = found.machine_s / len(arrivals)
    return {
        "pattern": pattern,
        "settings": name,
        "s_per_study": rules.seconds,
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
        return
    names = list(found[0])
    print("| " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|" + "---|" * len(names))
    for row in found:
        print("| " + " | ".join("-" if row[n] is None else str(row[n]) for n in names) + " |")


if __name__ == "__main__":
    main()
