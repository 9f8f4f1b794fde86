"""`bedside deploy` as typed: a small deployment on an emulated account, from nothing and back to nothing.

The root module here is a small one (a bucket, a queue, a registry, a role), because these stories are
about the command; what the package's own modules make has tests of its own.
"""

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nothing_bundle
from bedside.adapters.aws.account import AwsCloud
from bedside.adapters.aws.datastores import ImagingDatastores, Patience
from bedside.deploy import plan as plan_of
from bedside.deploy import site, workspace
from bedside.deploy.runner import Terraform
from bedside.deploy.software import Software
from bedside.wiring import cloud as wired
from clinic import typed
from clouds import REGION, Cloud
from healthimaging import FakeHealthImaging, run_healthimaging
from terraform import environment

ROOT = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
variable "name" { type = string }
variable "region" { type = string }
variable "rejected_days" { type = number }
provider "aws" {
  region            = var.region
  s3_use_path_style = true
  default_tags { tags = { "bedside:deployment" = var.name } }
}
module "storage" {
  source = "./modules/storage"
  name   = var.name
  days   = var.rejected_days
}
output "storage" { value = { bucket = module.storage.bucket } }
"""
STORAGE = """
variable "name" { type = string }
variable "days" { type = number }
resource "aws_s3_bucket" "this" { bucket = "${var.name}-objects" }
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_sqs_queue" "this" {
  name                      = "${var.name}-events"
  message_retention_seconds = 86400 * var.days / 30
}
resource "aws_iam_role" "this" {
  name = "${var.name}-worker"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}
