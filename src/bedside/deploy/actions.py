"""Which actions of AWS each Terraform resource type needs, and on what; from AWS's service references.

Owns one table: type of resource to what the provider calls when it makes, reads, changes, tags and
removes one. Actions that AWS cannot restrict to a resource say ``*``. A type that is missing here is an
error of `bedside.deploy.grants`, and of a test that reads the modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on resources.

    Attributes:
        service: Prefix of the actions.
        actions: Without the prefix, divided by spaces.
        on: ARNs without ``arn:PARTITION:``, divided by spaces; ``{name}``, ``{region}`` and ``{account}``
            are put in.
    """

    service: str
    actions: str
    on: str = "*"


_BUCKET = "s3:::{name}-*"
_ROLE = "iam::{account}:role/{name}-*"
_LOG = (
    "logs:{region}:{account}:log-group:/bedside/{name}/* "
    "logs:{region}:{account}:log-group:/aws/lambda/{name}-* "
    "logs:{region}:{account}:log-group:/aws/rds/instance/{name}-* "
    "logs:{region}:{account}:log-group:/aws/events/{name}-*"
)
_GROUP = "autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{name}-*"
_QUEUE = "sqs:{region}:{account}:{name}*"
_TOPIC = "sns:{region}:{account}:{name}-*"
_RULE = "events:{region}:{account}:rule/{name}-*"
_FUNCTION = "lambda:{region}:{account}:function:{name}-*"
_REGISTRY = "ecr:{region}:{account}:repository/{name}*"
_POOL = "cognito-idp:{region}:{account}:userpool/*"
_PARAMETER = "ssm:{region}:{account}:parameter/{name}/* ssm:{region}:{account}:parameter/bedside/{name}/*"


