"""What the stories have left behind hinders nobody: nothing has drifted, and all of it goes.

This file is the last of its folder, in name and in order.
"""

import json

import pytest

from applied import Deployment
from tls_cloud import TlsCloud
from wishes import NAME

pytestmark = [pytest.mark.needs("terraform"), pytest.mark.timeout(400)]


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
    found = [item["ResourceARN"] for item in by_tag["ResourceTagMappingList"]]
    found = [arn for arn in found if arn.rpartition("/")[2] not in gone]
    names = {
        "s3": [b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]],
        "sqs": cloud.client("sqs").list_queues().get("QueueUrls", []),
        "ecr": [r["repositoryName"] for r in cloud.client("ecr").describe_repositories()["repositories"]],
        "rds": [
            d["DBInstanceIdentifier"] for d in cloud.client("rds").describe_db_instances()["DBInstances"]
        ],
        "ssm": [p["Name"] for p in cloud.client("ssm").describe_parameters()["Parameters"]],
        "logs": [g["logGroupName"] for g in cloud.client("logs").describe_log_groups()["logGroups"]],
        "iam": [r["RoleName"] for r in cloud.client("iam").list_roles()["Roles"]],
        "lambda": [f["FunctionName"] for f in cloud.client("lambda").list_functions()["Functions"]],
        "groups": [
            g["AutoScalingGroupName"]
            for g in cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        ],
        "pools": [p["Name"] for p in cloud.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]],
        "budgets": [
            b["BudgetName"]
            for b in cloud.client("budgets").describe_budgets(AccountId="123456789012")["Budgets"] or []
        ],
        "topics": [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]],
        "rules": [r["Name"] for r in cloud.client("events").list_rules()["Rules"]],
        "dashboards": [
            d["DashboardName"] for d in cloud.client("cloudwatch").list_dashboards()["DashboardEntries"]
        ],
        "alarms": [a["AlarmName"] for a in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]],
    }
    return found + [f"{service} {name}" for service, all_ in names.items() for name in all_ if NAME in name]


def _terminated(cloud: TlsCloud) -> set[str]:
    """Return the machines that are gone and that EC2 tells of for an hour more."""
    ended = [{"Name": "instance-state-name", "Values": ["terminated"]}]
    told = cloud.client("ec2").describe_instances(Filters=ended)["Reservations"]
    return {machine["InstanceId"] for group in told for machine in group["Instances"]}