output "bucket" { value = aws_s3_bucket.this.bucket }
"""

WITHOUT_PROVIDER = """
variable "name" { type = string }
variable "rejected_days" { type = number }
resource "terraform_data" "this" { input = var.rejected_days }
output "name" { value = var.name }
"""


WITH_SOFTWARE = """
variable "node_archive_key" { type = string }
resource "terraform_data" "this" { input = var.node_archive_key }
output "key" { value = terraform_data.this.output }
output "bucket" { value = "BUCKET" }
"""
WITH_MACHINES = """
data "aws_subnets" "this" {}
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}
resource "aws_launch_template" "this" {
  name          = "${var.name}-cpu"
  image_id      = data.aws_ssm_parameter.image.value
  instance_type = "t3.small"
}
resource "aws_autoscaling_group" "this" {
  name                      = "${var.name}-cpu"
  min_size                  = 0
  max_size                  = 2
  desired_capacity          = 0
  wait_for_capacity_timeout = "0"
  vpc_zone_identifier       = [data.aws_subnets.this.ids[0]]
  launch_template {
    id = aws_launch_template.this.id
  }
  lifecycle { ignore_changes = [desired_capacity] }
}
resource "aws_cloudwatch_log_group" "this" { name = "/aws/rds/instance/${var.name}-ledger/postgresql" }
"""
WITH_DATASTORE = """
variable "datastore_id" { type = string }
resource "terraform_data" "this" { input = var.datastore_id }
output "datastore" { value = terraform_data.this.output }
"""
WITH_DATA = """
variable "rejected_days" { type = number }
resource "terraform_data" "this" { triggers_replace = var.rejected_days }
"""
COST = "cost: about USD "


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, as an engineer has it."""
    (tmp_path / "bedside.toml").write_text(f'[deploy]\nname = "ward"\nregion = "{REGION}"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploy the small root module, with a provider that lies on this machine."""
    modules = tmp_path / "modules-source"
    (modules / "modules" / "storage").mkdir(parents=True)
    (modules / "main.tf").write_text(ROOT)
    (modules / "modules" / "storage" / "main.tf").write_text(STORAGE)
    found = environment(tmp_path)["TF_CLI_CONFIG_FILE"]  # skips where there is no provider
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", found)
    monkeypatch.setattr(workspace, "MODULES", modules)


def test_without_credentials_nothing_else_is_asked(
    place: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for verb in (["plan"], ["apply", "--yes"], ["status"], ["destroy", "--yes"], ["forgotten"]):
        told = typed("deploy", *verb)
        assert told.code == 3 and "no AWS credentials were found" in told.err, verb
        assert "hint: aws configure" in told.err
    assert not (place / ".bedside").exists()


def test_a_region_that_does_not_exist(place: Path, cloud: Cloud) -> None:
    (place / "bedside.toml").write_text('[deploy]\nregion = "eu-wst-1"\n')
    told = typed("deploy", "plan")
    assert told.code == 3 and "no AWS region 'eu-wst-1': the nearest is eu-west-1" in told.err


def test_a_kind_of_machine_that_does_not_exist(place: Path, cloud: Cloud) -> None:
    with (place / "bedside.toml").open("a") as file:
        file.write('[deploy.pools.default]\ninstance_types = ["g9.huge"]\n')
    told = typed("deploy", "plan")
    assert told.code == 3
    assert "pool default: g9.huge does not exist in us-east-1" in told.err
    assert "instance_types to kinds that the region has" in told.err


@pytest.mark.needs("terraform")
def test_status_and_destroy_of_nothing(place: Path, cloud: Cloud) -> None:
    for verb in (["status"], ["destroy", "--yes"]):
        told = typed("deploy", *verb)
        assert told.code == 2 and "no deployment 'ward'" in told.err, told.err
    assert not (place / ".bedside").exists()


@pytest.mark.needs("terraform")
def test_the_words_of_each_verb(
    place: Path, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITHOUT_PROVIDER)
    monkeypatch.setattr(workspace, "MODULES", modules)
    plan = typed("deploy", "plan", "--state", "local")
    assert plan.code == 0, plan.err
    assert "account 123456789012" in plan.err and "region us-east-1 is enabled" in plan.err
    assert "4 on-demand vCPUs; the quota is not known" in plan.err
    assert plan.out.splitlines()[:-1] == ["deployment", "  + data this", "1 to make"]
    assert plan.out.splitlines()[-1].startswith(COST) and "us-east-1" in plan.out.splitlines()[-1]
    for verb in ("status", "verify"):
        told = typed("deploy", verb)
        assert told.code == 2 and "it was not applied yet\nhint: bedside deploy apply" in told.err, verb
    assert typed("deploy", "apply").err.endswith("hint: add --yes\n")
    assert "making terraform_data.this" in typed("deploy", "apply", "--yes").err
    assert typed("deploy", "plan", "--json").json["changes"] == []
    status = typed("deploy", "status", "--json").json
    assert (status["resources"], status["outputs"]) == (1, {"name": "ward"})
    assert "ward in us-east-1: 1 resources\n- nothing waits" in typed("deploy", "status").out
    with (place / "bedside.toml").open("a") as file:
        file.write("rejected_days = 60\n")
    assert typed("deploy", "plan").out.startswith("deployment\n  ~ data this\n1 to change\n")
    listed = typed("deploy", "destroy", "--dry-run")
    assert listed.out == "deployment\n  - data this\n1 to destroy\n" and "nothing was changed" in listed.err
    assert "add --yes" in typed("deploy", "destroy").err
    assert typed("deploy", "status", "--json").json["resources"] == 1
    s3, own = (
        cloud.client("s3"),
        f"ward-t-{uuid.uuid4().hex[:12]}-input",
    )  # of a tenant: no Terraform knows it
    s3.create_bucket(Bucket=own)
    s3.put_bucket_tagging(Bucket=own, Tagging={"TagSet": [{"Key": "bedside:deployment", "Value": "ward"}]})
    s3.put_object(Bucket=own, Key="input/h.ct/a.zip", Body=b"z")
    listed = typed("deploy", "destroy", "--dry-run")
    assert listed.out.endswith(
        f"besides: tenants' own buckets\n  - bucket {own}\n1 objects are in bucket {own}\n"
    )
    gone = typed("deploy", "destroy", "--yes")
    assert gone.code == 0 and gone.out.splitlines()[-1].startswith("nothing is left"), gone.err
    assert own not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert not (place / ".bedside" / "deploy" / "ward").exists()


@pytest.mark.needs("terraform")
def test_what_holds_data_is_not_replaced_by_the_way(
    place: Path, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITH_DATA)
    monkeypatch.setattr(workspace, "MODULES", modules)
    monkeypatch.setattr(plan_of, "KEEPERS", frozenset({"terraform_data"}))
    assert typed("deploy", "apply", "--yes", "--no-verify", "--state", "local").code == 0
    before = typed("deploy", "status", "--json").json
    with (place / "bedside.toml").open("a") as file:
        file.write("rejected_days = 60\n")
    assert "all that is in data this would be lost" in typed("deploy", "plan").err
    refused = typed("deploy", "apply", "--yes", "--no-verify")
    assert refused.code == 3 and "nothing was changed: all that is in data this" in refused.err
    assert "add --lose-data" in refused.err
    assert not list(place.rglob("*.tfplan")), "a plan may hold a password"
    assert typed("deploy", "status", "--json").json == before
    assert typed("deploy", "apply", "--yes", "--no-verify", "--lose-data").code == 0
    assert typed("deploy", "plan", "--json").json["changes"] == []
    assert typed("deploy", "destroy", "--yes").code == 0


@pytest.mark.needs("terraform")
def test_what_an_administrator_made_stays_and_is_told(
    place: Path, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack's bucket and role carry the deployment's tag, and are not what a removal left behind."""
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITH_DATA)
    monkeypatch.setattr(workspace, "MODULES", modules)
    s3, iam, bucket = cloud.client("s3"), cloud.client("iam"), "made-by-a-stack-for-ward"
    s3.create_bucket(Bucket=bucket)
    tags = {"TagSet": [{"Key": "bedside:deployment", "Value": "ward"}]}
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    s3.put_object(Bucket=bucket, Key="clinic/terraform.tfstate", Body=b"{}")
    iam.create_role(RoleName="github-ward-deploy", AssumeRolePolicyDocument="{}")
    with (place / "bedside.toml").open("a") as file:
        file.write(f'state_bucket = "{bucket}"\n')
    assert typed("deploy", "apply", "--yes", "--no-verify").code == 0
    gone = typed("deploy", "destroy", "--yes", "--json")
    assert gone.code == 0, gone.err
    assert gone.json["left"] == []
    (kept, role) = gone.json["stays"]
    assert kept["what"] == f"bucket {bucket}" and "keeps the state of clinic and" in kept["why"]
    assert role["what"] == "role github-ward-deploy" and "delete-stack" in role["remove"]
    assert f"stays: bucket {bucket}, which keeps" in gone.err
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [
        "clinic/terraform.tfstate"
    ]
    iam.delete_role(RoleName="github-ward-deploy")
    s3.delete_object(Bucket=bucket, Key="clinic/terraform.tfstate")
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.needs("terraform")
def test_machines_get_the_software_and_the_configuration_of_who_deployed(
    place: Path, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = cloud.bucket()
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITH_SOFTWARE.replace("BUCKET", bucket))
    monkeypatch.setattr(workspace, "MODULES", modules)

    def build(
        folder: Path, configuration: bytes, ledger_ca: bytes = b""
    ) -> Software:  # without a package index
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "made.tar"
        path.write_bytes(configuration)
        return Software(path=path, key=f"software/{hashlib.sha256(configuration).hexdigest()}.tar")

    monkeypatch.setattr(site, "build_software", build)
    applied = typed("deploy", "apply", "--yes", "--state", "local", "--json")
    assert applied.code == 0, applied.err
    key = applied.json["outputs"]["key"]
    sent = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert sent == (place / "bedside.toml").read_bytes()
    assert typed("deploy", "plan", "--json").json["changes"] == []
    with (place / "bedside.toml").open("a") as file:
        file.write("log_days = 7\n")
    again = typed("deploy", "apply", "--yes", "--json").json
    assert again["outputs"]["key"] != key and again["summary"]["change"] == 1
    destroyed = typed("deploy", "destroy", "--yes", "--json")
    assert destroyed.code == 0 and destroyed.json["summary"]["destroy"] == 1, destroyed.err


@pytest.mark.slow  # the provider takes seconds to start, and each verb starts it several times
@pytest.mark.timeout(900)
@pytest.mark.needs("terraform")
@pytest.mark.parametrize("state", ["s3", "local"])
def test_from_nothing_and_back_to_nothing(place: Path, cloud: Cloud, small: None, state: str) -> None:
    s3 = cloud.client("s3")
    plan = typed("deploy", "plan", "--state", state)
    assert plan.code == 0, plan.err
    assert "account 123456789012" in plan.err and "region us-east-1 is enabled" in plan.err
    assert plan.out.splitlines()[:-1] == [
        "storage: the bucket of studies and results",
        "  + role ward-worker",
        "  + bucket ward-objects",
        "  + s3 bucket versioning this",
        "  + queue ward-events",
        "4 to make",
    ]
    refused = typed("deploy", "apply")
    assert refused.code == 2 and "hint: add --yes" in refused.err
    assert "Do this in account 123456789012, us-east-1?" in refused.err

    applied = typed("deploy", "apply", "--yes")
    assert applied.code == 0, applied.err
    assert "making module.storage.aws_s3_bucket.this" in applied.err
    again = typed("deploy", "plan", "--json")
    assert again.json["changes"] == [], again.out
    assert typed("deploy", "plan").out.startswith("nothing changes\n")

    with (place / "bedside.toml").open("a") as file:
        file.write("rejected_days = 60\n")
    assert typed("deploy", "plan").out.splitlines()[1:3] == ["  ~ queue ward-events", "1 to change"]

    status = typed("deploy", "status", "--json").json
    assert status["resources"] == 4 and status["outputs"] == {"storage": {"bucket": "ward-objects"}}
    (queue,) = status["queues"]
    assert queue["url"].endswith("/ward-events") and queue["visible"] == 0
    assert "storage.bucket  ward-objects" in typed("deploy", "status").out

    s3.put_object(Bucket="ward-objects", Key="input/default/a", Body=b"1")
    s3.put_object(Bucket="ward-objects", Key="input/default/a", Body=b"2")
    found = typed("deploy", "forgotten", "--json").json
    assert {item["arn"].rpartition(":")[2] for item in found} >= {"ward-objects", "ward-events"}

    listed = typed("deploy", "destroy", "--dry-run")
    assert listed.code == 0, listed.err
    assert listed.out.splitlines()[-2:] == ["4 to destroy", "1 objects are in bucket ward-objects"]
    assert "nothing was changed" in listed.err
    assert s3.head_bucket(Bucket="ward-objects")
    unanswered = typed("deploy", "destroy")
    assert unanswered.code == 2 and "add --yes" in unanswered.err
    assert not list(place.rglob("*.tfplan")), "a plan may hold a password"

    gone = typed("deploy", "destroy", "--yes")
    assert gone.code == 0, gone.err
    assert "2 versions deleted from ward-objects" in gone.err
    assert gone.out.splitlines()[-1] == "nothing is left: 3 resources were asked for and are gone"
    assert ("bedside-state-123456789012-us-east-1 is gone too" in gone.err) == (state == "s3")
    assert not [b for b in s3.list_buckets()["Buckets"] if "ward" in b["Name"] or "state" in b["Name"]]
    assert not (place / ".bedside" / "deploy" / "ward").exists()
    assert typed("deploy", "status").code == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.needs("terraform")
def test_machines_go_before_buckets_are_emptied_and_logs_that_come_back_go_too(
    place: Path, cloud: Cloud, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.MODULES / "machines.tf").write_text(WITH_MACHINES)
    assert typed("deploy", "apply", "--yes", "--state", "local", "--no-verify").code == 0
    scaling, logs = cloud.client("autoscaling"), cloud.client("logs")
    scaling.set_desired_capacity(AutoScalingGroupName="ward-cpu", DesiredCapacity=2)
    empty, applies, at_work = AwsCloud.empty_bucket, Terraform.apply, []

    def emptied(self: AwsCloud, name: str, prefix: str = "") -> int:
        group = self.group("ward-cpu")
        at_work.append((group.machines, group.max))
        return empty(self, name, prefix)

    def removed(self: Terraform, *arguments: Any) -> None:
        applies(self, *arguments)
        logs.create_log_group(logGroupName="/aws/rds/instance/ward-ledger/postgresql")  # as RDS does, late

    assert scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    monkeypatch.setattr(AwsCloud, "empty_bucket", emptied)
    monkeypatch.setattr(Terraform, "apply", removed)
    gone = typed("deploy", "destroy", "--yes")
    assert gone.code == 0, gone.err
    assert at_work == [(0, 0)], "nobody could write into it any more"
    assert "1 groups of logs had come back" in gone.err
    assert not logs.describe_log_groups(logGroupNamePrefix="/aws/rds/instance/ward-")["logGroups"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.needs("terraform")
def test_what_terraform_does_not_know_of_is_found_by_its_tag(place: Path, cloud: Cloud, small: None) -> None:
    assert typed("deploy", "apply", "--yes", "--state", "local").code == 0
    ec2 = cloud.client("ec2")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "bedside:deployment", "Value": "ward"}]}]
    stray = ec2.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    told = typed("deploy", "destroy", "--yes", "--json")
    assert told.code == 5 and "1 resources are left" in told.err
    assert told.json["left"] == [f"arn:aws:ec2:us-east-1:123456789012:vpc/{stray}"]
    ec2.delete_vpc(VpcId=stray)
    told = typed("deploy", "destroy", "--yes")
    assert told.code == 0, told.err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.needs("terraform")
def test_a_role_that_tags_do_not_list_is_found_by_our_own_record(
    place: Path, cloud: Cloud, small: None
) -> None:
    assert typed("deploy", "apply", "--yes", "--state", "local").code == 0
    state = place / ".bedside" / "deploy" / "ward" / "terraform.tfstate"
    kept = json.loads(state.read_text())
    kept["resources"] = [r for r in kept["resources"] if r["type"] != "aws_iam_role"]
    kept["serial"] += 1
    state.write_text(json.dumps(kept))
    told = typed("deploy", "destroy", "--yes")
    assert told.code == 5 and "left: arn:aws:iam::123456789012:role/ward-worker" in told.err
    cloud.client("iam").delete_role(RoleName="ward-worker")
    assert typed("deploy", "destroy", "--yes").code == 0


@pytest.fixture
def imaging(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHealthImaging]:
    with run_healthimaging(cloud.client("s3")) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MEDICAL_IMAGING", fake.url)
        at_once = Patience(poll_s=0.01)
        monkeypatch.setattr(wired, "open_datastores", lambda region: ImagingDatastores(region, at_once))
        yield fake


@pytest.mark.needs("terraform")
def test_a_datastore_comes_and_goes_with_its_deployment(
    place: Path, tmp_path: Path, imaging: FakeHealthImaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "modules-source"
    modules.mkdir()
    (modules / "main.tf").write_text(WITH_DATASTORE)
    monkeypatch.setattr(workspace, "MODULES", modules)
    with (place / "bedside.toml").open("a") as file:
        file.write("archive = true\n")
    others = imaging.add_datastore("ward")  # somebody's own, of the same name, and without the tag
    plan = typed("deploy", "plan", "--state", "s3")
    assert plan.code == 0, plan.err
    assert "HealthImaging is in us-east-1" in plan.err and "+ datastore ward" in plan.out
    assert list(imaging.datastores) == [others]

    applied = typed("deploy", "apply", "--yes", "--json")
    assert applied.code == 0, applied.err
    (own,) = set(imaging.datastores) - {others}
    assert applied.json["outputs"] == {"datastore": own}
    again = typed("deploy", "plan", "--json").json
    assert (again["changes"], again["makes_datastore"]) == ([], False)

    # Somebody else, on another machine, who changed their mind about archives meanwhile.
    shutil.rmtree(place / ".bedside")
    (place / "bedside.toml").write_text(f'[deploy]\nname = "ward"\nregion = "{REGION}"\n')
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="kept").iterdir())
    imaging.store(own, [study[0].read_bytes()])
    listed = typed("deploy", "destroy", "--dry-run")
    assert f"- datastore {own} with 1 image sets" in listed.out, listed.err
    assert imaging.datastores[own]["status"] == "ACTIVE"
    gone = typed("deploy", "destroy", "--yes")
    assert gone.code == 0, gone.err
    assert f"1 image sets deleted with {own}" in gone.err
    assert gone.out.splitlines()[-1] == "nothing is left: 1 resources were asked for and are gone"
    assert imaging.datastores[own]["status"] == "DELETED"
    assert imaging.datastores[others]["status"] == "ACTIVE"


def test_logs_of_machines_and_waker(place: Path, cloud: Cloud) -> None:
    none = typed("deploy", "logs")
    assert none.code == 2 and "no logs of deployment ward in us-east-1" in none.err
    logs, now = cloud.client("logs"), int(time.time() * 1000)
    written = {
        "/bedside/ward/workers/default": "action=job.dead job=3f",
        "/aws/lambda/ward-waker": "raised 1",
    }
    for group, text in written.items():
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="i-1")
        event = {"timestamp": now, "message": text}
        logs.put_log_events(logGroupName=group, logStreamName="i-1", logEvents=[event])
    try:
        told = [line.split("  ")[1:] for line in typed("deploy", "logs").out.splitlines()]
        assert sorted(told) == [
            ["waker", "i-1", "raised 1"],
            ["workers/default", "i-1", "action=job.dead job=3f"],
        ]
        dead = typed("deploy", "logs", "--part", "workers", "--filter", "job=3f", "--json").json
        assert (dead["part"], dead["by"], dead["text"]) == (
            "workers/default",
            "i-1",
            "action=job.dead job=3f",
        )
        nothing = typed("deploy", "logs", "--filter", "job=4a")
        assert nothing.code == 0 and nothing.out == "" and "no line since" in nothing.err
    finally:
        for group in written:
            logs.delete_log_group(logGroupName=group)
    wrong = typed("deploy", "logs", "--since", "yesterday")
    assert wrong.code == 2 and "a number and s, m, h or d" in wrong.err


def test_a_policy_that_forbids_making_buckets() -> None:
    told = typed("deploy", "policy", "--deny", "s3:CreateBucket")
    assert told.json["Statement"][0] | {"Sid": ""} == {
        "Sid": "",
        "Effect": "Deny",
        "Action": ["s3:CreateBucket"],
        "Resource": ["*"],
    }
    wrong = typed("deploy", "policy", "--allow", "CreateBucket")
    assert wrong.code == 2 and "hint: --allow s3:CreateBucket" in wrong.err and not wrong.out


def test_permissions_need_no_credentials_and_become_files(place: Path) -> None:
    told = typed("deploy", "permissions", "--account", "123456789012", "-o", "policies")
    assert told.code == 0, told.err
    assert "CreateBucket" in told.out and "arn:aws:s3:::ward-*" in told.out
    files = sorted((place / "policies").iterdir())
    assert files and [line.split("file://")[1] for line in told.err.splitlines()] == [
        f"policies/{file.name}" for file in files
    ]
    granted = [s for file in files for s in json.loads(file.read_text())["Statement"]]
    (bucket,) = [s for s in granted if s["Sid"].startswith("Storage") and "s3:CreateBucket" in s["Action"]]
    assert bucket["Resource"] == ["arn:aws:s3:::ward-*"]
    assert "archive" not in typed("deploy", "permissions", "--json").json
