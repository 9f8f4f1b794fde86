"""What an emulator holds, by listing each service that a deployment uses."""

from collections.abc import Callable
from functools import cache
from typing import Any

#: Service, operation, the list in its answer and what an entry is told by.
_LISTS = (
    ("s3", "list_buckets", "Buckets", "Name"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("ssm", "list_documents", "DocumentIdentifiers", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("logs", "describe_resource_policies", "resourcePolicies", "policyName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("events", "list_rules", "Rules", "Name"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("autoscaling", "describe_policies", "ScalingPolicies", "PolicyARN"),
    ("cognito-idp", "list_user_pools", "UserPools", "Name"),
    ("budgets", "describe_budgets", "Budgets", "BudgetName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
)
#: Those that are listed.
SERVICES = frozenset(service for service, *_ in _LISTS)


def listed(client: Callable[[str], Any], account: str) -> frozenset[str]:
    """Return all that there is, each with its service.

    Args:
        client: Of a service.
        account: Whose; budgets want to know.
    """
    client = cache(client)
    asked = {"list_user_pools": {"MaxResults": 60}, "describe_budgets": {"AccountId": account}}
    return frozenset(
        f"{service} {entries} {entry[name] if name else entry}"
        for service, operation, entries, name in _LISTS
        for entry in getattr(client(service), operation)(**asked.get(operation, {})).get(entries) or []
    )
