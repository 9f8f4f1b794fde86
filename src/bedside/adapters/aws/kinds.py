"""Which kinds of machine a region has, and in which of its zones. Nothing here changes anything."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.errors import code_of

_MISSING_TYPE = "InvalidInstanceType"


def vcpus(ec2: Any, instance_types: Sequence[str]) -> Mapping[str, int]:
    """Return the vCPUs of those kinds that there are; others are left out."""
    found: dict[str, int] = {}
    for name in dict.fromkeys(instance_types):
        try:
            answer = ec2.describe_instance_types(InstanceTypes=[name])
        except exceptions.ClientError as exc:
            if code_of(exc) == _MISSING_TYPE:
                continue
            raise
        found |= {kind["InstanceType"]: kind["VCpuInfo"]["DefaultVCpus"] for kind in answer["InstanceTypes"]}
    return found


def zones(ec2: Any) -> Sequence[str]:
    """Return the zones that are open to everybody and at work, sorted."""
    wanted = {"opt-in-status": "opt-in-not-required", "state": "available"}
    found = ec2.describe_availability_zones(Filters=_filters(wanted))
    return sorted(zone["ZoneName"] for zone in found["AvailabilityZones"])


def zones_of(ec2: Any, instance_type: str) -> Sequence[str]:
    """Return the zones that offer a kind, sorted."""
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=_filters({"instance-type": instance_type})
    )
    return sorted(offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"])


def _filters(wanted: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()]
