"""Logs of a deployment: its own ones, each line once, and what AWS tells in words."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from bedside.adapters.memory.clock import ManualClock
from bedside.deploy.logs import USUAL, Part, follow, groups_of, worded
from bedside.ports.cloudlogs import LogLine

BEGIN = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


class Logs:
    """Logs in which lines appear some time after they were written."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.written: list[tuple[float, LogLine]] = []
        self.names: Sequence[str] = ()

    def write(self, name: str, at_s: float, seen_s: float) -> None:
        at = BEGIN + timedelta(seconds=at_s)
        self.written.append((seen_s, LogLine(at=at, group="g", stream="i-1", text=name, id=name)))

    def groups(self, prefix: str) -> Sequence[str]:
        return [name for name in self.names if name.startswith(prefix)]

    def lines(self, groups: Sequence[str], *, since: datetime, phrase: str = "") -> Sequence[LogLine]:
        passed = (self.clock.now() - BEGIN).total_seconds()
        return [line for seen_s, line in self.written if seen_s <= passed and line.at >= since]


def test_each_line_is_told_once_and_one_that_comes_late_too() -> None:
    clock = ManualClock(BEGIN)
    logs = Logs(clock)
    logs.write("early", -10, 0)
    logs.write("first", 4, 5)
    logs.write("late", 3, 60)  # its machine sent it with the next batch
    logs.write("last", 300, 301)
    told = follow(logs, ["g"], since=BEGIN, phrase="", clock=clock)
    assert [line.text for line in islice(told, 3)] == ["first", "late", "last"]


def test_a_deployment_whose_name_begins_like_another_has_its_own_logs() -> None:
    logs = Logs(ManualClock(BEGIN))
    logs.names = [
        "/aws/events/ward-machines",
        "/aws/lambda/ward-waker",
        "/aws/lambda/ward-waker-2",
        "/aws/lambda/ward-2-waker",
        "/bedside/ward-2/workers/default",
        "/bedside/ward/workers/cpu",
        "/bedside/ward/workers/default",
        "/aws/rds/instance/ward-ledger/postgresql",
    ]
    assert sorted(groups_of(logs, "ward", USUAL).values()) == [
        "machines",
        "waker",
        "workers/cpu",
        "workers/default",
    ]
    assert list(groups_of(logs, "ward", [Part.LEDGER]).values()) == ["ledger"]


def test_why_no_machine_came_is_a_sentence() -> None:
    event = {
        "detail-type": "EC2 Instance Launch Unsuccessful",
        "detail": {
            "EC2InstanceId": "",
            "StatusMessage": "You have requested more vCPU capacity",
            "Cause": "x",
        },
    }
    assert worded(json.dumps(event)) == (
        "EC2 Instance Launch Unsuccessful: You have requested more vCPU capacity"
    )
    assert worded("action=job.dead job=1") == "action=job.dead job=1"
    assert worded('{"a": 1}') == '{"a": 1}'
    assert worded('{"_aws": {"Timestamp": 1}, "Jobs": 3}') == ""
