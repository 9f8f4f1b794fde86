"""What every cloud keeps: who asks, what is permitted, what is left; and how it is emptied."""

import hashlib
import inspect
import json
import uuid
from pathlib import Path

import boto3
import pytest

from bedside.adapters.aws.account import AwsCloud
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.ports.cloud import DEPLOYMENT_TAG, Cloud, Group
from bedside.wiring.cloud import open_cloud
from clouds import REGION, teach_moto_account_settings
from clouds import Cloud as Emulator


@pytest.fixture
def account(cloud: Emulator) -> Cloud:
    return open_cloud(REGION)


@pytest.fixture
def name() -> str:
    return f"d{uuid.uuid4().hex[:12]}"


def test_signatures_are_the_ports() -> None:
    for name, method in inspect.getmembers(Cloud, inspect.isfunction):
        if not name.startswith("_"):
            assert (
                inspect.signature(method).parameters == inspect.signature(getattr(AwsCloud, name)).parameters
            ), name
    assert isinstance(AwsCloud.region, property)


def test_who_is_asking_and_where(account: Cloud) -> None:
    assert account.region == REGION
    caller = account.caller()
    assert caller.account == "123456789012" and caller.arn.startswith("arn:aws:")
    assert account.elsewhere("eu-west-1").region == "eu-west-1"
    assert {"us-east-1", "eu-west-1"} <= set(account.regions())


def test_no_credentials_is_said_before_anything_else(account: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    with pytest.raises(ConfigError, match="no AWS credentials") as caught:
        open_cloud(REGION).tagged()
    assert "aws configure" in caught.value.hint


def test_a_region_that_does_not_exist_names_the_nearest(cloud: Emulator) -> None:
    with pytest.raises(ConfigError, match="the nearest is eu-west-1"):
        open_cloud("eu-wst-1")


def test_no_region_anywhere(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ConfigError, match="no AWS region"):
        open_cloud("")


def test_machines_and_their_quota(account: Cloud) -> None:
    assert account.vcpus(["g4dn.xlarge", "no.such", "c5.large"]) == {"g4dn.xlarge": 4, "c5.large": 2}
    # the emulator knows no quotas of EC2: "nobody says" is an answer, not an error
    assert account.quota_vcpus("g4dn.xlarge", spot=False) is None
    assert account.quota_vcpus("dl1.24xlarge", spot=True) is None


def test_zones_and_what_they_offer(account: Cloud) -> None:
    zones = account.zones()
    assert list(zones) == sorted(zones) and set(zones) > {f"{REGION}a", f"{REGION}b"}
    offered = account.zones_of("g4dn.xlarge")
    assert offered and set(offered) <= set(zones)
    assert not account.zones_of("no.such")


def test_imaging_is_not_everywhere(account: Cloud) -> None:
    assert account.has_imaging()
    assert not account.elsewhere("sa-east-1").has_imaging()


def test_the_bucket_of_the_state_is_closed_and_goes_with_the_last_state(
    account: Cloud, cloud: Emulator, name: str
) -> None:
    s3 = cloud.client("s3")
    bucket = f"state-{name}"
    assert account.ensure_state_bucket(bucket)
    assert not account.ensure_state_bucket(bucket), "made twice"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    for state in ("a/state", "a/state", "b/state"):
        s3.put_object(Bucket=bucket, Key=state, Body=b"{}")
    assert not account.remove_state(bucket, "a/state"), "another deployment's state is in it"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["Key"] for v in listed["Versions"]] == ["b/state"]
    assert account.remove_state(bucket, "b/state")
    assert account.exists(f"arn:aws:s3:::{bucket}") is False
    assert account.remove_state(bucket, "b/state"), "what is gone is gone"


def test_a_bucket_is_emptied_of_versions_and_markers(account: Cloud, cloud: Emulator) -> None:
    s3 = cloud.client("s3")
    bucket = cloud.bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(1003):  # more than one page
        s3.put_object(Bucket=bucket, Key=f"k{number % 1000}", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k0")
    assert account.empty_bucket(bucket) == 1004
    s3.delete_bucket(Bucket=bucket)
    assert account.empty_bucket(bucket) == 0


def test_a_bucket_goes_with_everything_in_it(account: Cloud, cloud: Emulator) -> None:
    s3, bucket = cloud.client("s3"), cloud.bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(3):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert account.remove_bucket(bucket) == 3
    assert account.exists(f"arn:aws:s3:::{bucket}") is False
    assert account.remove_bucket(bucket) == 0, "what is gone is gone"


def test_a_registry_is_emptied(account: Cloud, cloud: Emulator, name: str) -> None:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName=name)
    for number in range(3):
        config = f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2}],
        }
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=f"t{number}")
    assert account.empty_registry(name) == 3
    assert ecr.list_images(repositoryName=name)["imageIds"] == []
    ecr.delete_repository(repositoryName=name)
    assert account.empty_registry(name) == 0


