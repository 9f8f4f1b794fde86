"""Measurements as lines of CloudWatch's embedded metric format.

One line of JSON per measurement, added to a file that the CloudWatch agent follows, or to standard output
where something else does (Lambda, a container's log driver). CloudWatch Logs makes metrics of the lines,
so that a worker asks nothing of the network and needs no right to publish. A line is one write of a few
hundred bytes: short enough that those of several processes do not mix.
See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bedside.domain.measure import BY_RELEASE, UNITS, Measurement, Metric
from bedside.log import Log, silent

#: Of CloudWatch's metrics, ours; the machines' role may publish into no other.
NAMESPACE = "bedside"
#: Names of dimensions.
DEPLOYMENT, POOL, RELEASE = "Deployment", "Pool", "Release"

_STANDARD_OUTPUT = 1


class EmfMetrics:
    """Adds lines to a file, which may be rotated by copying and truncating.

    Args:
        file: The file, made when it is missing; None is standard output.
        deployment: Its name, a dimension of every metric.
        now: The clock.
        log: Takes note of a file that cannot be written, once until it can.
    """

    def __init__(
        self, file: Path | None, *, deployment: str, now: Callable[[], datetime], log: Log = silent
    ) -> None:
        self._file = file
        self._deployment = deployment
        self._now = now
        self._log = log
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._lost = 0

    def record(self, measurement: Measurement) -> None:
        """Keep one measurement. See `bedside.ports.metrics.Metrics.record`."""
        line = emf_line(measurement, deployment=self._deployment, at=self._now())
        with self._lock:
            try:
                os.write(self._opened(), line)
            except OSError as exc:
                if not self._lost:
                    self._log("metrics.lost", reason=exc.strerror)
                self._lost += 1
            else:
                if self._lost:
                    self._log("metrics.kept_again", lost=self._lost)
                self._lost = 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None and self._file is not None:
                os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = (
                _STANDARD_OUTPUT
                if self._file is None
                else os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            )
        return self._descriptor


def emf_line(measurement: Measurement, *, deployment: str, at: datetime) -> bytes:
    """Return a measurement as one line of the format."""
    dimensions = {DEPLOYMENT: deployment}
    if measurement.pool:
        dimensions[POOL] = measurement.pool
    directives = [_directive(dimensions, measurement.values)]
    told_apart = [metric for metric in measurement.values if metric in BY_RELEASE]
    if measurement.release and told_apart:
        dimensions = {**dimensions, RELEASE: measurement.release}
        directives.append(_directive(dimensions, told_apart))
    root = {
        "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": directives},
        **dimensions,
        **{metric.value: round(value, 4) for metric, value in measurement.values.items()},
    }
    return (json.dumps(root, separators=(",", ":")) + "\n").encode()


def _directive(
    dimensions: Mapping[str, str], metrics: Collection[Metric]
) -> dict[str, Sequence[object] | str]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": metric.value, "Unit": UNITS[metric].value} for metric in metrics],
    }
