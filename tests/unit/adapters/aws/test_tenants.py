"""A tenant's own buckets and groups on AWS: closed like the deployment's, connected, gone when removed."""

import uuid
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedside.adapters.aws.account import AwsCloud
from bedside.adapters.aws.events import parse
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.tenant_buckets import (
    BucketWish,
    announce,
    lifecycle_of,
    make_bucket,
    policy_of,
    remove_bucket,
)
from bedside.adapters.aws.tenants import AwsResources
from bedside.domain.tenant import Tenant, TenantState
from bedside.errors import ConfigError, UsageError
from clouds import REGION, Cloud
from ledger_samples import T0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A deployment's bucket, queue and pool."""

    cloud: Cloud
    deployment: str
    bucket: str
    queue_url: str
    pool: str

    @property
    def resources(self) -> AwsResources:
        return AwsResources(
            bucket=Bucket(name=self.bucket),
            wish=lambda account, region: BucketWish(
                deployment=self.deployment,
                region=region,
                account=account,
                cors_origins=("https://p.example",),
            ),
            queue_url=self.queue_url,
            pool=(REGION, self.pool),
        )

    def groups(self) -> set[str]:
        found = self.cloud.client("cognito-idp").list_groups(UserPoolId=self.pool)["Groups"]
        return {group["GroupName"] for group in found}

    def tenant(self, name: str, *, own: bool) -> Tenant:
        buckets = self.resources.buckets(name) if own else None
        return Tenant(name=name, state=TenantState.MAKING, made_at=T0, buckets=buckets)


@pytest.fixture
def place(cloud: Cloud) -> Place:
    bucket = cloud.bucket()
    return Place(
        cloud=cloud,
        deployment=f"d{uuid.uuid4().hex[:10]}",
        bucket=bucket,
        queue_url=cloud.queue(announces=bucket),
        pool=cloud.client("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"],
    )


def test_own_buckets_are_closed_tagged_and_tell_the_queue(place: Place) -> None:
    tenant = place.tenant("h.ct", own=True)
    assert tenant.buckets and tenant.buckets.input.startswith(f"{place.deployment}-t-")
    assert "h.ct" not in tenant.buckets.input, "a bucket's name is seen by others"
    made = place.resources.make(tenant)
    assert place.resources.make(tenant) == made, "what broke off is finished by the same call"
    s3 = place.cloud.client("s3")
    for name in (tenant.buckets.input, tenant.buckets.output):
        assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        assert {each["ID"] for each in rules} == {"rejected", "incomplete-uploads", "old-versions"}
        assert s3.get_bucket_cors(Bucket=name)["CORSRules"][0]["AllowedOrigins"] == ["https://p.example"]
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        assert tags == {"bedside:deployment": place.deployment, "bedside:tenant": "h.ct"}
    s3.put_object(Bucket=tenant.buckets.input, Key="input/h.ct/a.zip", Body=b"z")
    s3.put_object(Bucket=tenant.buckets.input, Key="rejected/h.ct/a.zip", Body=b"z")
    s3.put_object(Bucket=tenant.buckets.output, Key="input/h.ct/a.zip", Body=b"z")
    bodies = place.cloud.client("sqs").receive_message(QueueUrl=place.queue_url, MaxNumberOfMessages=10)
    owners = {tenant.buckets.input: "h.ct"}
    told = [
        parse(message["Body"], Bucket(name=place.bucket), lambda bucket: owners.get(bucket, ""))
        for message in bodies["Messages"]
    ]
    assert [found for one in told for found in one.objects] == [("h.ct", "input/a.zip")]
    assert place.groups() == {"h/ct:clinician", "h/ct:viewer"}
    # `deploy destroy` and `deploy forgotten` find them by the deployment's tag
    assert {item.arn for item in AwsCloud(REGION).tagged(place.deployment)} == {
        f"arn:aws:s3:::{tenant.buckets.input}",
        f"arn:aws:s3:::{tenant.buckets.output}",
    }


def test_a_removed_tenant_leaves_no_version_no_bucket_and_no_group(place: Place) -> None:
    s3 = place.cloud.client("s3")
    s3.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    own, shared = place.tenant("h.ct", own=True), place.tenant("ward", own=False)
    for tenant in (own, shared):
        place.resources.make(tenant)
    assert own.buckets
    for bucket in (own.buckets.input, place.bucket):
        for _ in range(2):
            s3.put_object(Bucket=bucket, Key="input/h.ct/a.zip", Body=b"z")
        s3.delete_object(Bucket=bucket, Key="input/h.ct/a.zip")
    s3.put_object(Bucket=place.bucket, Key="input/h.ctx/a.zip", Body=b"z")  # a namesake's
    s3.put_object(Bucket=place.bucket, Key="results/ward/r.json", Body=b"z")
    assert len(place.resources.named(own)) == 4
    gone = place.resources.remove(own)
    assert f"bucket {own.buckets.input} with 3 versions of objects" in gone
    left = s3.list_object_versions(Bucket=place.bucket)
    assert {v["Key"] for v in left["Versions"]} == {"input/h.ctx/a.zip", "results/ward/r.json"}
    assert not left.get("DeleteMarkers")
    assert AwsCloud(REGION).tagged(place.deployment) == []
    assert place.groups() == {"ward:clinician", "ward:viewer"}
    place.resources.remove(own)  # what is gone already is no error


