"""Whether what AWS's tagging API lists long after it was removed is still there.

It lists parts of a network, disks, databases and alarms for an hour and more, so that a proof which asked it
alone would find a deployment that is gone. Owns the table; `presence` asks for the rest.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.errors import code_of
from bedside.deploy.permissions import CODES

#: Codes that say "there is none", of EC2 and of the others.
_GONE = re.compile(r"Invalid\w+\.NotFound|\w*NotFound(Fault|Exception)?|NoSuchEntity")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How one kind of resource is asked for.

    Attributes:
        arn: What its ARN looks like from the service on; the group is what is asked for.
        call: Service and operation.
        by: Parameter that takes it.
        listed: Key of the list in the answer; empty where an answer is one.
        several: Whether the parameter takes a list.
    """

    arn: str
    call: tuple[str, str]
    by: str
    listed: str = ""
    several: bool = False


def _ec2(kind: str, operation: str, by: str, listed: str) -> _Kind:
    return _Kind(
        arn=rf"ec2:[^:]+:\d*:{kind}/(.+)", call=("ec2", operation), by=by, listed=listed, several=True
    )


_KINDS = (
    _ec2("volume", "describe_volumes", "VolumeIds", "Volumes"),
    _ec2("network-interface", "describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces"),
    _ec2("launch-template", "describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates"),
    _ec2("route-table", "describe_route_tables", "RouteTableIds", "RouteTables"),
    _ec2("internet-gateway", "describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    _ec2("vpc-endpoint", "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    _ec2(
        "security-group-rule", "describe_security_group_rules", "SecurityGroupRuleIds", "SecurityGroupRules"
    ),
    _Kind(
        arn=r"rds:[^:]+:\d*:db:(.+)",
        call=("rds", "describe_db_instances"),
        by="DBInstanceIdentifier",
        listed="DBInstances",
    ),
    _Kind(
        arn=r"rds:[^:]+:\d*:subgrp:(.+)",
        call=("rds", "describe_db_subnet_groups"),
        by="DBSubnetGroupName",
        listed="DBSubnetGroups",
    ),
    _Kind(
        arn=r"rds:[^:]+:\d*:pg:(.+)",
        call=("rds", "describe_db_parameter_groups"),
        by="DBParameterGroupName",
        listed="DBParameterGroups",
    ),
    _Kind(arn=r"events:[^:]+:\d*:rule/([^/]+)", call=("events", "describe_rule"), by="Name"),
    _Kind(
        arn=r"cloudwatch:[^:]+:\d*:alarm:(.+)",
        call=("cloudwatch", "describe_alarms"),
        by="AlarmNames",
        listed="MetricAlarms",
        several=True,
    ),
    _Kind(
        arn=r"cognito-idp:[^:]+:\d*:userpool/(.+)",
        call=("cognito-idp", "describe_user_pool"),
        by="UserPoolId",
    ),
)


def present(client: Callable[[str], Any], arn: str) -> bool | None:
    """Whether a resource is there; None where its kind is not in the table, or asking is not permitted."""
    for kind in _KINDS:
        found = re.fullmatch(rf"arn:[^:]+:{kind.arn}", arn)
        if found is None:
            continue
        service, operation = kind.call
        wanted = [found[1]] if kind.several else found[1]
        try:
            answer = getattr(client(service), operation)(**{kind.by: wanted})
        except exceptions.ClientError as exc:
            if _GONE.fullmatch(code_of(exc)):
                return False
            if code_of(exc) in CODES:
                return None
            raise
        if not kind.listed:
            return True
        return any(str(item.get("State", "")).lower() != "deleted" for item in answer[kind.listed])
    return None
