"""What every place for measurements keeps: each one, at once, for next to nothing, and never an exception."""

import inspect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bedside.adapters.aws.emf import EmfMetrics, emf_line
from bedside.adapters.local.metrics import LogMetrics
from bedside.domain.measure import BY_RELEASE, UNITS, Measurement, Metric
from bedside.log import Lines
from bedside.ports.metrics import Metrics, Unmeasured

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)

#: The document's structure as AWS's specification of the format has it: members, their types, lengths and
#: numbers. Its units are those of CloudWatch's MetricDatum.
_SCALES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes")
_BITS = ("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits")
UNIT_NAMES = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *(name + per for name in (*_SCALES, *_BITS) for per in ("", "/Second")),
]
SPECIFICATION: dict[str, Any] = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_000_000_000_000},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"enum": UNIT_NAMES},
                                        "StorageResolution": {"enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def checked(line: bytes) -> dict[str, Any]:
    """Return a line as JSON after holding it to the specification, targets of references included."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    document: dict[str, Any] = json.loads(line)
    jsonschema.validate(document, SPECIFICATION)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimension in {name for chosen in directive["Dimensions"] for name in chosen}:
            assert isinstance(document[dimension], str)
            assert 1 <= len(document[dimension]) <= 1024
        for metric in directive["Metrics"]:
            assert isinstance(document[metric["Name"]], int | float)
    return document


EVERYTHING = Measurement(values=dict.fromkeys(Metric, 1.5), pool="gpu", release="0123456789ab")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where measurements go, and how many are there."""

    metrics: Metrics
    kept: Callable[[], int]


@pytest.fixture(params=["none", "log", "emf"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    file = tmp_path / "kept"
    match request.param:
        case "none":
            return Place(metrics=Unmeasured(), kept=lambda: 200)
        case "log":
            log = Lines(lambda: AT, stream=file.open("a"))
            return Place(metrics=LogMetrics(log), kept=lambda: file.read_text().count("action=measured"))
        case _:
            metrics = EmfMetrics(file, deployment="ward", now=lambda: AT)
            return Place(metrics=metrics, kept=lambda: len([checked(x) for x in lines_of(file)]))


def lines_of(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def test_each_is_kept_at_once_whoever_records_it(place: Place) -> None:
    def record() -> None:
        for _ in range(50):
            place.metrics.record(EVERYTHING)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.kept() == 200
    place.metrics.close()
    place.metrics.close()


def test_a_job_pays_less_than_a_millisecond(place: Place) -> None:
    took = []
    for _ in range(100):
        began = time.perf_counter()
        place.metrics.record(EVERYTHING)
        place.metrics.record(EVERYTHING)  # its wait, and its end
        took.append(time.perf_counter() - began)
    assert sorted(took)[50] < 0.001


@pytest.mark.parametrize("adapter", [LogMetrics, EmfMetrics, Unmeasured])
def test_signatures_are_the_ports(adapter: type) -> None:
    for name in ("record", "close"):
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(getattr(Metrics, name))


# The embedded metric format


def test_a_line_says_all_by_pool_and_some_by_release() -> None:
    document = checked(emf_line(EVERYTHING, deployment="ward", at=AT))
    by_pool, by_release = document["_aws"]["CloudWatchMetrics"]
    assert document["_aws"]["Timestamp"] == AT.timestamp() * 1000
    assert by_pool["Namespace"] == by_release["Namespace"] == "bedside"
    assert by_pool["Dimensions"] == [["Deployment", "Pool"]]
    assert {m["Name"]: m["Unit"] for m in by_pool["Metrics"]} == {m.value: UNITS[m].value for m in Metric}
    assert by_release["Dimensions"] == [["Deployment", "Pool", "Release"]]
    assert {m["Name"] for m in by_release["Metrics"]} == set(BY_RELEASE)
    assert [document[name] for name in ("Deployment", "Pool", "Release")] == ["ward", "gpu", "0123456789ab"]


def test_what_belongs_to_no_pool_has_one_dimension() -> None:
    document = checked(emf_line(Measurement(values={Metric.ARRIVALS: 2}), deployment="ward", at=AT))
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Deployment"]]
    assert document["Arrivals"] == 2


@pytest.mark.parametrize(
    "values", [{Metric.ARRIVALS: float("nan")}, {Metric.GPU_SECONDS: float("inf")}, {Metric.ARRIVALS: -1}]
)
def test_what_is_no_measurement_is_left_out_and_never_fails_a_job(values: dict[Metric, float]) -> None:
    with pytest.raises(ValueError, match="measurement"):
        Measurement(values=values)
    kept = Measurement.of(values | {Metric.JOBS_DEAD: 1}, pool="Müller, Anna", digest="sha256:nothing")
    assert kept == Measurement(values={Metric.JOBS_DEAD: 1})
    checked(emf_line(kept, deployment="ward", at=AT))


def test_the_specification_refuses_what_it_refuses() -> None:
    good = json.loads(emf_line(EVERYTHING, deployment="ward", at=AT))
    directive = good["_aws"]["CloudWatchMetrics"][0]
    directive["Metrics"] = [{"Name": f"m{n}"} for n in range(101)]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good, SPECIFICATION)
    directive["Metrics"] = [{"Name": "m", "Unit": "Hours"}]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good, SPECIFICATION)


def test_a_file_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    file = tmp_path / "missing" / "metrics.log"
    metrics = EmfMetrics(
        file, deployment="ward", now=lambda: AT, log=lambda action, /, **more: said.append(f"{action} {more}")
    )
    for _ in range(3):
        metrics.record(EVERYTHING)
    assert said == ["metrics.lost {'reason': 'No such file or directory'}"]
    file.parent.mkdir()
    metrics.record(EVERYTHING)
    assert said[1:] == ["metrics.kept_again {'lost': 3}"]
    assert len(lines_of(file)) == 1


def test_a_rotation_by_truncating_leaves_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "metrics.log"
    metrics = EmfMetrics(file, deployment="ward", now=lambda: AT)
    metrics.record(EVERYTHING)
    os.truncate(file, 0)
    metrics.record(EVERYTHING)
    (line,) = lines_of(file)
    checked(line)
    assert file.stat().st_mode & 0o007 == 0


def test_standard_output_gets_lines_where_there_is_no_file() -> None:
    program = (
        "from datetime import datetime, UTC; from bedside.adapters.aws.emf import EmfMetrics;"
        "from bedside.domain.measure import *;"
        "EmfMetrics(None, deployment='ward', now=lambda: datetime.now(UTC))"
        ".record(Measurement(values={Metric.ARRIVALS: 1}))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert checked(said.stdout)["Arrivals"] == 1
