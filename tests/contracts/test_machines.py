"""What whoever sends commands to machines keeps: the port's form, and what AWS's words mean.

moto has no agents, so AWS's answers are played by botocore's own stub, which checks each request and each
answer against AWS's model.
"""

import inspect
from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import ANY, Stubber

from bedside.adapters.aws.machines import AwsMachines
from bedside.errors import BedsideError, ConfigError, NotFound, Unavailable
from bedside.ports.machines import Machine, Machines, Outcome, Said
from bedside.wiring.cloud import open_machines
from clouds import REGION

ID, COMMAND = "i-00000000000000001", "11111111-2222-3333-4444-555555555555"


def test_signatures_are_the_ports() -> None:
    for name, method in inspect.getmembers(Machines, inspect.isfunction):
        if not name.startswith("_"):
            assert (
                inspect.signature(method).parameters
                == inspect.signature(getattr(AwsMachines, name)).parameters
            )


class Played:
    """The machines of a region where AWS answers what a test says."""

    def __init__(self) -> None:
        self.stubs = {
            service: Stubber(
                boto3.client(
                    service,
                    region_name=REGION,
                    aws_access_key_id="made-up",
                    aws_secret_access_key="made-up",  # pragma: allowlist secret
                )
            )
            for service in ("ssm", "autoscaling")
        }
        opened = open_machines(REGION)
        assert isinstance(opened, AwsMachines)
        opened._client = lambda service: self.stubs[service].client  # type: ignore[assignment]
        self.machines: Machines = opened
        for stub in self.stubs.values():
            stub.activate()


@pytest.fixture
def played() -> Iterator[Played]:
    found = Played()
    yield found
    for stub in found.stubs.values():
        stub.assert_no_pending_responses()


def instance(number: int, state: str) -> dict[str, object]:
    return {
        "InstanceId": f"i-{number:017d}",
        "AvailabilityZone": f"{REGION}a",
        "LifecycleState": state,
        "HealthStatus": "Healthy",
        "ProtectedFromScaleIn": False,
    }


def group(name: str, *instances: dict[str, object]) -> dict[str, object]:
    return {
        "AutoScalingGroupName": name,
        "MinSize": 0,
        "MaxSize": 2,
        "DesiredCapacity": len(instances),
        "DefaultCooldown": 300,
        "AvailabilityZones": [f"{REGION}a"],
        "HealthCheckType": "EC2",
        "CreatedTime": 0,
        "Instances": list(instances),
    }


def test_machines_come_in_the_order_of_their_groups_and_say_whether_they_listen(played: Played) -> None:
    played.stubs["autoscaling"].add_response(
        "describe_auto_scaling_groups",
        {
            "AutoScalingGroups": [
                group("w-default", instance(2, "InService"), instance(3, "Pending")),
                group("w-control", instance(1, "InService")),
            ]
        },
        {"AutoScalingGroupNames": ["w-control", "w-default", "w-gone"]},
    )
    played.stubs["ssm"].add_response(
        "describe_instance_information",
        {
            "InstanceInformationList": [
                {"InstanceId": f"i-{1:017d}", "PingStatus": "Online"},
                {"InstanceId": f"i-{2:017d}", "PingStatus": "ConnectionLost"},
            ]
        },
        {"Filters": [{"Key": "InstanceIds", "Values": [f"i-{n:017d}" for n in (1, 2, 3)]}]},
    )
    assert played.machines.of(["w-control", "w-default", "w-gone"]) == [
        Machine(id=f"i-{1:017d}", group="w-control", works=True, listens=True),
        Machine(id=f"i-{2:017d}", group="w-default", works=True, listens=False),
        Machine(id=f"i-{3:017d}", group="w-default", works=False, listens=False),
    ]
    assert played.machines.of([]) == []


def test_a_group_is_raised_at_once(played: Played) -> None:
    asked = {"AutoScalingGroupName": "w-default", "DesiredCapacity": 1, "HonorCooldown": False}
    played.stubs["autoscaling"].add_response("set_desired_capacity", {}, asked)
    played.machines.raise_to_one("w-default")


def test_a_command_goes_to_one_machine_with_its_parameters(played: Played) -> None:
    played.stubs["ssm"].add_response(
        "send_command",
        {"Command": {"CommandId": COMMAND}},
        {
            "DocumentName": "w-run",
            "InstanceIds": [ID],
            "TimeoutSeconds": 30,
            "Parameters": {"Arguments": ["abc"], "Timeout": ["60"]},
        },
    )
    assert played.machines.send("w-run", ID, "abc", timeout_s=60) == COMMAND
    played.stubs["ssm"].add_response("cancel_command", {}, {"CommandId": COMMAND, "InstanceIds": [ID]})
    played.machines.cancel(COMMAND, ID)


@pytest.mark.parametrize(
    ("code", "text", "error", "words", "hint"),
    [
        ("InvalidDocument", "", NotFound, "no document w-run", "bedside deploy apply"),
        ("InvalidInstanceId", "", Unavailable, "takes no commands", "try again"),
        (
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/eva is not authorized to perform: ssm:SendCommand "
            f"on resource: arn:aws:ssm:{REGION}:123456789012:document/w-run",
            ConfigError,
            "user eva is not allowed ssm:SendCommand",
            "bedside deploy policy --allow ssm:SendCommand",
        ),
    ],
)
def test_why_a_command_was_not_taken_is_said(
    played: Played, code: str, text: str, error: type[BedsideError], words: str, hint: str
) -> None:
    played.stubs["ssm"].add_client_error("send_command", code, text)
    with pytest.raises(error, match=words) as caught:
        played.machines.send("w-run", ID, "abc", timeout_s=60)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("status", "detail", "outcome"),
    [
        ("Pending", "Pending", None),
        ("InProgress", "In Progress", None),
        ("Delayed", "Delayed", None),
        ("Cancelling", "Cancelling", None),
        ("Success", "Success", Outcome.ENDED),
        ("Failed", "Failed", Outcome.ENDED),
        ("Cancelled", "Cancelled", Outcome.CANCELLED),
        ("TimedOut", "Execution Timed Out", Outcome.TIMED_OUT),
        ("TimedOut", "Delivery Timed Out", Outcome.UNDELIVERED),
        ("Failed", "Undeliverable", Outcome.UNDELIVERED),
        ("Failed", "Terminated", Outcome.UNDELIVERED),
    ],
)
def test_what_became_of_a_command(played: Played, status: str, detail: str, outcome: Outcome | None) -> None:
    played.stubs["ssm"].add_client_error("get_command_invocation", "InvocationDoesNotExist")
    assert played.machines.said(COMMAND, ID) is None  # AWS knows of it a moment later
    played.stubs["ssm"].add_response(
        "get_command_invocation",
        {
            "Status": status,
            "StatusDetails": detail,
            "ResponseCode": 4,
            "StandardOutputContent": "out",
            "StandardErrorContent": "err",
        },
        {"CommandId": ANY, "InstanceId": ID},
    )
    said = played.machines.said(COMMAND, ID)
    assert said == (Said(outcome=outcome, code=4, out="out", err="err") if outcome else None)
