"""What is measured: the names of all metrics with their units, and one measurement.

Owns the names, because dashboards and alarms are made of the same ones. A measurement knows a pool and
a release and nothing of tenants, studies or jobs: each new value of a dimension is another metric that
costs, a tenant may be a practice of one doctor, and numbers per tenant are the ledger's (decision 116).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Of a release's digest, so many digits name it among those of one deployment.
RELEASE_DIGITS = 12

_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RELEASE = re.compile(rf"[0-9a-f]{{{RELEASE_DIGITS}}}")


class Unit(StrEnum):
    """Units, by CloudWatch's names for them."""

    COUNT = "Count"
    SECONDS = "Seconds"
    BYTES = "Bytes"


class Metric(StrEnum):
    """Names of metrics; what is measured is in the comment."""

    JOBS_SUCCEEDED = "JobsSucceeded"  # results delivered
    JOBS_REJECTED = "JobsRejected"  # the study cannot be read correctly
    JOBS_DEAD = "JobsDead"  # every attempt failed
    JOBS_RETRIED = "JobsRetried"  # an attempt failed and another follows
    WAIT_SECONDS = "WaitSeconds"  # from when a stage could run until a worker took it
    STAGE_SECONDS = "StageSeconds"  # an attempt that ended well, with fetching and delivering
    RUN_SECONDS = "RunSeconds"  # of these, the model
    LOAD_SECONDS = "LoadSeconds"  # a model was loaded
    GPU_SECONDS = "GpuSeconds"  # a GPU was held
    ARRIVALS = "Arrivals"  # studies and file sets taken from the drop-boxes
    INPUTS_REJECTED = "InputsRejected"  # drop-box entries of which nothing could be used
    INSTANCES_RECEIVED = "InstancesReceived"  # by C-STORE, those that were there already too
    RECEIVED_BYTES = "ReceivedBytes"  # of these, the data sets
    INSTANCES_REFUSED = "InstancesRefused"  # by C-STORE: no disk, no store, or no instance
    SENDERS_REFUSED = "SendersRefused"  # associations that were refused or broken off by us
    RESULTS_ARCHIVED = "ResultsArchived"  # the archive confirmed all of them
    RESULTS_NOT_ARCHIVED = "ResultsNotArchived"  # refused, or given up
    WORKERS_GONE = "WorkersGone"  # died or lost contact
    NOTICES_LOST = "NoticesLost"  # could not be sent
    QUEUED_JOBS = "QueuedJobs"  # that could run now; published by each machine, for step scaling


UNITS: Mapping[Metric, Unit] = {
    metric: next((unit for unit in Unit if metric.value.endswith(unit.value)), Unit.COUNT)
    for metric in Metric
}

#: Of these a release is told apart from the one before it; a dimension costs, so the others go without.
BY_RELEASE = frozenset({Metric.JOBS_SUCCEEDED, Metric.JOBS_REJECTED, Metric.JOBS_DEAD, Metric.RUN_SECONDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one event gave: some metrics at once.

    Attributes:
        values: Per metric, a finite number that is not negative.
        pool: Whose workers it was about, or empty.
        release: The first `RELEASE_DIGITS` of the release's digest, or empty.

    Raises:
        ValueError: A value or a name is none.
    """

    values: Mapping[Metric, float]
    pool: str = ""
    release: str = ""

    def __post_init__(self) -> None:
        for metric, value in self.values.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"measurement: {metric} is {value}")
        if self.pool and not _POOL.fullmatch(self.pool):
            raise ValueError(f"measurement: its pool of {len(self.pool)} characters is none")
        if self.release and not _RELEASE.fullmatch(self.release):
            raise ValueError(f"measurement: its release is not {RELEASE_DIGITS} hexadecimal digits")

    @classmethod
    def of(cls, values: Mapping[Metric, float], *, pool: str = "", digest: str = "") -> "Measurement":
        """Return a measurement less what is no value or name: measuring must not fail a job.

        Args:
            values: Per metric.
            pool: Its name.
            digest: Of a release.
        """
        release = digest.removeprefix("sha256:")[:RELEASE_DIGITS]
        return cls(
            values={metric: value for metric, value in values.items() if math.isfinite(value) and value >= 0},
            pool=pool if _POOL.fullmatch(pool) else "",
            release=release if _RELEASE.fullmatch(release) else "",
        )
