"""What is asked for one by one because the tagging API does not list it."""

from bedside.adapters.aws import presence
from clouds import Cloud


def test_a_policy_of_a_group_is_there_until_it_is_removed_and_so_is_its_group(cloud: Cloud) -> None:
    groups = cloud.client("autoscaling")
    groups.create_launch_configuration(
        LaunchConfigurationName="present", ImageId="ami-1", InstanceType="t3.small"
    )
    groups.create_auto_scaling_group(
        AutoScalingGroupName="present",
        LaunchConfigurationName="present",
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["us-east-1a"],
    )
    group = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["present"])["AutoScalingGroups"][0]
    groups.put_scaling_policy(
        AutoScalingGroupName="present",
        PolicyName="present-more",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    policy = groups.describe_policies(PolicyNames=["present-more"])["ScalingPolicies"][0]["PolicyARN"]

    assert presence.present(cloud.client, policy) is True
    assert presence.present(cloud.client, group["AutoScalingGroupARN"]) is True
    groups.delete_policy(AutoScalingGroupName="present", PolicyName="present-more")
    assert presence.present(cloud.client, policy) is False
    assert presence.present(cloud.client, group["AutoScalingGroupARN"]) is True
    groups.delete_auto_scaling_group(AutoScalingGroupName="present")
    assert presence.present(cloud.client, group["AutoScalingGroupARN"]) is False
