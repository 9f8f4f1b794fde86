"""The bucket of Terraform's state: private, versioned, encrypted, over TLS only."""

import json
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.emptying import empty_bucket
from bedside.adapters.aws.errors import code_of
from bedside.deploy.permissions import CODES
from bedside.errors import ConfigError

#: The only region whose buckets are made without naming it.
_UNNAMED_REGION = "us-east-1"


def ensure(s3: Any, bucket: str, region: str, account: str) -> bool:
    """Make the bucket where there is none, and close it; return whether it was made.

    Raises:
        ConfigError: The name is another account's.
    """
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except exceptions.ClientError as exc:
        if code_of(exc) in {"403", "AccessDenied"}:
            raise ConfigError(
                f"bucket {bucket} belongs to another account, or this one may not read it",
                hint="set deploy.state_bucket in bedside.toml to a name of your own",
            ) from exc
        if code_of(exc) not in {"404", "NoSuchBucket"}:
            raise
    else:
        # An empty one was perhaps made and not closed, when somebody was cut off. That of an administrator is
        # closed, and to be changed by nobody.
        if _is_empty(s3, bucket) and s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            _close(s3, bucket)
        return False
    place = {} if region == _UNNAMED_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    _close(s3, bucket)
    return True


def _is_empty(s3: Any, bucket: str) -> bool:
    return not s3.list_objects_v2(Bucket=bucket, MaxKeys=1).get("KeyCount")


def _close(s3: Any, bucket: str) -> None:
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    if s3.meta.endpoint_url.startswith("https:"):
        arn = f"arn:{s3.meta.partition}:s3:::{bucket}"
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        # Else an emulator without TLS: the policy would lock us out of our own state.
        s3.put_bucket_policy(
            Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
    # A state that a crash or a person spoiled can be taken back. Last, for it tells that the rest was done.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def remove(s3: Any, bucket: str, key: str) -> bool:
    """Remove one state with its lock and all versions; the bucket too when it is then empty and may go.

    Returns:
        Whether the bucket is gone.
    """
    empty_bucket(s3, bucket, key)
    try:
        left = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
        if left.get("Versions") or left.get("DeleteMarkers"):
            return False
    except exceptions.ClientError as exc:
        if code_of(exc) not in {"404", "NoSuchBucket"}:
            raise
        return True
    try:
        s3.delete_bucket(Bucket=bucket)
    except exceptions.ClientError as exc:
        if code_of(exc) in CODES:  # an administrator's, who keeps it from the role of workflows
            return False
        if code_of(exc) not in {"404", "NoSuchBucket"}:
            raise
    return True
