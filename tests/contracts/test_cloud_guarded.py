"""What the permissions that `bedside deploy permissions` writes are enough for, and what they keep from one.

Asked of ministack, which checks signatures and policies; it is no proof of AWS's own judgement.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.config import DeploySettings
from bedside.deploy.actual import read_results
from bedside.deploy.grants import Where, packed, permissions
from bedside.deploy.phantom_study import PREFIX
from bedside.deploy.staying import staying
from bedside.errors import ConfigError, Unavailable
from bedside.ports.cloud import Cloud
from bedside.wiring.cloud import open_cloud
from clouds import REGION
from guarded_cloud import GuardedCloud, run_ministack
from ledger_samples import T0

ACCOUNT = "000000000000"
BUCKET = f"ward-{ACCOUNT}-{REGION}"
STUDY = "results/default/a/b/result.json"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCloud]:
    with run_ministack(tmp_path_factory.mktemp("ministack")) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=BUCKET, Key=STUDY, Body=b"a patient's")
        yield cloud


@pytest.fixture
def deployer(guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The account as whoever deploys ``ward`` sees it, with the policies written for that and no more."""
    keys = guarded.user("eva")
    where = Where(account=ACCOUNT, region=REGION)
    for number, policy in enumerate(packed(permissions(DeploySettings(name="ward"), where))):
        guarded.client("iam").put_user_policy(
            UserName="eva", PolicyName=f"bedside-{number}", PolicyDocument=json.dumps(policy)
        )
    for name, value in guarded.environment(keys).items():
        monkeypatch.setenv(name, value)
    return open_cloud(REGION)


def test_who_asks_may_read_what_results_took_and_nothing_else_of_them(
    guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = guarded.client("s3")
    said = {
        "release": {"name": "spleen", "version": "1"},
        "created_at": "2026-11-01T10:00:00+00:00",
        "compute": {"machine": "g4dn.xlarge", "seconds": 12.0, "usd": 0.002, "price_usd_per_hour": 0.6},
    }
    place = "results/ward-3/a/b"
    admin.put_object(Bucket=BUCKET, Key=f"{place}/result.json", Body=json.dumps(said).encode())
    admin.put_object(Bucket=BUCKET, Key=f"{place}/dicom/seg.dcm", Body=b"a patient's")
    keys = guarded.user("ada")
    where = Where(account=ACCOUNT, region=REGION)
    for asked in ((), ("actual",)):
        granted = permissions(DeploySettings(name="ward"), where, asked=asked)
        for number, policy in enumerate(packed(granted)):
            guarded.client("iam").put_user_policy(
                UserName="ada", PolicyName=f"bedside-{number}", PolicyDocument=json.dumps(policy)
            )
        for name, value in guarded.environment(keys).items():
            monkeypatch.setenv(name, value)
        blobs = S3BlobStore(Bucket(name=BUCKET), "ward-3")
        if not asked:
            with pytest.raises(Unavailable, match="denies s3:GetObject"):
                list(read_results(blobs, T0 - timedelta(days=9999)))
    [study] = read_results(blobs, T0 - timedelta(days=9999))
    assert (study.machine, study.usd) == ("g4dn.xlarge", 0.002)
    with pytest.raises(Unavailable, match="denies s3:GetObject"):
        blobs.get("results/a/b/dicom/seg.dcm")
    for key in ("result.json", "dicom/seg.dcm"):
        admin.delete_object(Bucket=BUCKET, Key=f"{place}/{key}")


def test_whoever_deploys_can_verify_and_read_no_study(
    deployer: Cloud, guarded: GuardedCloud, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a phantom")
    queue = guarded.client("sqs").create_queue(QueueName="ward-events")["QueueUrl"]

    phantom = f"input/default/{PREFIX}1.zip"
    assert deployer.upload(BUCKET, phantom, file)
    assert not deployer.upload(BUCKET, phantom, file)
    assert deployer.upload(BUCKET, "software/1.tar", file)
    assert [blob.key for blob in deployer.listed(BUCKET, "results/")] == [STUDY]
    assert deployer.depth(queue).visible == 0
    assert deployer.empty_bucket(BUCKET, phantom) == 1

    for call in (
        lambda: deployer.read(BUCKET, STUDY),
        lambda: deployer.write(BUCKET, STUDY, b"another"),
        lambda: deployer.upload(BUCKET, "input/default/study.zip", file),
    ):
        with pytest.raises(ConfigError, match=r"s3:(GetObject|PutObject)"):
            call()
    assert guarded.client("s3").get_object(Bucket=BUCKET, Key=STUDY)["Body"].read() == b"a patient's"


def test_a_bucket_of_states_that_may_not_be_deleted_is_emptied_and_told(
    guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the administrator's template has it: the role of workflows may not delete the bucket."""
    bucket = "states-of-ward"
    guarded.client("s3").create_bucket(Bucket=bucket)
    guarded.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keys = guarded.user("workflow")
    arn = f"arn:aws:s3:::{bucket}"
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]},
        {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": arn},
        {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    guarded.client("iam").put_user_policy(UserName="workflow", PolicyName="p", PolicyDocument=policy)
    for name, value in guarded.environment(keys).items():
        monkeypatch.setenv(name, value)
    cloud = open_cloud(REGION)
    for body in (b"1", b"2"):
        cloud.write(bucket, "ward/terraform.tfstate", body)
    assert not cloud.remove_state(bucket, "ward/")
    assert cloud.listed(bucket, "") == []
    (stays,) = staying(cloud, "ward", bucket=bucket, bucket_is_gone=False, shares_layers=False)
    assert stays.remove == f"aws s3 rb s3://{bucket}, by an administrator"
    assert "is empty, and which these credentials may not delete" in stays.text
    (setting,) = staying(cloud, "ward", bucket="", bucket_is_gone=False, shares_layers=True)
    assert "BLOB_MOUNTING" in setting.remove
    guarded.client("s3").delete_bucket(Bucket=bucket)
