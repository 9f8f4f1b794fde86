"""How a deployment does, in words: what waits, who works, what failed, what was read.

Owns the judgement of numbers that a person would otherwise have to know the meaning of. What jobs did is
read from the machines' logs, because the ledger's database lets in nobody from outside.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bedside.ports.cloud import Alarm, Cloud, Depth, Group, Pushed
from bedside.ports.cloudlogs import CloudLogs, LogLine

#: How far back jobs are looked for.
LOOKED_BACK = timedelta(hours=24)
#: Most releases and jobs that are shown.
SHOWN = 5
_ENDED = re.compile(r"action=job\.(succeeded|rejected|dead)\b")
_FIELD = re.compile(r"\b(tenant|job|phantom)=(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that ended, as its machine wrote it."""

    at: datetime
    how: str
    tenant: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a deployment does.

    Attributes:
        urls: Of all queues, by name.
        queues: Depth by name, those of dead letters left out.
        dead: Depth of the queues of what was given up, by name.
        groups: Workers' machines by name of their group.
        control: The control machine, where there is to be one.
        alarms: All that are set up.
        releases: In the registry, newest first; None where there is no registry.
        registry: Where releases are pushed to.
        jobs: That ended in `LOOKED_BACK`, newest first.
    """

    urls: Mapping[str, str]
    queues: Mapping[str, Depth]
    dead: Mapping[str, Depth]
    groups: Mapping[str, Group]
    control: Group | None
    alarms: Sequence[Alarm]
    releases: Sequence[Pushed] | None
    registry: str
    jobs: Sequence[EndedJob]

    def sentences(self) -> Iterator[str]:
        """Yield what is worth knowing, what needs a person first."""
        for alarm in self.alarms:
            if alarm.rings:
                yield f"alarm {alarm.name} rings since {alarm.since:%Y-%m-%d %H:%M} UTC: {alarm.text}"
        if given_up := sum(depth.visible + depth.in_flight for depth in self.dead.values()):
            yield f"{given_up} messages were given up: bedside deploy dead list"
        yield self._work()
        if self.control is not None and self.control.in_service:
            yield "the control machine is there"
        elif self.control is not None:
            yield "the control machine is not there yet, or no more: bedside deploy logs --part control"
        if self.alarms and not any(alarm.rings for alarm in self.alarms):
            yield f"none of {len(self.alarms)} alarms rings"
        if self.releases is not None and not self.releases:
            yield f"no release was pushed yet: bedside package BUNDLE --push {self.registry}:VERSION"
        yield self._read()

    def _work(self) -> str:
        waiting = sum(depth.visible + depth.delayed for depth in self.queues.values())
        busy = sum(depth.in_flight for depth in self.queues.values())
        working = sum(group.in_service for group in self.groups.values())
        coming = sum(max(0, group.desired - group.in_service) for group in self.groups.values())
        machines = f"{working} machines work" if working else "no machine works"
        if coming:
            machines += f", {coming} more are coming"
        if not waiting and not busy:
            alone = self.groups and not working and not coming and self.control is None
            idle = " and none costs" if alone else ""
            return f"nothing waits; {machines}{idle}"
        why = ""
        if not working and not coming:
            closed = self.groups and all(group.max == 0 for group in self.groups.values())
            asks = "the waker asks for one within a minute, or as late as permitted_wait_s lets it"
            why = ": it is night" if closed else f"; {asks}"
        return f"{waiting} messages wait and {busy} are in work; {machines}{why}"

    def _read(self) -> str:
        hours = LOOKED_BACK // timedelta(hours=1)
        if not self.jobs:
            return f"no job ended in the last {hours} hours"
        count = {how: sum(job.how == how for job in self.jobs) for how in ("succeeded", "rejected", "dead")}
        told = ", ".join(f"{number} {how}" for how, number in count.items() if number)
        after = "; bedside deploy logs --since 1d --filter job.dead says why" if count["dead"] else ""
        return f"jobs of the last {hours} hours: {told}{after}"


def ended_jobs(lines: Sequence[LogLine]) -> list[EndedJob]:
    """Return the jobs that log lines tell the end of, newest first."""
    found = []
    for line in lines:
        if ended := _ENDED.search(line.text):
            told = dict(_FIELD.findall(line.text))
            if "phantom" in told:  # of a verification
                continue
            found.append(
                EndedJob(at=line.at, how=ended[1], tenant=told.get("tenant", ""), job=told.get("job", ""))
            )
    return sorted(found, key=lambda job: job.at, reverse=True)


def is_dead(queue: str) -> bool:
    """Whether a queue, by its name, is of what others gave up on."""
    return queue.endswith(("-dead", "-failed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a deployment consists of, as far as it is looked at.

    Attributes:
        name: The deployment's.
        queues: URLs.
        groups: Names of groups of workers' machines.
        control: Name of the control machine's group; empty where there is none.
        registries: Names of repositories.
        registry: URL that releases are pushed to.
        logs: Names of the workers' logs.
    """

    name: str
    queues: Sequence[str]
    groups: Sequence[str]
    control: str
    registries: Sequence[str]
    registry: str
    logs: Sequence[str]


def look(cloud: Cloud, logs: CloudLogs, parts: Parts, now: datetime) -> Overview:
    """Ask AWS how a deployment does."""
    urls = {url.rpartition("/")[2]: url for url in parts.queues}
    depths = {name: cloud.depth(url) for name, url in urls.items()}
    releases = [item for name in parts.registries for item in cloud.pushed(name) if item.tags]
    # One phrase for all three ways to end: CloudWatch bills and waits by what it reads through.
    lines = logs.lines(parts.logs, since=now - LOOKED_BACK, phrase="action=job.") if parts.logs else []
    return Overview(
        urls=urls,
        queues={name: depth for name, depth in depths.items() if not is_dead(name)},
        dead={name: depth for name, depth in depths.items() if is_dead(name)},
        groups={name: cloud.group(name) for name in parts.groups},
        control=cloud.group(parts.control) if parts.control else None,
        alarms=cloud.alarms(parts.name),
        releases=releases if parts.registries else None,
        registry=parts.registry,
        jobs=ended_jobs(lines),
    )
