"""What every reader of a cloud's logs keeps: whole, in order, from a moment on, and nothing of others."""

import inspect
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from bedside.adapters.aws.logs import AwsLogs
from bedside.ports.cloudlogs import CloudLogs
from bedside.wiring.cloud import open_logs
from clouds import REGION, Cloud

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def name() -> str:
    return f"d{uuid.uuid4().hex[:12]}"


def write(cloud: Cloud, group: str, stream: str, lines: dict[datetime, str]) -> None:
    """Let a machine write lines; the group is made with its first stream."""
    logs = cloud.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(at.timestamp() * 1000), "message": text} for at, text in lines.items()]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_signatures_are_the_ports() -> None:
    for name, method in inspect.getmembers(CloudLogs, inspect.isfunction):
        if not name.startswith("_"):
            assert (
                inspect.signature(method).parameters == inspect.signature(getattr(AwsLogs, name)).parameters
            )


def test_lines_of_several_machines_come_in_order_and_hold_the_phrase(cloud: Cloud, name: str) -> None:
    reader: CloudLogs = open_logs(REGION)
    one, two = f"/bedside/{name}/workers/a", f"/bedside/{name}/workers/b"
    write(
        cloud,
        one,
        "i-1",
        {
            NOW - timedelta(hours=2): "action=job.dead job=old",
            NOW - timedelta(minutes=3): "action=job.leased job=new",
            NOW - timedelta(minutes=1): 'action=job.dead job=new reason="no organ"\n',
        },
    )
    write(cloud, two, "i-2", {NOW - timedelta(minutes=2): "action=job.dead job=other"})
    assert reader.groups(f"/bedside/{name}/workers/") == [one, two]
    since = NOW - timedelta(hours=1)
    found = reader.lines([one, two, f"{one}-no"], since=since)
    assert [(line.stream, line.at) for line in found] == [
        ("i-1", NOW - timedelta(minutes=3)),
        ("i-2", NOW - timedelta(minutes=2)),
        ("i-1", NOW - timedelta(minutes=1)),
    ]
    assert len({line.id for line in found}) == 3
    dead = reader.lines([one, two], since=since, phrase="action=job.dead")
    assert [line.text for line in dead] == [
        "action=job.dead job=other",
        'action=job.dead job=new reason="no organ"',
    ]
