"""The Terraform modules: well formed, each alone, and applied with the real AWS provider.

The emulator is moto: it shows that requests are well formed, that a deployment settles, and that events
reach their queue; not that AWS would permit the same. The stories of `tests/stories/aws` go on with what is
applied here, and `test_removal.py` there demands an empty second plan and destroys it.

An apply mostly waits, because the provider asks for some answers six times until they are firm. It goes on
while the modules are looked at one by one.
"""

import gzip
import json
import re
import time
from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from sqlalchemy import make_url

from applied import Deployment
from bedside.config.authorities import RDS_BUNDLE, authorities
from bedside.deploy.workspace import MODULES
from clouds import REGION
from terraform import Terraform, copy_of_modules, environment
from wishes import NAME

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


@pytest.mark.parametrize("name", ["", *ALONE])
def test_the_root_and_each_module_alone_are_valid(
    copy: Path, name: str, tmp_path: Path, applying: Deployment
) -> None:
    folder = copy / "modules" / name if name else copy
    variables = {"TF_DATA_DIR": str(tmp_path / "data"), "AWS_REGION": REGION}
    terraform = Terraform(folder=folder, environment=environment(tmp_path, variables))
    terraform.run("init", "-input=false", "-backend=false")
    done = json.loads(terraform.run("validate", "-json", check=False).stdout)
    assert (done["valid"], done["diagnostics"]) == (True, [])


def test_an_object_in_the_drop_box_is_announced_and_nothing_else_is(deployment: Deployment) -> None:
    s3, sqs = deployment.cloud.client("s3"), deployment.cloud.client("sqs")
    bucket, queue = deployment.outputs["bucket"], deployment.outputs["queue_url"]
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


def test_the_bucket_is_closed(deployment: Deployment) -> None:
    s3, bucket = deployment.cloud.client("s3"), deployment.outputs["bucket"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    (tls,) = (s for s in policy["Statement"] if "Bool" in s["Condition"])
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rules = {r["ID"]: r for r in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert rules["rejected"]["Filter"]["Prefix"] == "rejected/"
    assert rules["rejected"]["Expiration"]["Days"] == 30


def test_releases_keep_their_names(deployment: Deployment) -> None:
    (found,) = deployment.cloud.client("ecr").describe_repositories(repositoryNames=[NAME])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


def test_machines_know_who_signs_people_in(deployment: Deployment) -> None:
    ec2, told = deployment.cloud.client("ec2"), []
    for group in (*deployment.outputs["groups"].values(), deployment.outputs["control"]["group"]):
        named = ec2.describe_launch_template_versions(LaunchTemplateName=group, Versions=["$Latest"])
        data = b64decode(named["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"])
        script = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        told.append(dict(re.findall(r"^BEDSIDE_IDENTITY_(\w+)='(.*)'$", script.decode(), re.MULTILINE)))
    outputs = deployment.outputs
    assert told == [{"ISSUER": outputs["issuer"], "CLIENTS": outputs["client_id"]}] * len(told) != []


def test_the_ledgers_password_is_in_its_parameter_and_in_no_state(deployment: Deployment) -> None:
    ssm = deployment.cloud.client("ssm")
    name = deployment.outputs["ledger_url_parameter"]
    held = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    password = ssm.get_parameter(Name=f"/{NAME}/ledger/password", WithDecryption=True)["Parameter"]["Value"]
    assert held["Type"] == "SecureString"
    assert held["Value"].startswith(f"postgresql://bedside:{password}@{deployment.outputs['ledger_host']}:")
    assert len(password) >= 32
    url = make_url(held["Value"])
    assert authorities(url.host or "", url.query, {}) == RDS_BUNDLE, "RDS is asked who it is"
    state = deployment.terraform.run("state", "pull").stdout
    assert name in state
    assert password not in state
    (machine,) = deployment.cloud.client("rds").describe_db_instances()["DBInstances"]
    assert (machine["StorageEncrypted"], machine["PubliclyAccessible"]) == (True, False)


def test_workflows_of_one_repository_push_and_manage_nobody(deployment: Deployment) -> None:
    iam = deployment.cloud.client("iam")
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


def test_nothing_reaches_a_worker_and_only_machines_reach_the_ledger(deployment: Deployment) -> None:
    ec2 = deployment.cloud.client("ec2")
    of_vpc = [{"Name": "vpc-id", "Values": [deployment.outputs["vpc_id"]]}]
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]}
    assert groups[f"{NAME}-worker"]["IpPermissions"] == []
    assert groups["default"]["IpPermissions"] == []
    doors = {
        (door["FromPort"], *(network["CidrIp"] for network in door["IpRanges"]))
        for door in groups[f"{NAME}-control"]["IpPermissions"]
    }
    assert doors == {(443, "192.0.2.0/24"), (80, "0.0.0.0/0"), (11112, "192.0.2.7/32")}
    assert deployment.outputs["control"]["url"] == "https://bedside.hospital.example"
    assert deployment.outputs["control"]["dicom"] == "bedside.hospital.example:11112"
    (address,) = ec2.describe_addresses(PublicIps=[deployment.outputs["control"]["address"]])["Addresses"]
    assert {"Key": "bedside:deployment", "Value": NAME} in address["Tags"]
    for permission in groups[f"{NAME}-ledger"]["IpPermissions"]:
        assert (permission["FromPort"], permission["IpRanges"]) == (5432, [])
    assert ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"] == []