def test_what_carries_the_tag_is_found_until_it_is_gone(account: Cloud, cloud: Emulator, name: str) -> None:
    tags = [{"Key": DEPLOYMENT_TAG, "Value": name}]
    s3, ec2 = cloud.client("s3"), cloud.client("ec2")
    bucket = cloud.bucket()
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])[
        "Vpc"
    ]["VpcId"]
    found = account.tagged(name)
    assert [item.arn.rpartition(":")[2] for item in found] == [f"vpc/{vpc}", bucket]
    assert {(item.deployment, item.region) for item in found} == {(name, REGION)}
    assert set(found) <= set(account.tagged())
    # the emulator lists buckets in every region, and nothing else
    assert [item.arn for item in account.elsewhere("eu-west-1").tagged(name)] == [f"arn:aws:s3:::{bucket}"]
    assert all(account.exists(item.arn) for item in found)
    s3.delete_bucket(Bucket=bucket)
    ec2.delete_vpc(VpcId=vpc)
    assert account.tagged(name) == []
    assert not any(account.exists(item.arn) for item in found)


def test_a_machine_that_ended_is_not_left(account: Cloud, cloud: Emulator, name: str) -> None:
    ec2 = cloud.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": DEPLOYMENT_TAG, "Value": name}]}]
    started = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
    machine = started["Instances"][0]["InstanceId"]
    assert [item.arn.rpartition("/")[2] for item in account.tagged(name)] == [machine]
    ec2.terminate_instances(InstanceIds=[machine])
    assert account.tagged(name) == []


def test_roles_are_asked_for_because_the_tags_do_not_list_them(
    account: Cloud, cloud: Emulator, name: str
) -> None:
    iam = cloud.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assert account.exists(arn) is True
    iam.delete_role(RoleName=name)
    assert account.exists(arn) is False
    assert account.exists("arn:aws:kms:us-east-1:123456789012:key/x") is None


def test_depth_of_a_queue(account: Cloud, cloud: Emulator, name: str) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    for delay in (0, 0, 900):
        sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    depth = account.depth(url)
    assert (depth.visible, depth.in_flight, depth.delayed) == (1, 1, 1)
    with pytest.raises(NotFound):
        account.depth(f"{url}-no")


def test_size_of_a_group(account: Cloud, cloud: Emulator, name: str) -> None:
    ec2, scaling = cloud.client("ec2"), cloud.client("autoscaling")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    scaling.create_launch_configuration(LaunchConfigurationName=name, ImageId=image, InstanceType="c5.large")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=2,
        AvailabilityZones=["us-east-1a"],
    )
    assert account.group(name) == Group(desired=2, in_service=2, max=3, machines=2)
    account.rest_group(name)
    assert account.group(name) == Group(desired=0, in_service=0, max=0)
    for asked in (account.group, account.rest_group):
        with pytest.raises(NotFound):
            asked(f"{name}-no")


def test_logs_are_removed_once(account: Cloud, cloud: Emulator, name: str) -> None:
    cloud.client("logs").create_log_group(logGroupName=f"/{name}")
    assert [account.remove_logs(f"/{name}") for _ in range(2)] == [True, False]


def test_a_refusal_names_the_action_and_the_fix(account: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "User: arn:aws:iam::123456789012:user/eva is not authorized to perform: sqs:GetQueueAttributes "
        "on resource: arn:aws:sqs:us-east-1:1:q because no identity-based policy allows the action"
    )

    def refuse(self: object, operation: str, _: object) -> None:
        raise boto3.exceptions.botocore.exceptions.ClientError(
            {"Error": {"Code": "AccessDenied", "Message": text}}, operation
        )

    account.caller()
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    with pytest.raises(ConfigError, match="user eva is not allowed sqs:GetQueueAttributes") as caught:
        account.depth("https://queue/q")
    assert "policy --allow sqs:GetQueueAttributes --resource arn:aws:sqs:us-east-1:1:q " in caught.value.hint


