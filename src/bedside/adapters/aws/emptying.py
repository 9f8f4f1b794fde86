"""Empties what AWS does not delete while something is in it: buckets with versions, registries."""

from typing import Any

from botocore import exceptions

from bedside.adapters.aws.errors import code_of
from bedside.adapters.aws.presence import GONE
from bedside.errors import Unavailable

#: Most manifests that one call of ECR deletes.
_MANIFESTS = 100


def empty_bucket(s3: Any, bucket: str, prefix: str = "") -> int:
    """Delete every version and every delete marker below a prefix.

    Args:
        s3: Client.
        bucket: Its name.
        prefix: Of the keys; empty is all.

    Returns:
        How many there were; 0 where there is no such bucket.

    Raises:
        Unavailable: AWS kept some.
    """
    deleted = 0
    try:
        # Each round lists from the start: markers into a listing that shrinks may skip what is left.
        while names := _versions(s3, bucket, prefix):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
            if errors := answer.get("Errors"):
                # Without the key: it may be a file's name, and a file's name may be a patient's.
                raise Unavailable(
                    f"bucket {bucket}: {len(errors)} of {len(names)} objects cannot be deleted: "
                    f"{errors[0].get('Code', '')}",
                    hint="bedside deploy destroy",
                )
            deleted += len(names)
    except exceptions.ClientError as exc:
        if code_of(exc) not in GONE:
            raise
    return deleted


def _versions(s3: Any, bucket: str, prefix: str) -> list[dict[str, str]]:
    page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]


def empty_registry(ecr: Any, repository: str) -> int:
    """Delete every manifest.

    An index is deleted before the manifests it names, because ECR refuses the other order; so what was
    refused is tried again as long as a round deletes something.

    Returns:
        How many there were; 0 where there is no such repository.

    Raises:
        Unavailable: AWS kept some.
    """
    deleted = 0
    while True:
        try:
            digests = [
                {"imageDigest": digest}
                for page in ecr.get_paginator("list_images").paginate(repositoryName=repository)
                for digest in dict.fromkeys(item["imageDigest"] for item in page["imageIds"])
            ]
        except exceptions.ClientError as exc:
            if code_of(exc) in GONE:
                return deleted
            raise
        if not digests:
            return deleted
        refused: list[Any] = []
        for start in range(0, len(digests), _MANIFESTS):
            batch = digests[start : start + _MANIFESTS]
            refused += ecr.batch_delete_image(repositoryName=repository, imageIds=batch).get("failures", ())
        if len(refused) >= len(digests):
            raise Unavailable(
                f"registry {repository}: {len(refused)} manifests cannot be deleted: "
                f"{refused[0].get('failureCode', '')}",
                hint="bedside deploy destroy",
            )
        deleted += len(digests) - len(refused)
