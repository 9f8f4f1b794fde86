"""Tenants where policies are checked: deployers make them, machines use them, links are by right."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.adapters.aws.tenant_buckets import BucketWish
from bedside.adapters.aws.tenants import AwsResources
from bedside.adapters.memory.clock import ManualClock
from bedside.config import DeploySettings
from bedside.deploy.grants import Where, packed, permissions
from bedside.deploy.workspace import MODULES
from bedside.domain.person import Person, PersonRole, Post
from bedside.domain.tenant import Tenant, TenantState
from bedside.errors import ConfigError, NotPermitted, Unavailable
from bedside.tenants.upload import sign_upload
from clouds import REGION
from guarded_cloud import GuardedCloud, run_ministack
from ledger_samples import T0

NAME = "clinic"
SHARED = "clinic-000000000000-us-east-1"
#: As Terraform's events module writes it: this server asks it, and refuses what it does not name.
ANNOUNCE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Announce",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": f"arn:aws:sqs:{REGION}:000000000000:{NAME}-events",
            "Condition": {
                "ArnLike": {"aws:SourceArn": [f"arn:aws:s3:::{SHARED}", f"arn:aws:s3:::{NAME}-t-*-input"]},
                "StringEquals": {"aws:SourceAccount": "000000000000"},
            },
        }
    ],
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCloud]:
    with run_ministack(tmp_path_factory.mktemp("ministack")) as cloud:
        cloud.client("s3").create_bucket(Bucket=SHARED)
        cloud.client("s3").create_bucket(Bucket="somebody-elses")
        yield cloud


@pytest.fixture
def tenant(guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """A tenant with buckets and groups, made and removed by somebody with the permissions to deploy."""
    sqs = guarded.client("sqs")
    queue = sqs.create_queue(QueueName=f"{NAME}-events")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(ANNOUNCE)})
    pool = guarded.client("cognito-idp").create_user_pool(PoolName=NAME)["UserPool"]["Id"]
    module = (MODULES / "modules" / "events" / "main.tf").read_text()
    assert ":s3:::${var.name}-t-*-input" in module, "the policy above is no longer the module's"
    keys = guarded.user("deployer")
    become(guarded, keys, monkeypatch)
    resources = AwsResources(
        bucket=Bucket(name=SHARED),
        wish=lambda account, region: BucketWish(deployment=NAME, region=region, account=account),
        queue_url=queue,
        pool=(REGION, pool),
    )
    made = Tenant(name="h.ct", state=TenantState.MAKING, made_at=T0, buckets=resources.buckets("h.ct"))
    with pytest.raises(ConfigError, match="user deployer is not allowed sqs:GetQueueAttributes"):
        resources.make(made)
    settings = DeploySettings(name=NAME, identity=True)
    policies = packed(permissions(settings, Where(account="000000000000", region=REGION)))
    for number, document in enumerate(policies):
        guarded.client("iam").put_user_policy(
            UserName="deployer", PolicyName=f"p{number}", PolicyDocument=json.dumps(document)
        )
    assert len(resources.make(made)) == 5
    yield made
    become(guarded, keys, monkeypatch)
    assert len(resources.remove(made)) == 5
    assert made.buckets
    names = {bucket["Name"] for bucket in guarded.client("s3").list_buckets()["Buckets"]}
    assert names == {SHARED, "somebody-elses"}
    assert guarded.client("cognito-idp").list_groups(UserPoolId=pool)["Groups"] == []


def become(guarded: GuardedCloud, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in guarded.environment(keys).items():
        monkeypatch.setenv(name, value)


def test_a_machine_uses_tenants_buckets_by_their_form_and_signs_for_people_with_a_right(
    guarded: GuardedCloud, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tenant.buckets
    assert own is not None
    keys = guarded.user("machine")
    form = f"arn:aws:s3:::{NAME}-t-*"
    guarded.permit(
        "machine",
        {
            form: ["s3:ListBucket"],
            **{
                f"{form}/{area}/*": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
                for area in ("input", "inferred", "results")
            },
        },
    )
    become(guarded, keys, monkeypatch)
    store = RoutedBlobStore(S3BlobStore(Bucket(name=SHARED)), lambda name: own if name == "h.ct" else None)
    mine = store.tenant("h.ct")
    mine.put("results/a/result.json", b"{}")
    assert [blob.key for blob in mine.list("results/")] == ["results/a/result.json"]
    with pytest.raises(Unavailable, match="denies s3:PutObject"):
        store.tenant("ward").put("input/a.zip", b"z")  # the shared bucket, which this machine may not write
    with pytest.raises(Unavailable, match="denies"):
        S3BlobStore(Bucket(name="somebody-elses"), "h.ct").put("results/a", b"z")

    def sign(person: Person) -> str:
        return sign_upload(
            "h.ct", person, served=["h.ct"], blobs=store, clock=ManualClock(), expires_s=60, size_bytes=5
        ).url

    for role, node in ((PersonRole.VIEWER, "h"), (PersonRole.CLINICIAN, "h.mr"), (PersonRole.ADMIN, "")):
        with pytest.raises(NotPermitted):
            sign(Person(subject="p", posts=(Post(role=role, node=node),)))
    url = sign(Person(subject="p", posts=(Post(role=PersonRole.CLINICIAN, node="h"),)))
    assert httpx.put(url.replace("h.ct", "h.mr"), content=b"study").status_code == 403
    assert httpx.put(url, content=b"longer").status_code == 403
    assert httpx.put(url, content=b"study").status_code == 200
    (arrived,) = list(mine.list("input/"))
    assert arrived.size_bytes == 5
    mine.move(arrived.key, "inferred/x.zip")
    assert os.environ["AWS_ACCESS_KEY_ID"] == keys[0]