def test_a_name_that_is_somebody_elses_is_refused(place: Place) -> None:
    tenant = place.tenant("h.ct", own=True)
    assert tenant.buckets
    s3 = place.cloud.client("s3")
    s3.create_bucket(Bucket=tenant.buckets.input)
    s3.put_object(Bucket=tenant.buckets.input, Key="theirs", Body=b"x")
    with pytest.raises(ConfigError, match="for something else"):
        place.resources.make(tenant)
    s3.delete_object(Bucket=tenant.buckets.input, Key="theirs")
    place.resources.make(tenant)  # one that broke off before it was tagged is empty, and taken
    wish = BucketWish(deployment="d", region=REGION, account="123456789012")
    for code, operation in (("403", "head_bucket"), ("BucketAlreadyExists", "create_bucket")):
        with pytest.raises(ConfigError, match="belongs to another account"):
            make_bucket(_Others(operation, code), "taken", "ward", wish)
    with pytest.raises(ConfigError, match="belongs to another account"):
        remove_bucket(_Others("head_bucket", "403"), "taken", wish.account)


def test_own_buckets_need_aws_and_a_queue(place: Place) -> None:
    for queue, endpoint in (("", ""), (place.queue_url, "http://127.0.0.1:9")):
        wrong = AwsResources(
            bucket=Bucket(name=place.bucket),
            wish=lambda account, region: BucketWish(deployment="x", region=region, account=account),
            queue_url=queue,
            endpoint_url=endpoint,
        )
        with pytest.raises(UsageError, match=r"AWS's S3 and queue\.url"):
            wrong.buckets("ward")


def test_a_pool_that_is_gone_is_named(place: Place) -> None:
    place.cloud.client("cognito-idp").delete_user_pool(UserPoolId=place.pool)
    with pytest.raises(ConfigError, match=f"no Cognito pool {place.pool}"):
        place.resources.make(place.tenant("ward", own=False))


class _Others:
    """S3, where another account has the bucket: the emulator's accounts see one another's."""

    def __init__(self, operation: str, code: str) -> None:
        self.operation, self.code = operation, code

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> None:
            code = self.code if name == self.operation else "404"
            raise ClientError({"Error": {"Code": code}}, name)

        return call


class _Refusing:
    """S3, whose queue's policy is not known everywhere yet."""

    def __init__(self, times: int) -> None:
        self.times, self.calls = times, 0
        self.meta = SimpleNamespace(partition="aws")
        self.told: Any = None

    def put_bucket_notification_configuration(self, *, Bucket: str, NotificationConfiguration: Any) -> None:
        self.calls, self.told = self.calls + 1, NotificationConfiguration
        if self.calls <= self.times:
            raise ClientError({"Error": {"Code": "InvalidArgument"}}, "PutBucketNotificationConfiguration")


def test_a_queue_that_admits_a_bucket_late_is_waited_for() -> None:
    waited: list[float] = []
    late = _Refusing(3)
    announce(late, "b", "arn", waited.append)
    assert late.calls == 4 and len(waited) == 3
    assert late.told["EventBridgeConfiguration"] == {}, "which wakes the workers"
    with pytest.raises(ConfigError, match="its policy must let"):
        announce(_Refusing(10**6), "b", "arn", waited.append)


def test_a_tenants_bucket_is_tended_as_the_storage_module_does() -> None:
    """Both say the same, each in its language."""
    from bedside.deploy.workspace import MODULES

    module = (MODULES / "modules" / "storage" / "main.tf").read_text()
    statements = policy_of("b")["Statement"]
    assert isinstance(statements, list)
    for statement in statements:
        assert f'sid       = "{statement["Sid"]}"' in module and statement["Effect"] == "Deny"
        assert statement["Resource"] == ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
        ((variable, value),) = next(iter(statement["Condition"].values())).items()
        assert f'"{variable}"' in module and f'["{value}"]' in module
    assert module.count("sid       =") == len(statements)
    for rule in lifecycle_of(30):
        assert f'id     = "{rule["ID"]}"' in module
    assert module.count("  rule {\n    id ") == len(lifecycle_of(30))
    for fact in ("days_after_initiation = 7", "BucketOwnerEnforced", "max_age_seconds = 3600"):
        assert fact in module
