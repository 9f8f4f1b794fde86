"""A Terraform plan, in words: what will be made, changed and destroyed, part by part.

Reads the JSON of ``terraform show -json PLAN`` (format version 1) and nothing else, in an order that
depends only on names, so that two plans can be compared line by line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: The parts in the order a person thinks of them, and what each is.
PARTS = {
    "storage": "the bucket of studies and results",
    "events": "queues that bring studies and jobs",
    "registry": "the registry of releases",
    "network": "the network, closed from outside",
    "ledger": "the database of jobs",
    "workers": "machines that read studies, none while idle",
    "control": "the machine of the portal and the DICOM receiver",
    "archive": "HealthImaging",
    "identity": "sign-in",
    "commands": "commands of bedside on the machines",
    "tenants": "machines' right to make tenants",
    "observability": "dashboard, logs and alarms",
    "budget": "the alarm on cost",
    "ci": "GitHub's way in, without keys",
}
#: Words that a type of resource is called by, where its own are not plain.
_TYPES = {
    "aws_autoscaling_group": "group of machines",
    "aws_cloudwatch_event_rule": "rule on events",
    "aws_cloudwatch_event_target": "target of a rule",
    "aws_cloudwatch_log_group": "log",
    "aws_cloudwatch_metric_alarm": "alarm",
    "aws_cognito_user_pool": "user pool",
    "aws_db_instance": "database",
    "aws_ebs_volume": "disk",
    "aws_ecr_repository": "registry",
    "aws_iam_role": "role",
    "aws_iam_role_policy": "permissions of a role",
    "aws_lambda_function": "function",
    "aws_s3_bucket": "bucket",
    "aws_sqs_queue": "queue",
    "aws_vpc": "network",
}
_PROVIDER = re.compile(r"^(aws|terraform)_")
#: Types whose end is the end of data that nothing here can bring back.
KEEPERS = frozenset({"aws_cognito_user_pool", "aws_db_instance", "aws_ecr_repository", "aws_s3_bucket"})
#: Attributes that name a resource as its console does, the first that is there.
_NAMES = ("name", "bucket", "function_name", "identifier", "alarm_name", "dashboard_name")


class Action(StrEnum):
    """What happens to a resource."""

    MAKE = "make"
    CHANGE = "change"
    REPLACE = "replace"
    DESTROY = "destroy"


_ACTIONS = {
    ("create",): Action.MAKE,
    ("update",): Action.CHANGE,
    ("delete",): Action.DESTROY,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
}
SIGNS = {Action.MAKE: "+", Action.CHANGE: "~", Action.REPLACE: "±", Action.DESTROY: "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one resource.

    Attributes:
        address: Terraform's name of it.
        part: Module it belongs to; empty for the root.
        type: Terraform's type.
        called: Its name on AWS where that is known already, else Terraform's.
        action: What happens.
        because: Attributes that force a replacement.
    """

    address: str
    part: str
    type: str
    called: str
    action: Action
    because: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The resource's type in words."""
        return _TYPES.get(self.type) or _PROVIDER.sub("", self.type).replace("_", " ")

    @property
    def words(self) -> str:
        """The change as one line."""
        why = f" (a new {', '.join(self.because)} needs a new one)" if self.because else ""
        return f"{SIGNS[self.action]} {self.kind} {self.called}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What an apply would do, in the order of `PARTS` and then of addresses."""

    changes: tuple[Change, ...]

    @property
    def count(self) -> dict[Action, int]:
        """How many resources each action is for."""
        return {action: sum(c.action is action for c in self.changes) for action in Action}

    @property
    def summary(self) -> str:
        """The plan in one line."""
        if not self.changes:
            return "nothing changes"
        return ", ".join(f"{number} to {action}" for action, number in self.count.items() if number)

    @property
    def lost(self) -> tuple[Change, ...]:
        """What ends with all the data that is in it, although the deployment goes on."""
        ends = (Action.REPLACE, Action.DESTROY)
        return tuple(change for change in self.changes if change.action in ends and change.type in KEEPERS)

    def lines(self) -> Iterator[str]:
        """The plan as lines: each part with its changes."""
        part = None
        for change in self.changes:
            if change.part != part:
                part = change.part
                what = PARTS.get(part)
                yield f"{part or 'deployment'}{f': {what}' if what else ''}"
            yield f"  {change.words}"


def planned(document: Mapping[str, Any]) -> Planned:
    """Read the JSON of a plan. What is only read, or stays as it is, is left out."""
    changes = [
        _change(item, action)
        for item in document.get("resource_changes", ())
        if item.get("mode") != "data" and (action := _ACTIONS.get(tuple(item["change"]["actions"])))
    ]
    order = list(PARTS)

    def place(change: Change) -> tuple[int, str, str]:
        known = order.index(change.part) if change.part in PARTS else len(order)
        return known, change.part, change.address

    return Planned(changes=tuple(sorted(changes, key=place)))


def _change(item: Mapping[str, Any], action: Action) -> Change:
    change = item["change"]
    state = change.get("after") or change.get("before") or {}
    called = next((str(state[key]) for key in _NAMES if state.get(key)), "")
    if not called:
        index = item.get("index")
        called = item["name"] + (f"[{index}]" if index is not None else "")
    return Change(
        address=item["address"],
        part=part_of(item["address"]),
        type=item["type"],
        called=called,
        action=action,
        because=_forced(change.get("replace_paths", ())) if action is Action.REPLACE else (),
    )


def part_of(address: str) -> str:
    """Return the outermost module of an address; empty for the root."""
    found = re.match(r"module\.([a-zA-Z0-9_-]+)", address)
    return found[1] if found else ""


def _forced(paths: Sequence[Sequence[object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(path[0]).replace("_", " ") for path in paths if path))