def test_a_file_is_uploaded_once(account: Cloud, cloud: Emulator, tmp_path: Path) -> None:
    bucket, file = cloud.bucket(), tmp_path / "file"
    file.write_bytes(b"1")
    assert account.upload(bucket, "software/1.tar", file)
    file.write_bytes(b"2")
    assert not account.upload(bucket, "software/1.tar", file)
    assert cloud.client("s3").get_object(Bucket=bucket, Key="software/1.tar")["Body"].read() == b"1"
    with pytest.raises((ConfigError, Unavailable)):
        account.upload(f"{bucket}-no", "k", file)


def test_objects_are_listed_read_written_and_removed_by_the_beginning_of_their_keys(
    account: Cloud, cloud: Emulator
) -> None:
    bucket = cloud.bucket()
    cloud.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key, data in (("a/1", b"old"), ("a/1", b"new"), ("a/2", b""), ("b/1", b"x")):
        account.write(bucket, key, data)
    assert [(blob.key, blob.size_bytes) for blob in account.listed(bucket, "a/")] == [("a/1", 3), ("a/2", 0)]
    assert account.read(bucket, "a/1") == b"new"
    assert (account.count(bucket, 10), account.count(bucket, 2), account.count(f"{bucket}-no", 9)) == (
        3,
        2,
        0,
    )
    assert account.empty_bucket(bucket, "a/") == 3
    assert [blob.key for blob in account.listed(bucket, "")] == ["b/1"]
    assert account.read(bucket, "a/1") is None
    assert account.read(f"{bucket}-no", "a/1") is None


def test_a_deployments_own_alarms_ring_or_do_not(account: Cloud, cloud: Emulator, name: str) -> None:
    cloudwatch = cloud.client("cloudwatch")
    for alarm, deployment in ((f"{name}-b", name), (f"{name}-a", name), (f"{name}-2-a", f"{name}-2")):
        cloudwatch.put_metric_alarm(
            AlarmName=alarm,
            AlarmDescription="look: bedside deploy status",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            Tags=[{"Key": DEPLOYMENT_TAG, "Value": deployment}],
        )
    cloudwatch.set_alarm_state(AlarmName=f"{name}-b", StateValue="ALARM", StateReason="test")
    first, second = account.alarms(name)
    assert (first.name, first.rings, second.name, second.rings) == (f"{name}-a", False, f"{name}-b", True)
    assert second.text == "look: bedside deploy status" and second.since.tzinfo is not None


def test_what_was_pushed_newest_first(account: Cloud, cloud: Emulator, name: str) -> None:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName=name)
    assert account.pushed(name) == []
    media = "application/vnd.oci.empty.v1+json"
    for number in range(2):
        blob = {"mediaType": media, "digest": f"sha256:{number:064x}", "size": 2}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob,
            "layers": [blob],
        }
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=f"v{number}")
    found = account.pushed(name)
    assert {item.tags for item in found} == {("v0",), ("v1",)} and found[0].at >= found[1].at
    assert all(item.digest.startswith("sha256:") for item in found)
    with pytest.raises(NotFound):
        account.pushed(f"{name}-no")


def test_layers_are_shared_when_asked_and_once(
    account: Cloud, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach_moto_account_settings(monkeypatch)
    ecr = cloud.client("ecr")
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
    assert account.share_layers()
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "ENABLED"
    assert not account.share_layers(), "it was so before"


def test_a_lasting_address_is_there_until_it_is_released(account: Cloud, cloud: Emulator) -> None:
    ec2 = cloud.client("ec2")
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    arn = f"arn:aws:ec2:{REGION}:123456789012:elastic-ip/{allocation}"
    assert account.exists(arn) is True
    ec2.release_address(AllocationId=allocation)
    assert account.exists(arn) is False


def test_a_document_is_there_until_it_is_removed(account: Cloud, cloud: Emulator) -> None:
    ssm, name = cloud.client("ssm"), f"d{uuid.uuid4().hex[:12]}-run"
    content = json.dumps({"schemaVersion": "2.2", "description": "none", "mainSteps": []})
    ssm.create_document(Name=name, Content=content, DocumentType="Command", DocumentFormat="JSON")
    arn = f"arn:aws:ssm:{REGION}:123456789012:document/{name}"
    assert account.exists(arn) is True
    ssm.delete_document(Name=name)
    assert account.exists(arn) is False
