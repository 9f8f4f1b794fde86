"""What a deployment will cost: a fixed part per month, and a part per study.

Plain values in, lines out; knows prices and no settings. Machine seconds are `machine_time`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedside.deploy.machine_time import PoolPlan, Workload, machine_seconds
from bedside.deploy.prices import PriceTable

HOURS_PER_MONTH = 730.0
DAYS_PER_MONTH = 30.0
MB_PER_GB = 1000.0
#: Writes and reads in S3 of one study: its slices or ZIP in, its arrival, its result's files out.
S3_WRITES, S3_READS = 60, 60
#: Requests to SQS of one study, and of a month's long polling by the workers that run.
SQS_REQUESTS = 30
#: Events of S3 in EventBridge, which takes all of a bucket's: of a study's writes, and of as many deletions.
S3_EVENTS = 120
#: The waker is called each minute, day and night; each call takes about this much at 0.25 GB.
WAKER_CALLS = 60 * 24 * DAYS_PER_MONTH
WAKER_GB_S = 0.25 * 0.5
#: What each account has free each month: Lambda's calls and GB-seconds, HealthImaging's GB and calls.
FREE_CALLS, FREE_GB_S = 1e6, 4e5
FREE_IMAGING_GB, FREE_IMAGING_CALLS = 20.0, 20_000.0
#: GB of the database's disk, of a MAP in the registry, of the control machine's disk.
LEDGER_GB, RELEASE_GB, CONTROL_GB = 20, 5, 30
#: Share of the study's size that a result adds, and calls of HealthImaging per archived study.
RESULT_SHARE, IMAGING_CALLS = 0.05, 10
#: A study lies in S3 as it was sent (`inferred/`) and file by file (`arrivals/`).
COPIES = 2
#: Nothing of bedside deletes studies: after so many months their storage is told.
GROWN = (1, 12)
CONTROL_MACHINE = "t3.small"
#: As AWS counts them: an alarm on a formula is one for each metric in it.
ALARMS = 12
#: Metrics with one pool and one release, of each further pool, free ones (decision 116); paid by the hour.
METRICS, POOL_METRICS, FREE_METRICS = 20, 14, 10
#: Beside these, where studies are sent by C-STORE.
RECEIVER_METRICS = 4
LOG_GB = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """A deployment: its pools and what stands there all month."""

    pools: Mapping[str, PoolPlan]
    ledger_class: str = "db.t4g.micro"
    own_ledger: bool = True
    control: bool = False
    control_machine: str = CONTROL_MACHINE
    receiver: bool = False
    archive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One item: the part it belongs to, what it is, how much of it, at what price.

    Attributes:
        per: ``month`` for what is paid whatever arrives, ``study`` for the rest.
        usd: Of the quantity: per month or per study.
    """

    part: str
    what: str
    per: str
    quantity: float
    unit: str
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Lines, and what they come to.

    Attributes:
        region: Whose prices.
        workload: What was taken to arrive.
        machine_s_per_study: Billed seconds of machines.
        lines: The items.
        storage: GB in S3 and USD a month, after so many months in which nothing was deleted.
    """

    region: str
    workload: Workload
    machine_s_per_study: float
    lines: Sequence[Line]
    storage: Mapping[int, tuple[float, float]]

    @property
    def fixed_usd(self) -> float:
        """USD per month without a single study."""
        return sum(line.usd for line in self.lines if line.per == "month")

    @property
    def study_usd(self) -> float:
        """USD per study, without the fixed part."""
        return sum(line.usd for line in self.lines if line.per == "study")

    @property
    def monthly_usd(self) -> float:
        """USD per month, all in all."""
        return self.fixed_usd + self.study_usd * self.workload.studies_per_day * DAYS_PER_MONTH

    def parts(self) -> dict[str, float]:
        """USD per month of each part's fixed lines."""
        found: dict[str, float] = {}
        for line in self.lines:
            if line.per == "month":
                found[line.part] = found.get(line.part, 0.0) + line.usd
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        names = ("part", "what", "per", "quantity", "unit", "usd")
        return {
            "region": self.region,
            "fixed_usd_per_month": self.fixed_usd,
            "usd_per_study": self.study_usd,
            "usd_per_month": self.monthly_usd,
            "machine_s_per_study": self.machine_s_per_study,
            "fixed_by_part": self.parts(),
            "storage_after_months": {
                str(months): {"gb": gb, "usd_per_month": usd} for months, (gb, usd) in self.storage.items()
            },
            "lines": [{name: getattr(line, name) for name in names} for line in self.lines],
        }


def estimate(site: SitePlan, work: Workload, table: PriceTable) -> Estimate:
    """Estimate a deployment. Every study is taken to pass each pool once.

    Raises:
        ConfigError: A machine or a database class has no price.
    """
    seconds = {name: machine_seconds(pool, work) for name, pool in site.pools.items()}
    lines = [
        *_ledger(site, table),
        *_standing(site, work, table),
        *(line for name, pool in site.pools.items() for line in _pool(name, pool, seconds[name], table)),
        *_study(site, work, table),
    ]
    return Estimate(
        region=table.region,
        workload=work,
        machine_s_per_study=sum(seconds.values()),
        lines=tuple(lines),
        storage={months: storage_after(months, work, table) for months in GROWN},
    )


