"""What computes: machines, groups of them, and functions."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import (
    FUNCTION,
    GROUP,
    Grant,
    ec2,
)

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_autoscaling_group": (
        Grant(
            "autoscaling",
            "CreateAutoScalingGroup UpdateAutoScalingGroup DeleteAutoScalingGroup "
            "CreateOrUpdateTags DeleteTags "
            "SetInstanceProtection StartInstanceRefresh CancelInstanceRefresh PutWarmPool DeleteWarmPool "
            "EnableMetricsCollection DisableMetricsCollection SuspendProcesses ResumeProcesses",
            GROUP,
        ),
        Grant(
            "autoscaling",
            "DescribeAutoScalingGroups DescribeScalingActivities DescribeInstanceRefreshes DescribeWarmPool "
            "DescribeTags",
        ),
        # Disks and network cards are no resources of Terraform: whether one is left is asked after a removal.
        Grant(
            "ec2",
            "RunInstances DescribeInstances DescribeImages DescribeLaunchTemplateVersions DescribeVolumes "
            "DescribeNetworkInterfaces",
        ),
    ),
    "aws_autoscaling_lifecycle_hook": (
        Grant("autoscaling", "PutLifecycleHook DeleteLifecycleHook", GROUP),
        Grant("autoscaling", "DescribeLifecycleHooks"),
    ),
    "aws_autoscaling_policy": (
        Grant("autoscaling", "PutScalingPolicy DeletePolicy", GROUP),
        Grant("autoscaling", "DescribePolicies"),
    ),
    "aws_autoscaling_schedule": (
        Grant("autoscaling", "PutScheduledUpdateGroupAction DeleteScheduledAction", GROUP),
        Grant("autoscaling", "DescribeScheduledActions"),
    ),
    # Release disks. Only a size is changed in place; another zone is another disk.
    "aws_ebs_volume": ec2(
        "CreateVolume ModifyVolume DeleteVolume DescribeVolumes DescribeVolumesModifications"
    ),
    "aws_instance": ec2(
        "RunInstances TerminateInstances StartInstances StopInstances DescribeInstances DescribeImages "
        "DescribeInstanceAttribute DescribeInstanceTypes DescribeInstanceCreditSpecifications "
        "DescribeVolumes "
        "ModifyInstanceAttribute ModifyInstanceMetadataOptions"
    ),
    "aws_lambda_function": (
        Grant(
            "lambda",
            "CreateFunction GetFunction GetFunctionConfiguration GetFunctionCodeSigningConfig "
            "UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction ListVersionsByFunction "
            "PutFunctionConcurrency DeleteFunctionConcurrency ListTags TagResource UntagResource",
            FUNCTION,
        ),
    ),
    "aws_lambda_function_event_invoke_config": (
        Grant(
            "lambda",
            "PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig "
            "DeleteFunctionEventInvokeConfig",
            FUNCTION,
        ),
    ),
    "aws_lambda_permission": (Grant("lambda", "AddPermission RemovePermission GetPolicy", FUNCTION),),
    "aws_launch_template": ec2(
        "CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate DeleteLaunchTemplate "
        "DescribeLaunchTemplates DescribeLaunchTemplateVersions"
    ),
}
