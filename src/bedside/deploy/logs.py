"""Which logs a deployment has, and how they are followed and worded."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from bedside.ports import Clock
from bedside.ports.cloudlogs import CloudLogs, LogLine

#: Between two looks while following.
POLL_S = 3.0
#: A line may come this much later than it was written: machines send theirs in batches.
LATE = timedelta(seconds=90)
#: Begins what a worker writes for CloudWatch to count, which says nothing to a person.
_METRICS = re.compile(r'\{.*"_aws":')


class Part(StrEnum):
    """What writes logs."""

    WORKERS = "workers"  # machines that read studies
    WAKER = "waker"  # the function that asks for machines
    MACHINES = "machines"  # why machines came and went, by AWS
    CONTROL = "control"  # the machine that is always there
    LEDGER = "ledger"  # the database


#: What is shown unless said otherwise: the database writes much, and seldom what is looked for.
USUAL = (Part.WORKERS, Part.WAKER, Part.MACHINES, Part.CONTROL)


def groups_of(logs: CloudLogs, deployment: str, parts: Sequence[Part]) -> dict[str, str]:
    """Return the names of the logs that are there, and how each is called here, e.g. ``workers/default``."""
    found: dict[str, str] = {}
    for part in parts:
        if part is Part.WORKERS:
            prefix = f"/bedside/{deployment}/workers/"
            found |= {name: f"workers/{name.removeprefix(prefix)}" for name in logs.groups(prefix)}
            continue
        # Whole names: "ward-" also begins those of a deployment called ward-2.
        name = {
            Part.WAKER: f"/aws/lambda/{deployment}-waker",
            Part.MACHINES: f"/aws/events/{deployment}-machines",
            Part.CONTROL: f"/bedside/{deployment}/control",
            Part.LEDGER: f"/aws/rds/instance/{deployment}-ledger/postgresql",
        }[part]
        if name in logs.groups(name):
            found[name] = part.value
    return found


def follow(
    logs: CloudLogs, groups: Sequence[str], *, since: datetime, phrase: str, clock: Clock
) -> Iterator[LogLine]:
    """Yield lines as they come, for ever; each once, late ones too."""
    told: dict[tuple[str, str], datetime] = {}
    begin = since
    while True:
        for line in logs.lines(groups, since=begin, phrase=phrase):
            if (line.group, line.id) not in told:
                told[line.group, line.id] = line.at
                yield line
        begin = max(since, clock.now() - LATE)
        told = {key: at for key, at in told.items() if at >= begin}
        clock.sleep(POLL_S)


def worded(text: str) -> str:
    """Return a line for a person: what AWS tells of a machine as a sentence, all else as it is.

    Returns:
        The line; empty for one that only machines read.
    """
    if _METRICS.match(text):
        return ""
    try:
        event = json.loads(text)
        kind, detail = event["detail-type"], event["detail"]
    except (ValueError, KeyError, TypeError):
        return text
    why = detail.get("StatusMessage") or detail.get("Cause") or ""
    machine = detail.get("EC2InstanceId", "")
    return f"{kind}{f' of {machine}' if machine else ''}{f': {why}' if why else ''}"
