"""One pool of machines under a deployment's own rules, event by event: `scaling.py` runs its days through it.

The waker's `decide` is the one that Lambda runs, loaded from the Terraform module; the other rules are those
of that module, written again here: `scaling.tf`, and how a machine of `node.sh.tftpl` counts and leaves.
"""

import heapq
import importlib.util
import itertools
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedside.deploy.machine_time import (
    FREE_NEW_S,
    FREE_STOPPED_S,
    LEAD_S,
    LEAST_BILLED_S,
    LEAVING_S,
    OFTEN_S,
    SELDOM_S,
    START_S,
)

WAKER = "src/bedside/deploy/terraform/modules/workers/waker/waker.py"
HOUR, DAY, MINUTE = 3600.0, 86400.0, 60.0
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


#: Kinds of start; `deploy/cost.py` has the seconds, and the leads that main.tf has.
COLD, COLD_CPU, DISK, DISK_CPU = (
    Start(free_s=FREE_NEW_S, billed_s=START_S[kind], lead_s=LEAD_S[kind])
    for kind in ("gpu", "cpu", "disk", "disk cpu")
)
WARM, WARM_CPU = (
    Start(free_s=FREE_STOPPED_S, billed_s=START_S[kind], lead_s=LEAD_S[kind]) for kind in ("warm", "warm cpu")
)


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
                    self._stay()
                    self._grow()
                    if left or self._machines:
                        self._plan(self._now + MINUTE, "minute", None)
                case "over":
                    self._wake()
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

    def _stay(self) -> None:
        """Look again when the wait is over, if that is before the next minute: the call stays for it."""
        if self._since is None:
            return
        left = waker.left_s(
            waited_s=self._now - self._since,
            permitted_wait_s=self.rules.permitted_wait_s,
            start_s=self.rules.start.lead_s,
        )
        if left is not None:
            self._plan(self._now + left, "over", None)

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
