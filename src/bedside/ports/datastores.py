"""Datastores of images at a cloud: made and removed with a deployment, which Terraform cannot."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Datastore:
    """A datastore: its id, and its ARN."""

    id: str
    arn: str


class Datastores(Protocol):
    """The datastores of one account in one region.

    What AWS refuses, or has not done in time, raises `Unavailable`.
    """

    def find(self, name: str) -> Datastore | None:
        """Return the deployment's datastore of this name, or None where there is none."""
        ...

    def make(self, name: str) -> Datastore:
        """Make a deployment's datastore, or find the one made before; return it when it is ready."""
        ...

    def image_sets(self, datastore: str) -> int | None:
        """Return how many image sets (series, mostly) are in it; None where it is gone."""
        ...

    def remove(self, datastore: str) -> int:
        """Remove a datastore with everything in it, for good; return how many image sets were in it.

        One that is gone is no error.
        """
        ...
