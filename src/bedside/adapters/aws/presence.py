"""Whether a resource is still there, asked by its ARN.

The tagging API does not list roles, and lists machines for an hour after they ended; a proof that
nothing is left asks each service itself.
"""

import re
from collections.abc import Callable
from typing import Any

from botocore import exceptions

from bedside.adapters.aws import lingering
from bedside.adapters.aws.errors import code_of

#: Codes that say "there is none"; every service has its own.
GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidAllocationID.NotFound",
        "InvalidDocument",
        "InvalidInstanceID.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidGroup.NotFound",
        "InvalidVpcID.NotFound",
        "InvalidSubnetID.NotFound",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "QueueDoesNotExist",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
    }
)

Client = Callable[[str], Any]
_Ask = Callable[[Client, str], bool]


def _told(call: Callable[[], object]) -> bool:
    """Whether a call that fails for what is gone succeeds."""
    try:
        call()
    except exceptions.ClientError as exc:
        if code_of(exc) in GONE:
            return False
        raise
    return True


def _machine(client: Client, name: str) -> bool:
    found: list[str] = []

    def ask() -> None:
        answer = client("ec2").describe_instances(InstanceIds=[name])
        found.extend(i["State"]["Name"] for r in answer["Reservations"] for i in r["Instances"])

    return _told(ask) and any(state != "terminated" for state in found)


def _log_group(client: Client, name: str) -> bool:
    name = name.removesuffix(":*")
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(group["logGroupName"] == name for group in groups)


def _datastore(client: Client, name: str) -> bool:
    found: list[str] = []

    def ask() -> None:
        answer = client("medical-imaging").get_datastore(datastoreId=name)
        found.append(answer["datastoreProperties"]["datastoreStatus"])

    return _told(ask) and found != ["DELETED"]


def _group(client: Client, name: str) -> bool:
    answer = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return bool(answer["AutoScalingGroups"])


def _policy(client: Client, arn: str) -> bool:
    # By its name alone: the group that its ARN names may be gone before it.
    name = arn.rpartition(":policyName/")[2]
    answer = client("autoscaling").describe_policies(PolicyNames=[name])
    return any(policy["PolicyARN"] == arn for policy in answer["ScalingPolicies"])


_KINDS: tuple[tuple[re.Pattern[str], _Ask], ...] = (
    (re.compile(r"arn:[^:]+:s3:::([^/]+)"), lambda c, n: _told(lambda: c("s3").head_bucket(Bucket=n))),
    (
        re.compile(r"arn:[^:]+:iam::\d*:role/(?:.*/)?([^/]+)"),
        lambda c, n: _told(lambda: c("iam").get_role(RoleName=n)),
    ),
    (
        re.compile(r"arn:[^:]+:iam::\d*:instance-profile/(?:.*/)?([^/]+)"),
        lambda c, n: _told(lambda: c("iam").get_instance_profile(InstanceProfileName=n)),
    ),
    (
        re.compile(r"(arn:[^:]+:iam::\d*:policy/.+)"),
        lambda c, n: _told(lambda: c("iam").get_policy(PolicyArn=n)),
    ),
    (
        re.compile(r"arn:[^:]+:sqs:[^:]+:\d*:(.+)"),
        lambda c, n: _told(lambda: c("sqs").get_queue_url(QueueName=n)),
    ),
    (
        re.compile(r"arn:[^:]+:ecr:[^:]+:\d*:repository/(.+)"),
        lambda c, n: _told(lambda: c("ecr").describe_repositories(repositoryNames=[n])),
    ),
    (
        re.compile(r"arn:[^:]+:lambda:[^:]+:\d*:function:([^:]+)"),
        lambda c, n: _told(lambda: c("lambda").get_function(FunctionName=n)),
    ),
    (
        re.compile(r"arn:[^:]+:ec2:[^:]+:\d*:vpc/(.+)"),
        lambda c, n: _told(lambda: c("ec2").describe_vpcs(VpcIds=[n])),
    ),
    (
        re.compile(r"arn:[^:]+:ec2:[^:]+:\d*:subnet/(.+)"),
        lambda c, n: _told(lambda: c("ec2").describe_subnets(SubnetIds=[n])),
    ),
    (
        re.compile(r"arn:[^:]+:ec2:[^:]+:\d*:security-group/(.+)"),
        lambda c, n: _told(lambda: c("ec2").describe_security_groups(GroupIds=[n])),
    ),
    (
        # It costs whether somebody has it or not.
        re.compile(r"arn:[^:]+:ec2:[^:]+:\d*:elastic-ip/(.+)"),
        lambda c, n: _told(lambda: c("ec2").describe_addresses(AllocationIds=[n])),
    ),
    (
        re.compile(r"arn:[^:]+:ssm:[^:]+:\d*:document/(.+)"),
        lambda c, n: _told(lambda: c("ssm").describe_document(Name=n)),
    ),
    (re.compile(r"arn:[^:]+:ec2:[^:]+:\d*:instance/(.+)"), _machine),
    (re.compile(r"arn:[^:]+:logs:[^:]+:\d*:log-group:(.+)"), _log_group),
    (re.compile(r"arn:[^:]+:medical-imaging:[^:]+:\d*:datastore/([^/]+)"), _datastore),
    (re.compile(r"arn:[^:]+:autoscaling:.+:autoScalingGroupName/([^:]+)"), _group),
    (re.compile(r"(arn:[^:]+:autoscaling:[^:]+:\d*:scalingPolicy:.+)"), _policy),
)


def present(client: Client, arn: str) -> bool | None:
    """Whether a resource is there; None where its kind is not in the table."""
    for pattern, ask in _KINDS:
        if found := pattern.fullmatch(arn):
            return ask(client, found[1])
    return lingering.present(client, arn)
