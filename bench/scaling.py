"""Waiting time and cost per study: days of arrivals through the scaling rules that a deployment has.

    python bench/scaling.py            # waiting time and cost per study, as tables
    python bench/scaling.py --json

The rules are in `simulation.py`. What is assumed stands there in `COLD` and the other starts, and here in
`SAGEMAKER`, `GPU_S` and `PATTERNS`; docs/cost.md has the sources. Nothing here was measured on AWS.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bedside.deploy.prices import load_table
from simulation import (
    COLD_CPU,
    DAY,
    DISK,
    DISK_CPU,
    HOUR,
    WARM,
    WARM_CPU,
    Outcome,
    Rules,
    Start,
    simulate,
)

OPENS = 8 * HOUR
DAYS = 20
#: Asynchronous inference: two one-minute periods of HasBacklogWithoutCapacity (AWS's documentation), then an
#: endpoint's machine in five minutes, all of it taken as free; ScaleInCooldown 600 s as documented.
SAGEMAKER, SAGEMAKER_IDLE_S = Start(free_s=120 + 300, billed_s=0, lead_s=0), 600.0


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
    "wait 900, idle 0, release disk": replace(QUICK, start=DISK),
    "wait 900, idle 0, warm pool": replace(QUICK, start=WARM),
}
#: Also on a machine with a fraction of a GPU (g6f.xlarge: 3 GB of it); nobody's list has its spot price.
EIGHTH = ("wait 900, idle 0", "wait 900, idle 0, release disk", "wait 900, idle 0, warm pool")
CPU_SETTINGS = {
    "wait 900, idle 0, CPU": replace(QUICK, start=COLD_CPU),
    "wait 900, idle 0, CPU, release disk": replace(QUICK, start=DISK_CPU),
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
