"""Measurements as lines of the log, for a machine without a dashboard."""

from bedside.domain.measure import Measurement
from bedside.log import Log


class LogMetrics:
    """Writes one line per measurement.

    Args:
        log: Takes notes.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def record(self, measurement: Measurement) -> None:
        """Keep one measurement. See `bedside.ports.metrics.Metrics.record`."""
        values = {metric.value: value for metric, value in measurement.values.items()}
        self._log("measured", pool=measurement.pool, release=measurement.release, **values)

    def close(self) -> None:
        """Do nothing; the log is another's."""
