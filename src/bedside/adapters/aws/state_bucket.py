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
        # An empty one was perhaps made and not closed, when somebody was cut off; closing twice does no harm.
        if not s3.list_objects_v2(Bucket=bucket, MaxKeys=1).get("KeyCount"):
            _close(s3, bucket)
        return False
    place = {} if region == _UNNAMED_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **place)
    _close(s3, bucket)
    return True


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
    # A state that a crash or a person spoiled can be taken back.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    if not s3.meta.endpoint_url.startswith("https:"):
        return  # an emulator without TLS: the policy would lock us out of our own state
    arn = f"arn:{s3.meta.partition}:s3:::{bucket}"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


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