def _ec2(actions: str) -> tuple[Grant, ...]:
    # EC2 names a thing only once it is made, and most Describe actions know no resource at all.
    return (Grant("ec2", actions), Grant("ec2", "CreateTags DeleteTags"))


ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_autoscaling_group": (
        Grant(
            "autoscaling",
            "CreateAutoScalingGroup UpdateAutoScalingGroup DeleteAutoScalingGroup "
            "CreateOrUpdateTags DeleteTags "
            "SetInstanceProtection StartInstanceRefresh CancelInstanceRefresh PutWarmPool DeleteWarmPool "
            "EnableMetricsCollection DisableMetricsCollection SuspendProcesses ResumeProcesses",
            _GROUP,
        ),
        Grant(
            "autoscaling",
            "DescribeAutoScalingGroups DescribeScalingActivities DescribeInstanceRefreshes DescribeWarmPool "
            "DescribeTags",
        ),
        Grant("ec2", "RunInstances DescribeInstances DescribeImages DescribeLaunchTemplateVersions"),
    ),
    "aws_autoscaling_lifecycle_hook": (
        Grant("autoscaling", "PutLifecycleHook DeleteLifecycleHook", _GROUP),
        Grant("autoscaling", "DescribeLifecycleHooks"),
    ),
    "aws_autoscaling_policy": (
        Grant("autoscaling", "PutScalingPolicy DeletePolicy", _GROUP),
        Grant("autoscaling", "DescribePolicies"),
    ),
    "aws_autoscaling_schedule": (
        Grant("autoscaling", "PutScheduledUpdateGroupAction DeleteScheduledAction", _GROUP),
        Grant("autoscaling", "DescribeScheduledActions"),
    ),
    "aws_availability_zones": (Grant("ec2", "DescribeAvailabilityZones"),),
    "aws_budgets_budget": (
        Grant(
            "budgets",
            "ViewBudget ModifyBudget ListTagsForResource TagResource UntagResource",
            "budgets::{account}:budget/{name}-*",
        ),
    ),
    "aws_caller_identity": (Grant("sts", "GetCallerIdentity"),),
    "aws_cloudwatch_dashboard": (
        Grant(
            "cloudwatch",
            "PutDashboard GetDashboard DeleteDashboards",
            "cloudwatch::{account}:dashboard/{name}*",
        ),
    ),
    "aws_cloudwatch_event_rule": (
        Grant(
            "events",
            "PutRule DeleteRule DescribeRule EnableRule DisableRule ListTagsForResource "
            "TagResource UntagResource",
            _RULE,
        ),
    ),
    "aws_cloudwatch_event_target": (Grant("events", "PutTargets RemoveTargets ListTargetsByRule", _RULE),),
    "aws_cloudwatch_log_group": (
        Grant(
            "logs",
            "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy ListTagsForResource "
            "TagResource UntagResource AssociateKmsKey",
            _LOG,
        ),
        Grant("logs", "DescribeLogGroups"),
    ),
    "aws_cloudwatch_log_resource_policy": (
        Grant("logs", "PutResourcePolicy DeleteResourcePolicy DescribeResourcePolicies"),
    ),
    "aws_cloudwatch_metric_alarm": (
        Grant(
            "cloudwatch",
            "PutMetricAlarm DeleteAlarms DescribeAlarms ListTagsForResource TagResource UntagResource",
            "cloudwatch:{region}:{account}:alarm:{name}-*",
        ),
    ),
    "aws_cognito_user_group": (Grant("cognito-idp", "CreateGroup GetGroup UpdateGroup DeleteGroup", _POOL),),
    "aws_cognito_user_pool": (
        Grant("cognito-idp", "CreateUserPool"),
        Grant(
            "cognito-idp",
            "DescribeUserPool UpdateUserPool DeleteUserPool GetUserPoolMfaConfig SetUserPoolMfaConfig "
            "ListTagsForResource TagResource UntagResource",
            _POOL,
        ),
    ),
    "aws_cognito_user_pool_client": (
        Grant(
            "cognito-idp",
            "CreateUserPoolClient DescribeUserPoolClient UpdateUserPoolClient DeleteUserPoolClient",
            _POOL,
        ),
    ),
    "aws_db_instance": (
        Grant(
            "rds",
            "CreateDBInstance ModifyDBInstance DeleteDBInstance DescribeDBInstances ListTagsForResource "
            "AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:db:{name}-* rds:{region}:{account}:subgrp:{name}-* "
            "rds:{region}:{account}:pg:{name}-*",
        ),
    ),
    "aws_db_parameter_group": (
        Grant(
            "rds",
            "CreateDBParameterGroup ModifyDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups "
            "DescribeDBParameters ListTagsForResource AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:pg:{name}-*",
        ),
    ),
    "aws_db_subnet_group": (
        Grant(
            "rds",
            "CreateDBSubnetGroup ModifyDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups "
            "ListTagsForResource AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:subgrp:{name}-*",
        ),
    ),
    "aws_default_security_group": _ec2(
        "DescribeSecurityGroups DescribeSecurityGroupRules RevokeSecurityGroupIngress "
        "RevokeSecurityGroupEgress"
    ),
    "aws_ecr_lifecycle_policy": (
        Grant("ecr", "PutLifecyclePolicy GetLifecyclePolicy DeleteLifecyclePolicy", _REGISTRY),
    ),
    "aws_ecr_repository": (
        Grant(
            "ecr",
            "CreateRepository DescribeRepositories DeleteRepository PutImageTagMutability "
            "PutImageScanningConfiguration ListImages BatchDeleteImage ListTagsForResource TagResource "
            "UntagResource",
            _REGISTRY,
        ),
    ),
    "aws_eip": _ec2("AllocateAddress ReleaseAddress AssociateAddress DisassociateAddress DescribeAddresses"),
    "aws_iam_instance_profile": (
        Grant(
            "iam",
            "CreateInstanceProfile GetInstanceProfile DeleteInstanceProfile AddRoleToInstanceProfile "
            "RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile",
            "iam::{account}:instance-profile/{name}-*",
        ),
    ),
    "aws_iam_openid_connect_provider": (
        Grant(
            "iam",
            "CreateOpenIDConnectProvider GetOpenIDConnectProvider DeleteOpenIDConnectProvider "
            "UpdateOpenIDConnectProviderThumbprint AddClientIDToOpenIDConnectProvider "
            "RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider",
            "iam::{account}:oidc-provider/token.actions.githubusercontent.com",
        ),
    ),
    "aws_iam_policy_document": (),
    "aws_iam_role": (
        Grant(
            "iam",
            "CreateRole GetRole UpdateRole UpdateAssumeRolePolicy DeleteRole ListRolePolicies "
            "ListAttachedRolePolicies ListInstanceProfilesForRole TagRole UntagRole ListRoleTags PassRole",
            _ROLE,
        ),
    ),
    "aws_iam_role_policy": (Grant("iam", "PutRolePolicy GetRolePolicy DeleteRolePolicy", _ROLE),),
    "aws_iam_role_policy_attachment": (
        Grant("iam", "AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies", _ROLE),
    ),
    "aws_instance": _ec2(
        "RunInstances TerminateInstances StartInstances StopInstances DescribeInstances DescribeImages "
        "DescribeInstanceAttribute DescribeInstanceTypes DescribeInstanceCreditSpecifications "
        "DescribeVolumes "
        "ModifyInstanceAttribute ModifyInstanceMetadataOptions"
    ),
    "aws_internet_gateway": _ec2(
        "CreateInternetGateway AttachInternetGateway DetachInternetGateway DeleteInternetGateway "
        "DescribeInternetGateways"
    ),
    "aws_lambda_function": (
        Grant(
            "lambda",
            "CreateFunction GetFunction GetFunctionConfiguration GetFunctionCodeSigningConfig "
            "UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction ListVersionsByFunction "
            "PutFunctionConcurrency DeleteFunctionConcurrency ListTags TagResource UntagResource",
            _FUNCTION,
        ),
    ),
    "aws_lambda_function_event_invoke_config": (
        Grant(
            "lambda",
            "PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig "
            "DeleteFunctionEventInvokeConfig",
            _FUNCTION,
        ),
    ),
    "aws_lambda_permission": (Grant("lambda", "AddPermission RemovePermission GetPolicy", _FUNCTION),),
    "aws_launch_template": _ec2(
        "CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate DeleteLaunchTemplate "
        "DescribeLaunchTemplates DescribeLaunchTemplateVersions"
    ),
    "aws_partition": (),
    "aws_region": (),
    "aws_route": _ec2("CreateRoute ReplaceRoute DeleteRoute DescribeRouteTables"),
    "aws_route_table": _ec2("CreateRouteTable DeleteRouteTable DescribeRouteTables"),
    "aws_route_table_association": _ec2(
        "AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation DescribeRouteTables"
    ),
    "aws_s3_bucket": (
        Grant(
            "s3",
            "CreateBucket DeleteBucket ListBucket ListBucketVersions GetBucket* GetEncryptionConfiguration "
            "GetLifecycleConfiguration GetReplicationConfiguration GetAccelerateConfiguration "
            "PutBucketTagging",
            _BUCKET,
        ),
        # A bucket is emptied before it is removed.
        Grant("s3", "DeleteObject DeleteObjectVersion", f"{_BUCKET}/*"),
    ),
    "aws_s3_bucket_cors_configuration": (Grant("s3", "PutBucketCORS GetBucketCORS", _BUCKET),),
    "aws_s3_bucket_lifecycle_configuration": (
        Grant("s3", "PutLifecycleConfiguration GetLifecycleConfiguration", _BUCKET),
    ),
    "aws_s3_bucket_notification": (Grant("s3", "PutBucketNotification GetBucketNotification", _BUCKET),),
    "aws_s3_bucket_ownership_controls": (
        Grant("s3", "PutBucketOwnershipControls GetBucketOwnershipControls", _BUCKET),
    ),
    "aws_s3_bucket_policy": (Grant("s3", "PutBucketPolicy GetBucketPolicy DeleteBucketPolicy", _BUCKET),),
    "aws_s3_bucket_public_access_block": (
        Grant("s3", "PutBucketPublicAccessBlock GetBucketPublicAccessBlock", _BUCKET),
    ),
    "aws_s3_bucket_server_side_encryption_configuration": (
        Grant("s3", "PutEncryptionConfiguration GetEncryptionConfiguration", _BUCKET),
    ),
    "aws_s3_bucket_versioning": (Grant("s3", "PutBucketVersioning GetBucketVersioning", _BUCKET),),
    "aws_secretsmanager_random_password": (Grant("secretsmanager", "GetRandomPassword"),),
    "aws_security_group": _ec2(
        "CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroups DescribeNetworkInterfaces "
        "RevokeSecurityGroupEgress RevokeSecurityGroupIngress"
    ),
    "aws_sns_topic": (
        Grant(
            "sns",
            "CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic ListTagsForResource TagResource "
            "UntagResource",
            _TOPIC,
        ),
    ),
    "aws_sns_topic_policy": (Grant("sns", "GetTopicAttributes SetTopicAttributes", _TOPIC),),
    "aws_sns_topic_subscription": (
        Grant("sns", "Subscribe", _TOPIC),
        Grant("sns", "Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes"),
    ),
    "aws_sqs_queue": (
        Grant(
            "sqs",
            "CreateQueue GetQueueUrl GetQueueAttributes SetQueueAttributes DeleteQueue "
            "ListQueueTags TagQueue "
            "UntagQueue",
            _QUEUE,
        ),
    ),
    "aws_sqs_queue_policy": (Grant("sqs", "GetQueueAttributes SetQueueAttributes", _QUEUE),),
    "aws_sqs_queue_redrive_allow_policy": (Grant("sqs", "GetQueueAttributes SetQueueAttributes", _QUEUE),),
    "aws_ssm_parameter": (
        Grant(
            "ssm",
            "PutParameter GetParameter GetParameters DeleteParameter ListTagsForResource AddTagsToResource "
            "RemoveTagsFromResource",
            f"{_PARAMETER} ssm:{{region}}::parameter/aws/service/*",
        ),
        Grant("ssm", "DescribeParameters"),
    ),
    "aws_subnet": _ec2("CreateSubnet ModifySubnetAttribute DeleteSubnet DescribeSubnets"),
    "aws_vpc": _ec2("CreateVpc ModifyVpcAttribute DeleteVpc DescribeVpcs DescribeVpcAttribute"),
    "aws_vpc_endpoint": _ec2(
        "CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints DescribePrefixLists"
    ),
    "aws_vpc_security_group_egress_rule": _ec2(
        "AuthorizeSecurityGroupEgress RevokeSecurityGroupEgress ModifySecurityGroupRules "
        "DescribeSecurityGroupRules"
    ),
    "aws_vpc_security_group_ingress_rule": _ec2(
        "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress ModifySecurityGroupRules "
        "DescribeSecurityGroupRules"
    ),
}

#: What `bedside deploy` itself asks, whatever is made: the checks, the state, and what is left.
OWN = (
    Grant("sts", "GetCallerIdentity"),
    Grant("ec2", "DescribeRegions DescribeInstanceTypes"),
    Grant("servicequotas", "GetServiceQuota"),
    Grant("tag", "GetResources"),
    Grant(
        "s3",
        "CreateBucket ListBucket ListBucketVersions DeleteBucket PutBucketPublicAccessBlock "
        "PutBucketVersioning "
        "PutEncryptionConfiguration PutBucketPolicy",
        "s3:::{state}",
    ),
    Grant("s3", "GetObject PutObject DeleteObject DeleteObjectVersion", "s3:::{state}/{name}/*"),
    # The software of the machines; no study can be read or written with it.
    Grant("s3", "GetObject PutObject", f"{_BUCKET}/software/*"),
    Grant(
        "ssm",
        "GetParametersByPath",
        "ssm:{region}::parameter/aws/service/global-infrastructure/services/*",
    ),
    # AWS makes these for itself the first time that a service is used in an account.
    Grant("iam", "CreateServiceLinkedRole", "iam::{account}:role/aws-service-role/*"),
)
