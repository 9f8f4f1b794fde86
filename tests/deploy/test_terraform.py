"""The Terraform modules: well formed, each alone, and applied with the real AWS provider.

The emulator is moto: it shows that requests are well formed, that a deployment settles and goes away whole,
and that events reach their queue; not that AWS would permit the same. What moto forgets is completed by
`moto_gaps`, so that a second plan can be demanded to be empty.

An apply mostly waits, because the provider asks for some answers six times until they are firm. It goes on
while the modules are looked at one by one.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from bedside.deploy.workspace import MODULES
from clouds import REGION, Cloud, run_moto
from moto_gaps import complete
from terraform import Terraform, Underway, copy_of_modules, environment, root
from wishes import NAME, WISHES

pytestmark = pytest.mark.needs("terraform")

ALONE = sorted(folder.name for folder in (MODULES / "modules").iterdir())


def test_the_sources_are_formatted() -> None:
    done = Terraform(folder=MODULES, environment=environment_of_none()).run(
        "fmt", "-check", "-recursive", "-diff", check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def environment_of_none() -> dict[str, str]:
    """Terraform's formatter needs no provider."""
    import os

    return {"PATH": os.environ["PATH"], "TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1"}


def test_the_package_holds_the_modules() -> None:
    from importlib.resources import files

    held = files("bedside.deploy") / "terraform"
    for folder in (held, *(held / "modules" / name for name in ALONE)):
        for file in ("main.tf", "variables.tf", "outputs.tf", "versions.tf"):
            assert (folder / file).is_file(), f"{folder}/{file}"


