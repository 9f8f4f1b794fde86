"""How long a pool's machines are paid for: what a start takes, when they leave, and the seconds of a study.

Plain values in, seconds out. They come from a formula, not from hope: a machine that started for one study
also idles before it leaves, and is paid for while it starts. `bench/scaling.py` checks the formula against
the real scaling rules, study by study; docs/cost.md has the source of each number here.
"""

import math
from dataclasses import dataclass

#: AWS bills at least this much of each start of a machine.
LEAST_BILLED_S = 60.0
#: Billed seconds from a machine's start to its first job; docs/cost.md says what they are made of.
START_S = {"gpu": 180.0, "cpu": 80.0, "disk": 60.0, "disk cpu": 49.0, "warm": 50.0, "warm cpu": 35.0}
#: Seconds from the call until a machine is billed, of a new one and of a stopped one.
FREE_NEW_S, FREE_STOPPED_S = 23.0, 15.0
#: What the waker takes for a whole start (`start_s` of the Terraform module).
LEAD_S = {"gpu": 240.0, "cpu": 150.0, "disk": 120.0, "disk cpu": 110.0, "warm": 100.0, "warm cpu": 90.0}
#: A wait that is not longer than this is none: no look of the waker may be left before it is over.
LOOK_S = 60.0
#: A machine counts its work as often as it may idle, within these (one second of the first is the count).
OFTEN_S, SELDOM_S = 3.0, 60.0
#: From the end of what it did, less that, until it is billed no more.
LEAVING_S = 12.0
#: A machine loaded more than this, or one whose idle time sees so many arrivals, practically never leaves.
BUSY, NEVER_IDLE = 0.9, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """One pool of workers, as the Terraform variables have it.

    Attributes:
        machine: Kind of EC2 machine.
        spot: Whether AWS may take it back.
        warm_pool: Stopped machines kept ready.
        idle_s: A machine without work for this long removes itself.
        permitted_wait_s: How long a first study may wait for its result.
        disk_gb: Size of its disk.
        gpu: Whether it has one, which takes longer to start.
        start_s: How much of the permitted wait is taken for the start; None is what its kind takes.
        release_disk_gb: Size of the disk that outlives machines; 0 is none.
        release_disk_zones: How many zones have one.
    """

    machine: str = "g4dn.xlarge"
    spot: bool = False
    warm_pool: int = 0
    idle_s: float = 300
    permitted_wait_s: float = 0
    disk_gb: int = 100
    gpu: bool = True
    start_s: float | None = None
    release_disk_gb: int = 0
    release_disk_zones: int = 1

    @property
    def kind(self) -> str:
        """Return the key of `START_S`."""
        kept = "warm" if self.warm_pool else "disk" if self.release_disk_gb else ""
        if not kept:
            return "gpu" if self.gpu else "cpu"
        return kept if self.gpu else f"{kept} cpu"

    @property
    def lead_s(self) -> float:
        """How much of the permitted wait is taken for the start."""
        return LEAD_S[self.kind] if self.start_s is None else self.start_s

    @property
    def billed_start_s(self) -> float:
        """Billed seconds from the machine's start to its first job."""
        return START_S[self.kind]

    @property
    def free_start_s(self) -> float:
        """Seconds before that which are not billed."""
        return FREE_STOPPED_S if self.warm_pool else FREE_NEW_S

    @property
    def gathering_s(self) -> float:
        """How long studies gather at zero machines after the first one."""
        gathering_s = self.permitted_wait_s - self.lead_s
        return gathering_s if gathering_s > LOOK_S else 0.0

    def idles(self, seconds: float) -> tuple[float, float]:
        """Return how long it idles before it leaves, and the share of studies that make it begin anew.

        It leaves at the first count that finds nothing to do, or counts from the last one that found
        something: of a study of so many seconds, half of them before its end, and often none at all.
        """
        every_s = min(SELDOM_S, max(OFTEN_S, self.idle_s))
        if self.idle_s <= every_s:
            return every_s / 2, 1.0
        return self.idle_s - min(seconds, every_s) / 2, min(1.0, seconds / every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What arrives: studies per day over some hours, how big, how long each takes once a machine runs."""

    studies_per_day: float = 100
    hours: float = 10
    study_mb: float = 100
    seconds: float = 25
    kept_months: float = 1


def machine_seconds(pool: PoolPlan, work: Workload) -> float:
    """Return the billed machine seconds per study of a pool from zero, studies arriving at random.

    A machine starts so that the first study has its result within ``permitted_wait_s``, works off what
    gathered, and goes when ``idle_s`` passed without a study. With Poisson arrivals of rate r, jobs of s
    seconds and load u = r s, one start serves (n + r t) / (1 - u) studies, n of them gathered before it and
    r t found it idle, where t = (exp(r p idle) - 1) / (r p) is how long it idles in all and p the share of
    studies that a count sees (renewal argument).
    """
    rate = work.studies_per_day / (work.hours * 3600)
    idle_s, seen = pool.idles(work.seconds)
    if rate * work.seconds >= BUSY or rate * seen * idle_s > NEVER_IDLE:
        return max(work.seconds, 1 / rate)  # as good as always on while studies arrive
    start_s = pool.billed_start_s
    idles_s = math.expm1(rate * seen * idle_s) / (rate * seen)
    gathered = 1 + rate * (pool.gathering_s + pool.free_start_s + start_s)
    studies = (gathered + rate * idles_s) / (1 - rate * work.seconds)
    billed = start_s + studies * work.seconds + idles_s + LEAVING_S
    return max(billed, LEAST_BILLED_S) / studies
