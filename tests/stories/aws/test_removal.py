"""What the stories have left behind hinders nobody: nothing has drifted, and all of it goes.

This file is the last of its folder, in name and in order.
"""

import json

import pytest

from applied import Deployment
from leftovers import listed
from tls_cloud import TlsCloud
from wishes import NAME

ACCOUNT = "123456789012"

pytestmark = [pytest.mark.needs("terraform"), pytest.mark.timeout(600)]


def test_after_all_that_happened_a_plan_has_nothing_to_do(deployment: Deployment) -> None:
    done = deployment.terraform.run("plan", "-detailed-exitcode", "-input=false", check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]


def test_destroying_leaves_nothing(deployment: Deployment) -> None:
    cloud, bucket, queue = deployment.cloud, deployment.outputs["bucket"], deployment.outputs["queue_url"]
    assert _left(cloud), "the listing sees what there is"
    s3, ecr = cloud.client("s3"), cloud.client("ecr")
    s3.put_object(Bucket=bucket, Key="results/ward-3/x/result.json", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key="results/ward-3/x/result.json")  # a version and its marker stay
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="nobody took it")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
    ecr.put_image(repositoryName=NAME, imageManifest=json.dumps(manifest), imageTag="1.0.0")
    gone = deployment.typed("deploy", "destroy", "--yes", "--json")
    assert gone.returncode == 0, gone.stderr[-6000:]
    said = json.loads(gone.stdout)
    assert said["left"] == []
    assert said["gone"] > 50, "the record was asked"
    assert _left(cloud) == []


def _left(cloud: TlsCloud) -> list[str]:
    """Return what bears the deployment's tag or name, by asking each service."""
    tagged = [{"Key": "bedside:deployment", "Values": [NAME]}]
    by_tag = cloud.client("resourcegroupstaggingapi").get_resources(TagFilters=tagged)
    gone = _terminated(cloud)
    arns = [item["ResourceARN"] for item in by_tag["ResourceTagMappingList"]]
    named = sorted(entry for entry in listed(cloud.client, ACCOUNT) if NAME in entry)
    return [arn for arn in arns if arn.rpartition("/")[2] not in gone] + named


def _terminated(cloud: TlsCloud) -> set[str]:
    """Return the machines that are gone and that EC2 tells of for an hour more."""
    ended = [{"Name": "instance-state-name", "Values": ["terminated"]}]
    told = cloud.client("ec2").describe_instances(Filters=ended)["Reservations"]
    return {machine["InstanceId"] for group in told for machine in group["Instances"]}