def _month(part: str, what: str, quantity: float, table: PriceTable, key: str, each: float = 1) -> Line:
    price = table.of(key)
    return Line(
        part=part, what=what, per="month", quantity=quantity, unit=price.unit, usd=quantity / each * price.usd
    )


def _ledger(site: SitePlan, table: PriceTable) -> Iterator[Line]:
    if site.own_ledger:
        key = f"rds/{site.ledger_class}"
        yield _month("database", site.ledger_class, HOURS_PER_MONTH, table, key)
        yield _month("database", "its disk", LEDGER_GB, table, "rds/gp3")


def _standing(site: SitePlan, work: Workload, table: PriceTable) -> Iterator[Line]:
    if site.control:
        kind = site.control_machine
        yield _month("control machine", kind, HOURS_PER_MONTH, table, f"ec2/{kind}")
        yield _month("disks", "the control machine's", CONTROL_GB, table, "ebs/gp3")
        yield _month("addresses", "the control machine's", HOURS_PER_MONTH, table, "ipv4")
        yield _month("observability", "the control machine's alarm", 1, table, "cloudwatch/alarm")
    yield _month("registry", "one release", RELEASE_GB, table, "ecr/storage")
    yield _month("observability", "alarms", ALARMS, table, "cloudwatch/alarm")
    yield _month("observability", "logs", LOG_GB, table, "cloudwatch/logs")
    metrics = METRICS + POOL_METRICS * (len(site.pools) - 1) - FREE_METRICS
    metrics += RECEIVER_METRICS if site.receiver else 0
    share = work.hours * DAYS_PER_MONTH / HOURS_PER_MONTH
    yield _month("observability", "metrics beyond the free ones", metrics * share, table, "cloudwatch/metric")
    calls = max(0.0, WAKER_CALLS - FREE_CALLS)
    yield _month("waker", "calls beyond the free ones", calls, table, "lambda/calls", 1e6)
    free = max(0.0, WAKER_CALLS * WAKER_GB_S - FREE_GB_S)
    yield _month("waker", "time beyond the free one", free, table, "lambda/gb_s")


def _pool(name: str, pool: PoolPlan, seconds: float, table: PriceTable) -> Iterator[Line]:
    if pool.warm_pool:
        size = pool.warm_pool * pool.disk_gb
        yield _month("disks", f"stopped machines of pool {name}", size, table, "ebs/gp3")
    if pool.release_disk_gb:
        size = pool.release_disk_gb * pool.release_disk_zones
        yield _month("disks", f"releases of pool {name}", size, table, "ebs/gp3")
    kind = "spot" if pool.spot else "ec2"
    what = f"{pool.machine}{' on spot' if pool.spot else ''}, pool {name}"
    hourly = table.usd(f"{kind}/{pool.machine}")
    disk = pool.disk_gb * table.usd("ebs/gp3") / HOURS_PER_MONTH
    yield _per_study("machines", what, seconds, "second", seconds / 3600 * hourly)
    address = table.usd("ipv4")
    if not pool.warm_pool:  # else the disk is paid for all month, above
        yield _per_study("machines", "their disks while they run", seconds, "second", seconds / 3600 * disk)
    yield _per_study("machines", "their addresses", seconds, "second", seconds / 3600 * address)


def _study(site: SitePlan, work: Workload, table: PriceTable) -> Iterator[Line]:
    kept = work.study_mb / MB_PER_GB * (1 + RESULT_SHARE) * work.kept_months
    lies = study_gb(work) * work.kept_months
    yield _per_study("storage", "study and result in S3", lies, "GB-month", lies * table.usd("s3/storage"))
    yield _per_study("requests", "S3 writes", S3_WRITES, "request", S3_WRITES / 1e3 * table.usd("s3/writes"))
    yield _per_study("requests", "S3 reads", S3_READS, "request", S3_READS / 1e3 * table.usd("s3/reads"))
    usd = SQS_REQUESTS / 1e6 * table.usd("sqs/requests")
    yield _per_study("requests", "SQS", SQS_REQUESTS, "request", usd)
    usd = S3_EVENTS / 1e6 * table.usd("eventbridge/events")
    yield _per_study("requests", "S3's events in EventBridge", S3_EVENTS, "event", usd)
    if site.archive:
        studies = work.studies_per_day * DAYS_PER_MONTH
        stored = max(0.0, kept - FREE_IMAGING_GB / studies) if studies else 0.0
        usd = stored * table.usd("healthimaging/storage")
        yield _per_study("archive", "HealthImaging beyond the free 20 GB", stored, "GB-month", usd)
        calls = max(0.0, IMAGING_CALLS - FREE_IMAGING_CALLS / studies) if studies else 0.0
        usd = calls / 1e3 * table.usd("healthimaging/calls")
        yield _per_study("archive", "HealthImaging calls beyond the free ones", calls, "call", usd)


def study_gb(work: Workload) -> float:
    """Return how many GB of S3 a study and its result take."""
    return work.study_mb / MB_PER_GB * (COPIES + RESULT_SHARE)


def storage_after(months: int, work: Workload, table: PriceTable) -> tuple[float, float]:
    """Return the GB in S3 after so many months without deletions, and what a month of them costs."""
    gb = study_gb(work) * work.studies_per_day * DAYS_PER_MONTH * months
    return gb, gb * table.usd("s3/storage")


def _per_study(part: str, what: str, quantity: float, unit: str, usd: float) -> Line:
    return Line(part=part, what=what, per="study", quantity=quantity, unit=unit, usd=usd)
