"""The module of tenants: its policy, applied by the real provider, is enough to make and remove one.

The policy is rendered on moto, which judges none, and put to somebody on a server that does.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.tenant_buckets import BucketWish
from bedside.adapters.aws.tenants import AwsResources
from bedside.domain.tenant import Tenant, TenantState
from bedside.errors import ConfigError
from clouds import REGION, Cloud
from guarded_cloud import GuardedCloud, run_ministack
from healthimaging import MODEL
from ledger_samples import T0
from terraform import Terraform, copy_of_modules, environment

pytestmark = pytest.mark.needs("terraform")

NAME = "clinic"
SHARED = "clinic-shared"
MACHINE = "made-by-a-test"
DATASTORE = "d" * 32


def _policy(folder: Path, moto: Cloud, pool: str) -> str:
    """Apply the module for one role; return what the role was given."""
    source = copy_of_modules(folder / "modules") / "modules" / "tenants"
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam = moto.client("iam")
    iam.create_role(RoleName=MACHINE, AssumeRolePolicyDocument=trust)
    module = {
        "source": str(source),
        "name": NAME,
        "bucket_arn": f"arn:aws:s3:::{SHARED}",
        "roles": {"pool-default": MACHINE},
        "groups": True,
        "user_pool_id": pool,
        "archive_datastore_id": DATASTORE,
    }
    said = {
        "provider": {"aws": {"region": REGION, "skip_metadata_api_check": True}},
        "module": {"it": module},
        "output": {"policy": {"value": "${module.it.policy}"}},
    }
    root = folder / "root"
    root.mkdir()
    (root / "main.tf.json").write_text(json.dumps(said))
    terraform = Terraform(folder=root, environment=environment(root, moto.environment))
    terraform.run("init", "-input=false")
    terraform.run("apply", "-input=false", "-auto-approve")
    given = iam.get_role_policy(RoleName=MACHINE, PolicyName="tenants")["PolicyDocument"]
    rendered = terraform.outputs()["policy"]
    assert given == json.loads(rendered)
    # Accounts of the two emulators differ.
    return str(rendered).replace("123456789012", "000000000000")


def _judge_image_sets(statements: list[dict[str, Any]]) -> None:
    """What removes a tenant's image sets, of one datastore; no emulator knows HealthImaging."""
    [found] = [each for each in statements if "medical-imaging" in json.dumps(each)]
    asked = {"search_image_sets", "get_image_set_metadata", "delete_image_set", "get_dicom_import_job"}
    operations = {f"medical-imaging:{MODEL.operation_model(name).name}" for name in MODEL.operation_names
                  if xform_name(name) in asked}  # fmt: skip
    assert set(found["Action"]) == operations and len(operations) == 4
    place = f"arn:aws:medical-imaging:{REGION}:000000000000:datastore/{DATASTORE}"
    assert sorted(found["Resource"]) == [place, f"{place}/*"]


def _become(guarded: GuardedCloud, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in guarded.environment(keys).items():
        monkeypatch.setenv(name, value)


def test_a_machine_makes_and_removes_a_tenant_and_nothing_of_others(
    tmp_path: Path, moto: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ministack").mkdir()
    with run_ministack(tmp_path / "ministack") as guarded:
        s3, cognito = guarded.client("s3"), guarded.client("cognito-idp")
        for bucket in (SHARED, "somebody-elses"):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=SHARED, VersioningConfiguration={"Status": "Enabled"})
        for key in ("input/h.mr/a.zip", "input/h.mr/a.zip", "software/node.tar"):
            s3.put_object(Bucket=SHARED, Key=key, Body=b"x")
        sqs = guarded.client("sqs")
        queue = sqs.create_queue(QueueName=f"{NAME}-events")["QueueUrl"]
        pool = cognito.create_user_pool(PoolName=NAME)["UserPool"]["Id"]
        queue_arn = f"arn:aws:sqs:{REGION}:000000000000:{NAME}-events"
        announce = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{NAME}-t-*-input"}},
        }
        told = json.dumps({"Version": "2012-10-17", "Statement": [announce]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": told})

        keys = guarded.user("machine")
        guarded.permit(
            "machine", {queue_arn: ["sqs:GetQueueAttributes"], f"arn:aws:s3:::{SHARED}": ["s3:ListBucket"]}
        )
        _become(guarded, keys, monkeypatch)

        def resources(deployment: str) -> AwsResources:
            return AwsResources(
                bucket=Bucket(name=SHARED),
                wish=lambda account, region: BucketWish(
                    deployment=deployment, region=region, account=account
                ),
                queue_url=queue,
                pool=(REGION, pool),
            )

        ours = resources(NAME)
        own = Tenant(name="h.ct", state=TenantState.MAKING, made_at=T0, buckets=ours.buckets("h.ct"))
        sharing = Tenant(name="h.mr", state=TenantState.MAKING, made_at=T0)
        with pytest.raises(ConfigError, match="not allowed s3:CreateBucket"):
            ours.make(own)
        policy = _policy(tmp_path, moto, pool)
        guarded.client("iam").put_user_policy(UserName="machine", PolicyName="tenants", PolicyDocument=policy)
        _judge_image_sets(json.loads(policy)["Statement"])
        assert len(ours.make(own)) == 5
        assert len(ours.make(sharing)) == 3
        other = resources("another")
        with pytest.raises(ConfigError):
            other.make(Tenant(name="h", state=TenantState.MAKING, made_at=T0, buckets=other.buckets("h")))

        assert len(ours.remove(own)) == 5
        assert "2 versions of objects" in " ".join(ours.remove(sharing))
        left = s3.list_object_versions(Bucket=SHARED)["Versions"]
        assert [version["Key"] for version in left] == ["software/node.tar"]
        assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {SHARED, "somebody-elses"}
        assert cognito.list_groups(UserPoolId=pool)["Groups"] == []