@pytest.mark.parametrize("name", ALONE)
def test_whoever_uses_a_module_alone_reads_what_each_variable_is(name: str) -> None:
    text = (MODULES / "modules" / name / "variables.tf").read_text(encoding="utf-8")
    text += (MODULES / "modules" / name / "outputs.tf").read_text(encoding="utf-8")
    assert "\n  description = " in text
    assert text.count("\n  description = ") == sum(
        line.startswith(("variable ", "output ")) for line in text.splitlines()
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_modules(tmp_path_factory.mktemp("terraform") / "root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """A deployment that is being made in an emulator."""

    cloud: Cloud
    terraform: Terraform
    underway: Underway


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment in an emulator."""

    cloud: Cloud
    terraform: Terraform
    outputs: dict[str, Any]


@pytest.fixture(scope="module")
def applying(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Applying]:
    """Begin to apply everything, once for all tests of this file."""
    if any("guarding" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("guarding")  # the other emulator's apply waits as long: at the same time
    with pytest.MonkeyPatch.context() as monkeypatch, run_moto() as cloud:
        complete(monkeypatch)
        folder = tmp_path_factory.mktemp("applied") / "root"
        terraform = root(folder, WISHES, emulator=cloud.environment)
        underway = terraform.begin("apply", "-auto-approve", "-input=false")
        try:
            yield Applying(cloud=cloud, terraform=terraform, underway=underway)
        finally:
            underway.stop()


@pytest.fixture(scope="module")
def deployed(applying: Applying) -> Deployed:
    """Return what was applied, once it is whole."""
    applying.underway.end()
    return Deployed(cloud=applying.cloud, terraform=applying.terraform, outputs=applying.terraform.outputs())


@pytest.mark.parametrize("name", ["", *ALONE])
def test_the_root_and_each_module_alone_are_valid(
    copy: Path, name: str, tmp_path: Path, applying: "Applying"
) -> None:
    folder = copy / "modules" / name if name else copy
    variables = {"TF_DATA_DIR": str(tmp_path / "data"), "AWS_REGION": REGION}
    terraform = Terraform(folder=folder, environment=environment(tmp_path, variables))
    terraform.run("init", "-input=false", "-backend=false")
    done = json.loads(terraform.run("validate", "-json", check=False).stdout)
    assert (done["valid"], done["diagnostics"]) == (True, [])


def test_a_second_plan_has_nothing_to_do(deployed: Deployed) -> None:
    done = deployed.terraform.run("plan", "-detailed-exitcode", "-input=false", check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]


def test_an_object_in_the_drop_box_is_announced_and_nothing_else_is(deployed: Deployed) -> None:
    s3, sqs = deployed.cloud.client("s3"), deployed.cloud.client("sqs")
    bucket, queue = deployed.outputs["bucket"], deployed.outputs["queue_url"]
    s3.put_object(Bucket=bucket, Key="results/ward-3/x.zip", Body=b"x")
    s3.put_object(Bucket=bucket, Key="input/ward-3/x.zip", Body=b"x")
    keys: list[str] = []
    until = time.monotonic() + 10
    while not keys and time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
            "Messages", []
        ):
            keys += [
                unquote_plus(record["s3"]["object"]["key"])
                for record in json.loads(message["Body"]).get("Records", [])
            ]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert keys == ["input/ward-3/x.zip"]


def test_the_bucket_is_closed(deployed: Deployed) -> None:
    s3, bucket = deployed.cloud.client("s3"), deployed.outputs["bucket"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (tls,) = (s for s in policy["Statement"] if "Bool" in s["Condition"])
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rules = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert rules["rejected"]["Filter"]["Prefix"] == "rejected/"
    assert rules["rejected"]["Expiration"]["Days"] == 30


def test_releases_keep_their_names(deployed: Deployed) -> None:
    (found,) = deployed.cloud.client("ecr").describe_repositories(repositoryNames=[NAME])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


def test_the_ledgers_password_is_in_its_parameter_and_in_no_state(deployed: Deployed) -> None:
    ssm = deployed.cloud.client("ssm")
    name = deployed.outputs["ledger_url_parameter"]
    held = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    password = ssm.get_parameter(Name=f"/{NAME}/ledger/password", WithDecryption=True)["Parameter"]["Value"]
    assert held["Type"] == "SecureString"
    assert held["Value"].startswith(f"postgresql://bedside:{password}@{deployed.outputs['ledger_host']}:")
    assert len(password) >= 32
    state = (deployed.terraform.folder / "terraform.tfstate").read_text(encoding="utf-8")
    assert name in state
    assert password not in state
    (machine,) = deployed.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert (machine["StorageEncrypted"], machine["PubliclyAccessible"]) == (True, False)


def test_workflows_of_one_repository_push_and_manage_nobody(deployed: Deployed) -> None:
    iam = deployed.cloud.client("iam")
    trust = iam.get_role(RoleName=f"{NAME}-ci")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    subjects = trust["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
    assert all(subject.startswith("repo:hospital@1234/spleen@5678:") for subject in subjects)
    assert not any(
        subject in {"repo:hospital@1234/spleen@5678:*", "repo:hospital@1234/spleen@5678:pull_request"}
        for subject in subjects
    )
    deploy = iam.get_role_policy(RoleName=f"{NAME}-ci", PolicyName="deploy")["PolicyDocument"]["Statement"]
    denied = {a for s in deploy if s["Effect"] == "Deny" for a in s["Action"]}
    assert {"iam:Create*", "iam:Put*", "iam:Attach*", "iam:Update*", "iam:Delete*"} <= denied


def test_nothing_reaches_a_worker_and_only_machines_reach_the_ledger(deployed: Deployed) -> None:
    ec2 = deployed.cloud.client("ec2")
    of_vpc = [{"Name": "vpc-id", "Values": [deployed.outputs["vpc_id"]]}]
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]}
    assert groups[f"{NAME}-worker"]["IpPermissions"] == []
    assert groups["default"]["IpPermissions"] == []
    doors = {
        (door["FromPort"], *(network["CidrIp"] for network in door["IpRanges"]))
        for door in groups[f"{NAME}-control"]["IpPermissions"]
    }
    assert doors == {(443, "192.0.2.0/24"), (80, "0.0.0.0/0")}
    assert deployed.outputs["control"]["url"] == "https://bedside.hospital.example"
    (address,) = ec2.describe_addresses(PublicIps=[deployed.outputs["control"]["address"]])["Addresses"]
    assert {"Key": "bedside:deployment", "Value": NAME} in address["Tags"]
    for permission in groups[f"{NAME}-ledger"]["IpPermissions"]:
        assert (permission["FromPort"], permission["IpRanges"]) == (5432, [])
    assert ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"] == []


def test_destroying_leaves_nothing(deployed: Deployed) -> None:
    # The last of this file: what the others look at is gone after it.
    cloud, bucket = deployed.cloud, deployed.outputs["bucket"]
    assert _left(cloud), "the listing sees what there is"
    s3 = cloud.client("s3")
    held = s3.list_object_versions(Bucket=bucket)
    for version in (*held.get("Versions", []), *held.get("DeleteMarkers", [])):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    # The second plan has just compared all with what there is.
    deployed.terraform.run("destroy", "-refresh=false", "-auto-approve", "-input=false")
    assert _left(cloud) == []


def _left(cloud: Cloud) -> list[str]:
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


def _terminated(cloud: Cloud) -> set[str]:
    """Return the machines that are gone and that EC2 tells of for an hour more."""
    ended = [{"Name": "instance-state-name", "Values": ["terminated"]}]
    told = cloud.client("ec2").describe_instances(Filters=ended)["Reservations"]
    return {machine["InstanceId"] for group in told for machine in group["Instances"]}
