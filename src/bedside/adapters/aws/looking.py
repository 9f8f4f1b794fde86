"""Looks at what a deployment holds: objects, alarms, releases. Nothing here changes anything."""

from collections.abc import Sequence
from typing import Any

from botocore import exceptions

from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.presence import GONE
from bedside.errors import NotFound
from bedside.ports import Blob
from bedside.ports.cloud import DEPLOYMENT_TAG, Alarm, Pushed

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


def listed(s3: Any, bucket: str, prefix: str) -> Sequence[Blob]:
    """Return the objects below a prefix in order of key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [
        Blob(key=item["Key"], size_bytes=item["Size"], modified_at=item["LastModified"])
        for page in pages
        for item in page.get("Contents", ())
    ]


def count(s3: Any, bucket: str, most: int) -> int:
    """Count the objects of a bucket, no further than ``most``; one that is gone has none."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"MaxItems": most})
    try:
        return sum(len(page.get("Contents", ())) for page in pages)
    except exceptions.ClientError as exc:
        if code_of(exc) in _MISSING:
            return 0
        raise


def read(s3: Any, bucket: str, key: str) -> bytes | None:
    """Return an object, or None where there is none."""
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except exceptions.ClientError as exc:
        if code_of(exc) in _MISSING:
            return None
        raise


def alarms(cloudwatch: Any, deployment: str) -> Sequence[Alarm]:
    """Return a deployment's alarms in order of name: told by their tag, for a name may begin another's."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{deployment}-", AlarmTypes=["MetricAlarm"]
    )
    found = [
        Alarm(
            name=item["AlarmName"],
            text=item.get("AlarmDescription", ""),
            rings=item["StateValue"] == "ALARM",
            since=item["StateUpdatedTimestamp"],
        )
        for page in pages
        for item in page["MetricAlarms"]
        if _belongs(cloudwatch, item["AlarmArn"], deployment)
    ]
    return sorted(found, key=lambda alarm: alarm.name)


def _belongs(cloudwatch: Any, arn: str, deployment: str) -> bool:
    tags = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return {"Key": DEPLOYMENT_TAG, "Value": deployment} in tags


def pushed(ecr: Any, repository: str) -> Sequence[Pushed]:
    """Return a repository's manifests, newest first.

    Raises:
        NotFound: There is no such repository.
    """
    try:
        found = [
            Pushed(
                digest=item["imageDigest"],
                tags=tuple(sorted(item.get("imageTags", ()))),
                at=item["imagePushedAt"],
            )
            for page in ecr.get_paginator("describe_images").paginate(repositoryName=repository)
            for item in page["imageDetails"]
        ]
    except exceptions.ClientError as exc:
        if code_of(exc) in GONE:
            raise NotFound(f"no registry {repository}", hint="bedside deploy apply") from exc
        raise
    return sorted(found, key=lambda item: item.at, reverse=True)
