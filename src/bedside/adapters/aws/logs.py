"""CloudWatch Logs: `bedside.ports.cloudlogs.CloudLogs` through boto3."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.asked import asked
from bedside.adapters.aws.clients import limits, open_session
from bedside.adapters.aws.errors import code_of
from bedside.ports.cloudlogs import LogLine

_MISSING = "ResourceNotFoundException"


class AwsLogs:
    """The logs of one region.

    Args:
        region: Its name.
    """

    def __init__(self, region: str) -> None:
        self._region = region

    def groups(self, prefix: str) -> Sequence[str]:
        """Return the names of logs that begin so, sorted."""
        with asked("logs", "listing logs"):
            pages = self._client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
            return sorted(group["logGroupName"] for page in pages for group in page["logGroups"])

    def lines(self, groups: Sequence[str], *, since: datetime, phrase: str = "") -> Sequence[LogLine]:
        """Return what was written, oldest first."""
        with asked("logs", "reading logs"):
            found = [line for group in groups for line in self._lines(group, since, phrase)]
        return sorted(found, key=lambda line: (line.at, line.group, line.stream))

    def _lines(self, group: str, since: datetime, phrase: str) -> list[LogLine]:
        # Quoted, a pattern is a phrase; unquoted, "a=b" would be refused and "-x" would mean "not x".
        escaped = phrase.replace("\\", "\\\\").replace('"', '\\"')
        pattern = {"filterPattern": f'"{escaped}"'} if phrase else {}
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since.timestamp() * 1000), **pattern
        )
        try:
            return [
                LogLine(
                    at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    group=group,
                    stream=event["logStreamName"],
                    text=event["message"].rstrip("\n"),
                    id=event["eventId"],
                )
                for page in pages
                for event in page["events"]
            ]
        except exceptions.ClientError as exc:
            if code_of(exc) == _MISSING:
                return []
            raise

    @cached_property
    def _client(self) -> Any:
        with asked("logs", "speaking to logs"):
            return open_session(region=self._region).client("logs", config=limits())
