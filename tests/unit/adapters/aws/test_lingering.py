"""What is asked for one by one, because the tagging API lists it after it is gone."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedside.adapters.aws import lingering, presence
from clouds import REGION, Cloud

ACCOUNT = "123456789012"


def _ec2(kind: str, identifier: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{identifier}"


def _made(cloud: Cloud) -> dict[str, Callable[[], object]]:
    """Make one of each kind; return how each is removed, in an order that AWS takes."""
    ec2, rds = cloud.client("ec2"), cloud.client("rds")
    events, watch = cloud.client("events"), cloud.client("cloudwatch")
    vpc = ec2.create_vpc(CidrBlock="10.71.0.0/16")["Vpc"]["VpcId"]
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"][:2]]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.71.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(zones)
    ]
    volume = ec2.create_volume(AvailabilityZone=zones[0], Size=1)["VolumeId"]
    card = ec2.create_network_interface(SubnetId=subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table],
    )["VpcEndpoint"]
    template = ec2.create_launch_template(
        LaunchTemplateName="lingering", LaunchTemplateData={"InstanceType": "t3.small"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    rds.create_db_subnet_group(DBSubnetGroupName="lingering", DBSubnetGroupDescription="x", SubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="lingering", DBInstanceClass="db.t4g.micro", Engine="postgres"
    )
    rule = events.put_rule(Name="lingering", ScheduleExpression="rate(1 hour)")["RuleArn"]
    watch.put_metric_alarm(
        AlarmName="lingering",
        Namespace="x",
        MetricName="x",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return {
        _ec2("volume", volume): lambda: ec2.delete_volume(VolumeId=volume),
        _ec2("network-interface", card): lambda: ec2.delete_network_interface(NetworkInterfaceId=card),
        _ec2("vpc-endpoint", endpoint["VpcEndpointId"]): lambda: ec2.delete_vpc_endpoints(
            VpcEndpointIds=[endpoint["VpcEndpointId"]]
        ),
        _ec2("route-table", table): lambda: ec2.delete_route_table(RouteTableId=table),
        _ec2("internet-gateway", gateway): lambda: ec2.delete_internet_gateway(InternetGatewayId=gateway),
        _ec2("launch-template", template): lambda: ec2.delete_launch_template(LaunchTemplateId=template),
        f"arn:aws:rds:{REGION}:{ACCOUNT}:db:lingering": lambda: rds.delete_db_instance(
            DBInstanceIdentifier="lingering", SkipFinalSnapshot=True
        ),
        f"arn:aws:rds:{REGION}:{ACCOUNT}:subgrp:lingering": lambda: rds.delete_db_subnet_group(
            DBSubnetGroupName="lingering"
        ),
        rule: lambda: events.delete_rule(Name="lingering"),
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:lingering": lambda: watch.delete_alarms(
            AlarmNames=["lingering"]
        ),
    }


def test_each_kind_is_there_until_it_is_removed(cloud: Cloud) -> None:
    for arn, remove in _made(cloud).items():
        assert (arn, presence.present(cloud.client, arn)) == (arn, True)
        remove()
        assert (arn, presence.present(cloud.client, arn)) == (arn, False)


@pytest.mark.parametrize(
    ("code", "told"), [("UnauthorizedOperation", None), ("InvalidVolume.NotFound", False)]
)
def test_who_may_not_ask_cannot_tell(code: str, told: bool | None) -> None:
    class Refusing:
        def describe_volumes(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": code}}, "DescribeVolumes")

    assert lingering.present(lambda _: Refusing(), _ec2("volume", "vol-1")) is told
    assert lingering.present(lambda _: Refusing(), _ec2("snapshot", "snap-1")) is None
