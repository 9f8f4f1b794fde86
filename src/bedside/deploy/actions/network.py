"""What connects: networks, addresses and who may speak to whom."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import (
    Grant,
    ec2,
)

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_availability_zones": (Grant("ec2", "DescribeAvailabilityZones"),),
    "aws_default_security_group": ec2(
        "DescribeSecurityGroups DescribeSecurityGroupRules RevokeSecurityGroupIngress "
        "RevokeSecurityGroupEgress"
    ),
    "aws_eip": ec2(
        "AllocateAddress ReleaseAddress AssociateAddress DisassociateAddress DescribeAddresses "
        "DescribeAddressesAttribute"
    ),
    "aws_internet_gateway": ec2(
        "CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway "
        "DescribeInternetGateways"
    ),
    "aws_route": ec2("CreateRoute ReplaceRoute DeleteRoute DescribeRouteTables"),
    "aws_route_table": ec2("CreateRouteTable DeleteRouteTable DescribeRouteTables"),
    "aws_route_table_association": ec2(
        "AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation DescribeRouteTables"
    ),
    "aws_security_group": ec2(
        "CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroups DescribeNetworkInterfaces "
        "RevokeSecurityGroupEgress RevokeSecurityGroupIngress"
    ),
    "aws_subnet": ec2("CreateSubnet ModifySubnetAttribute DeleteSubnet DescribeSubnets"),
    "aws_vpc": ec2(
        "CreateVpc ModifyVpcAttribute DeleteVpc DescribeVpcs DescribeVpcAttribute DescribeNetworkAcls "
        "DescribeRouteTables DescribeSecurityGroups"
    ),
    "aws_vpc_endpoint": ec2(
        "CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints DescribePrefixLists"
    ),
    "aws_vpc_security_group_egress_rule": ec2(
        "AuthorizeSecurityGroupEgress RevokeSecurityGroupEgress ModifySecurityGroupRules "
        "DescribeSecurityGroupRules"
    ),
    "aws_vpc_security_group_ingress_rule": ec2(
        "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress ModifySecurityGroupRules "
        "DescribeSecurityGroupRules"
    ),
}
