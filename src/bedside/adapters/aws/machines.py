"""Machines of auto scaling groups, and Systems Manager's Run Command on them: `bedside.ports.machines`."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.asked import asked
from bedside.adapters.aws.clients import limits, open_session
from bedside.adapters.aws.errors import code_of
from bedside.errors import NotFound, Unavailable
from bedside.ports.machines import Machine, Outcome, Said

#: Seconds that a machine has to take a command; the least that AWS permits.
TAKEN_S = 30
#: What AWS says of a command that is under way.
_UNDERWAY = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})
#: By `StatusDetails`, which tells apart what `Status` calls the same; all else is undelivered. They are
#: compared without spaces: AWS's reference writes some, and its answers have none.
_OUTCOMES = {
    "Success": Outcome.ENDED,
    "Failed": Outcome.ENDED,
    "Cancelled": Outcome.CANCELLED,
    "ExecutionTimedOut": Outcome.TIMED_OUT,
}
#: Machines per question: as many values as a filter takes.
_PAGE = 50


class AwsMachines:
    """The machines of one region.

    Args:
        region: Its name.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._client = cache(self._make_client)

    def of(self, groups: Sequence[str]) -> Sequence[Machine]:
        """Return the machines of those groups that exist, in the order of the groups."""
        if not groups:
            return []
        with asked("autoscaling", "looking for machines"):
            answer = self._client("autoscaling").describe_auto_scaling_groups(
                AutoScalingGroupNames=list(groups)
            )
        members = {group["AutoScalingGroupName"]: group["Instances"] for group in answer["AutoScalingGroups"]}
        found = [(name, one) for name in groups for one in members.get(name, ())]
        listening = self._listening([one["InstanceId"] for _, one in found])
        return [
            Machine(
                id=one["InstanceId"],
                group=name,
                works=one["LifecycleState"] == "InService",
                listens=one["InstanceId"] in listening,
            )
            for name, one in found
        ]

    def raise_to_one(self, group: str) -> None:
        """Let a group that has no machine have one."""
        with asked("autoscaling", f"waking a machine of {group}"):
            # No cooldown: somebody waits.
            self._client("autoscaling").set_desired_capacity(
                AutoScalingGroupName=group, DesiredCapacity=1, HonorCooldown=False
            )

    def send(self, document: str, machine: str, arguments: str, *, timeout_s: int) -> str:
        """Send a command to a machine; return its id."""
        with asked("ssm", f"sending a command to {machine}"):
            try:
                answer = self._client("ssm").send_command(
                    DocumentName=document,
                    InstanceIds=[machine],
                    TimeoutSeconds=TAKEN_S,
                    Parameters={"Arguments": [arguments], "Timeout": [str(timeout_s)]},
                )
            except exceptions.ClientError as exc:
                if code_of(exc) == "InvalidDocument":
                    raise NotFound(
                        f"no document {document}: the deployment is of an older version, or not there",
                        hint="bedside deploy apply",
                    ) from exc
                if code_of(exc) == "InvalidInstanceId":
                    raise Unavailable(
                        f"machine {machine} takes no commands: it left, or its agent has not registered",
                        hint="try again in a minute",
                    ) from exc
                raise
        return str(answer["Command"]["CommandId"])

    def said(self, command: str, machine: str) -> Said | None:
        """Return what a command said, or None while it is under way."""
        with asked("ssm", f"asking what {machine} said"):
            try:
                found = self._client("ssm").get_command_invocation(CommandId=command, InstanceId=machine)
            except exceptions.ClientError as exc:
                if code_of(exc) == "InvocationDoesNotExist":  # AWS knows of it a moment later
                    return None
                raise
        if found["Status"] in _UNDERWAY:
            return None
        return Said(
            outcome=_OUTCOMES.get(found["StatusDetails"].replace(" ", ""), Outcome.UNDELIVERED),
            code=int(found.get("ResponseCode", -1)),
            out=found.get("StandardOutputContent", ""),
            err=found.get("StandardErrorContent", ""),
        )

    def cancel(self, command: str, machine: str) -> None:
        """End a command; one that has ended stays as it is."""
        with asked("ssm", f"cancelling the command on {machine}"):
            self._client("ssm").cancel_command(CommandId=command, InstanceIds=[machine])

    def _listening(self, ids: Sequence[str]) -> set[str]:
        """Return the machines whose agent is connected."""
        online: set[str] = set()
        with asked("ssm", "asking which machines take commands"):
            pages = self._client("ssm").get_paginator("describe_instance_information")
            for begin in range(0, len(ids), _PAGE):
                some = {"Key": "InstanceIds", "Values": list(ids[begin : begin + _PAGE])}
                for page in pages.paginate(Filters=[some]):
                    online |= {
                        one["InstanceId"]
                        for one in page["InstanceInformationList"]
                        if one.get("PingStatus") == "Online"
                    }
        return online

    def _make_client(self, service: str) -> Any:
        with asked(service, f"speaking to {service}"):
            return open_session(region=self._region).client(service, config=limits())
