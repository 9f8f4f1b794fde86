"""Datastores of HealthImaging, made and removed through its API: Terraform's AWS provider has none.

Owns the waiting: both take minutes. A datastore goes only when empty, so that its image sets go first;
deleting those is for good, and whoever calls this has asked a person.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bedside.adapters.aws.errors import as_ours
from bedside.adapters.aws.medical_imaging import make_imaging_client
from bedside.errors import NotFound, Unavailable
from bedside.ports.cloud import DEPLOYMENT_TAG
from bedside.ports.datastores import Datastore

_GOING = frozenset({"DELETING", "DELETED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a datastore is waited for.

    Attributes:
        poll_s: Between two looks.
        most_s: Until it is an error.
        sleep: Waits.
    """

    poll_s: float = 5.0
    most_s: float = 1800.0
    sleep: Callable[[float], None] = time.sleep


class ImagingDatastores:
    """`bedside.ports.datastores.Datastores` at HealthImaging.

    Args:
        region: Of the datastores.
        patience: How long to wait.
    """

    def __init__(self, region: str, patience: Patience = Patience()) -> None:
        self._region = region
        self._patience = patience

    def find(self, name: str) -> Datastore | None:
        """Return the deployment's datastore of this name, or None where there is none."""
        with as_ours("archive: datastore"):
            found = _named(self._client, name)
        return self._known(found) if found else None

    def make(self, name: str) -> Datastore:
        """Make a deployment's datastore, or find the one made before; return it when it is ready."""
        return self._known(make_datastore(name, client=self._client, patience=self._patience))

    def image_sets(self, datastore: str) -> int | None:
        """Return how many image sets are in it; None where it is gone."""
        try:
            with as_ours("archive: datastore"):
                properties = self._client.get_datastore(datastoreId=datastore)["datastoreProperties"]
                if properties["datastoreStatus"] in _GOING:
                    return None
                pages = self._client.get_paginator("search_image_sets").paginate(datastoreId=datastore)
                return sum(len(page["imageSetsMetadataSummaries"]) for page in pages)
        except NotFound:
            return None

    def remove(self, datastore: str) -> int:
        """Remove a datastore with everything in it; return how many image sets were in it."""
        return remove_datastore(datastore, client=self._client, patience=self._patience)

    @cached_property
    def _client(self) -> Any:
        return make_imaging_client(self._region)

    def _known(self, datastore: str) -> Datastore:
        with as_ours("archive: datastore"):
            found = self._client.get_datastore(datastoreId=datastore)["datastoreProperties"]
        return Datastore(id=datastore, arn=found.get("datastoreArn", ""))


def make_datastore(
    name: str,
    *,
    client: Any = None,
    patience: Patience = Patience(),
) -> str:
    """Make a deployment's datastore, or find the one made before, and return its id when it is ready.

    Args:
        name: The deployment's; the datastore is tagged with it.
        client: Of the service; None makes one.
        patience: How long to wait.

    Raises:
        Unavailable: AWS refuses, or it is not ready in time.
    """
    client = client or make_imaging_client()
    with as_ours("archive: datastore"):
        found = _named(client, name)
        if not found:
            # boto3 draws a token of its own: one made of the name would bring back a removed datastore.
            made = client.create_datastore(datastoreName=name, tags={DEPLOYMENT_TAG: name})
            found = made["datastoreId"]
    _wait(client, found, "ACTIVE", patience)
    return str(found)


def remove_datastore(
    datastore: str,
    *,
    client: Any = None,
    patience: Patience = Patience(),
) -> int:
    """Remove a datastore with everything in it; one that is gone is no error.

    Args:
        datastore: Its id.
        client: Of the service; None makes one.
        patience: How long to wait.

    Returns:
        How many image sets were in it.

    Raises:
        Unavailable: AWS refuses, or it is not gone in time.
    """
    client = client or make_imaging_client()
    try:
        removed = _empty(client, datastore, patience)
        with as_ours("archive: datastore"):
            client.delete_datastore(datastoreId=datastore)
        _wait(client, datastore, "DELETED", patience)
    except NotFound:
        return 0
    return removed


def _named(client: Any, name: str) -> str:
    """Return the deployment's datastore of this name; one without its tag is somebody's own."""
    pages = client.get_paginator("list_datastores").paginate()
    named = [
        summary
        for page in pages
        for summary in page["datastoreSummaries"]
        if summary["datastoreName"] == name and summary["datastoreStatus"] in ("CREATING", "ACTIVE")
    ]
    for summary in named:
        tags = client.list_tags_for_resource(resourceArn=summary["datastoreArn"])["tags"]
        if tags.get(DEPLOYMENT_TAG) == name:
            return str(summary["datastoreId"])
    return ""


def _empty(client: Any, datastore: str, patience: Patience) -> int:
    """Delete image sets until a search finds none; they go in their own time."""
    asked: set[str] = set()
    deadline = time.monotonic() + patience.most_s
    while True:
        with as_ours("archive: datastore"):
            pages = client.get_paginator("search_image_sets").paginate(datastoreId=datastore)
            left = [s["imageSetId"] for page in pages for s in page["imageSetsMetadataSummaries"]]
            if not left:
                return len(asked)
            for image_set in set(left) - asked:
                client.delete_image_set(datastoreId=datastore, imageSetId=image_set)
                asked.add(image_set)
        if time.monotonic() > deadline:
            raise Unavailable(f"archive: datastore {datastore} still holds {len(left)} image sets")
        patience.sleep(patience.poll_s)


def _wait(client: Any, datastore: str, wanted: str, patience: Patience) -> None:
    deadline = time.monotonic() + patience.most_s
    while True:
        with as_ours("archive: datastore"):
            found = client.get_datastore(datastoreId=datastore)["datastoreProperties"]["datastoreStatus"]
        if found == wanted:
            return
        if found == "CREATE_FAILED" or time.monotonic() > deadline:
            raise Unavailable(f"archive: datastore {datastore} is {found}, not {wanted}")
        patience.sleep(patience.poll_s)
