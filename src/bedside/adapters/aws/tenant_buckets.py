"""Buckets of one tenant, closed and tended as Terraform's storage module does it for all tenants.

Owns what a tenant's bucket is; refuses one that somebody else made. A test compares it with the module.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.emptying import empty_bucket
from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.presence import GONE
from bedside.errors import ConfigError
from bedside.ports.cloud import DEPLOYMENT_TAG

#: Key of the tag that names the tenant.
TENANT_TAG = "bedside:tenant"
_UNNAMED_REGION = "us-east-1"
_NONCURRENT_DAYS = 30
_INCOMPLETE_DAYS = 7
#: A bucket that was just made is not everywhere known yet, and neither is a queue's policy.
_TRIES = 20
_PAUSE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketWish:
    """What all buckets of tenants have in common.

    Attributes:
        deployment: Its name.
        region: Where they are.
        account: Whose.
        key_arn: KMS key; empty is S3's own encryption.
        cors_origins: Web pages that may upload.
        rejected_days: Days after which rejected input is deleted.
    """

    deployment: str
    region: str
    account: str
    key_arn: str = ""
    cors_origins: tuple[str, ...] = ()
    rejected_days: int = 30


def make_bucket(s3: Any, name: str, tenant: str, wish: BucketWish) -> None:
    """Make a bucket where there is none, and close it; one that was begun is finished.

    Raises:
        ConfigError: The name is another account's, or the bucket is of another tenant.
    """
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=wish.account)
    except exceptions.ClientError as exc:
        if code_of(exc) in {"403", "AccessDenied"}:
            raise _taken(name) from exc
        if code_of(exc) not in {"404", "NoSuchBucket"}:
            raise
        _create(s3, name, wish)
    else:
        _must_be_ours(s3, name, tenant, wish)
    # The tags first: what breaks off after this is found by them.
    tags = {DEPLOYMENT_TAG: wish.deployment, TENANT_TAG: tenant}
    s3.put_bucket_tagging(
        Bucket=name, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
    )
    _close(s3, name, wish)
    _tend(s3, name, wish)


def announce(s3: Any, bucket: str, queue_arn: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Let a bucket tell the queue of what arrives, and EventBridge, which wakes the workers.

    Raises:
        ConfigError: The queue's policy does not let it.
    """
    wanted = {
        "QueueConfigurations": [
            {
                "Id": "arrivals",
                "QueueArn": queue_arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "input/"}]}},
            }
        ],
        "EventBridgeConfiguration": {},
    }
    for attempt in range(_TRIES):
        try:
            s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
        except exceptions.ClientError as exc:
            if code_of(exc) != "InvalidArgument":
                raise
            if attempt == _TRIES - 1:
                raise ConfigError(
                    f"bucket {bucket}: the queue takes nothing from it: its policy must let s3.amazonaws.com "
                    f"send for arn:{s3.meta.partition}:s3:::{bucket}",
                    hint="bedside deploy apply, which writes that policy; then the same command again",
                ) from exc
            sleep(_PAUSE_S)
        else:
            return


def remove_bucket(s3: Any, name: str, account: str) -> int:
    """Remove a bucket with all versions of all objects; return how many there were.

    Raises:
        ConfigError: It is another account's.
    """
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
        deleted = empty_bucket(s3, name)
        s3.delete_bucket(Bucket=name, ExpectedBucketOwner=account)
    except exceptions.ClientError as exc:
        if code_of(exc) == "403":
            raise _taken(name) from exc
        if code_of(exc) not in GONE:
            raise
        return 0
    return deleted


def policy_of(bucket: str, partition: str = "aws") -> dict[str, object]:
    """Return the policy of a bucket: nobody reads or writes it over a line that can be listened to.

    Args:
        bucket: Its name.
        partition: Of AWS, which begins every ARN: another in China and for governments.
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    refused: Mapping[str, Mapping[str, Mapping[str, str]]] = {
        "OnlyTls": {"Bool": {"aws:SecureTransport": "false"}},
        "OnlyModernTls": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    }
    statements = [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": condition,
        }
        for sid, condition in refused.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def lifecycle_of(rejected_days: int) -> Sequence[Mapping[str, object]]:
    """Return the rules by which what nobody needs any more goes."""
    return [
        {
            "ID": "rejected",
            "Status": "Enabled",
            "Filter": {"Prefix": "rejected/"},
            "Expiration": {"Days": rejected_days},
        },
        {
            "ID": "incomplete-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _INCOMPLETE_DAYS},
        },
        {
            "ID": "old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": _NONCURRENT_DAYS},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    ]


def _create(s3: Any, name: str, wish: BucketWish) -> None:
    place = {"LocationConstraint": wish.region}
    where = {} if wish.region == _UNNAMED_REGION else {"CreateBucketConfiguration": place}
    try:
        s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **where)
    except exceptions.ClientError as exc:
        if code_of(exc) in {"BucketAlreadyExists", "InvalidBucketName"}:
            raise _taken(name) from exc
        raise


def _close(s3: Any, name: str, wish: BucketWish) -> None:
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    by_default: dict[str, str] = {"SSEAlgorithm": "AES256"}
    if wish.key_arn:
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": wish.key_arn}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": bool(wish.key_arn)}
            ]
        },
    )
    if s3.meta.endpoint_url.startswith(
        "https:"
    ):  # else an emulator without TLS, which it would lock us out of
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy_of(name, s3.meta.partition)))


def _tend(s3: Any, name: str, wish: BucketWish) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": lifecycle_of(wish.rejected_days)}
    )
    if wish.cors_origins:
        rule = {
            "AllowedOrigins": list(wish.cors_origins),
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
            "MaxAgeSeconds": 3600,
        }
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})


def _must_be_ours(s3: Any, name: str, tenant: str, wish: BucketWish) -> None:
    try:
        found = s3.get_bucket_tagging(Bucket=name)["TagSet"]
    except exceptions.ClientError as exc:
        if code_of(exc) != "NoSuchTagSet":
            raise
        # Made, and broken off before it was tagged; a full one is somebody else's.
        if "Contents" not in s3.list_objects_v2(Bucket=name, MaxKeys=1):
            return
        found = []
    tags = {tag["Key"]: tag["Value"] for tag in found}
    if (tags.get(DEPLOYMENT_TAG), tags.get(TENANT_TAG)) != (wish.deployment, tenant):
        raise ConfigError(
            f"bucket {name}: this account has it already, for something else",
            hint=f"aws s3api get-bucket-tagging --bucket {name}",
        )


def _taken(name: str) -> ConfigError:
    return ConfigError(
        f"bucket {name} belongs to another account, or this one may not make it",
        hint="bedside tenant create under another name, or without --own-buckets",
    )
