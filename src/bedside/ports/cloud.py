"""An account at a cloud, as whoever deploys into it sees it: what is allowed, what is left, what to empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bedside.ports.store import Blob

#: Key of the tag that every resource of a deployment carries; its value is the deployment's name.
DEPLOYMENT_TAG = "bedside:deployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose credentials are used: the account's number and the user's or role's ARN."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A resource that carries `DEPLOYMENT_TAG`: its ARN, the deployment's name, and its region."""

    arn: str
    deployment: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Messages of a queue: to be had now, being worked on, and delayed."""

    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of machines: how many there shall be, how many work, and the most there may be.

    With those that still start or finish their work there are ``machines``.
    """

    desired: int
    in_service: int
    max: int
    machines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm: its name, what its text says to do, whether it rings, and since when."""

    name: str
    text: str
    rings: bool
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A manifest in a registry: its digest, its tags, and when it came."""

    digest: str
    tags: tuple[str, ...]
    at: datetime


class Cloud(Protocol):
    """One account in one region.

    Missing credentials and an unknown region raise `ConfigError`; a call that is not permitted raises
    `ConfigError` with the missing action and its fix; what does not answer raises `Unavailable`.
    """

    @property
    def region(self) -> str:
        """The region that is spoken to."""
        ...

    def elsewhere(self, region: str) -> "Cloud":
        """Return the same account in another region."""
        ...

    def caller(self) -> Caller:
        """Return whose credentials are used."""
        ...

    def regions(self) -> Sequence[str]:
        """Return the regions that this account may use, sorted."""
        ...

    def vcpus(self, instance_types: Sequence[str]) -> Mapping[str, int]:
        """Return the vCPUs of those kinds of machine that the region has; others are left out."""
        ...

    def zones(self) -> Sequence[str]:
        """Return the region's zones that are open to everybody and at work, sorted: no local ones."""
        ...

    def zones_of(self, instance_type: str) -> Sequence[str]:
        """Return the zones that offer a kind of machine, sorted; none where the region lacks it."""
        ...

    def quota_vcpus(self, instance_type: str, *, spot: bool) -> float | None:
        """Return how many vCPUs of a machine's family may run at a time; None where nobody says."""
        ...

    def has_imaging(self) -> bool:
        """Whether HealthImaging exists in the region."""
        ...

    def ensure_state_bucket(self, name: str) -> bool:
        """Make a private, versioned, encrypted bucket where there is none; return whether it was made.

        Raises:
            ConfigError: The name is taken by another account.
        """
        ...

    def remove_state(self, bucket: str, key: str) -> bool:
        """Remove a deployment's state with all versions, and the bucket when nothing else is in it.

        Returns:
            Whether the bucket is gone.
        """
        ...

    def tagged(self, deployment: str = "") -> Sequence[Tagged]:
        """Return what carries the tag in this region, of one deployment or of all, in order of ARN."""
        ...

    def exists(self, arn: str) -> bool | None:
        """Whether a resource is still there; None where this kind of resource cannot be asked for."""
        ...

    def empty_bucket(self, name: str, prefix: str = "") -> int:
        """Delete every version below a prefix; return how many. A bucket that is gone is empty."""
        ...

    def remove_bucket(self, name: str) -> int:
        """Remove a bucket with every version of every object; return how many. One that is gone had none.

        Raises:
            ConfigError: It is another account's.
        """
        ...

    def empty_registry(self, name: str) -> int:
        """Delete every manifest of a repository; return how many. A repository that is gone is empty."""
        ...

    def share_layers(self) -> bool:
        """Let the registry take layers over from one repository into another; return whether that is new.

        It is a setting of the account in this region, for all its repositories.
        """
        ...

    def upload(self, bucket: str, key: str, source: Path) -> bool:
        """Write an object from a file unless there is one of this key; return whether it was written.

        For keys that hold a digest: what is there already is the same.
        """
        ...

    def listed(self, bucket: str, prefix: str) -> Sequence[Blob]:
        """Return the objects whose keys begin so, in order of key."""
        ...

    def count(self, bucket: str, most: int) -> int:
        """Count the objects of a bucket, no further than ``most``; one that is gone has none."""
        ...

    def read(self, bucket: str, key: str) -> bytes | None:
        """Return an object, or None where there is none."""
        ...

    def write(self, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""
        ...

    def depth(self, queue_url: str) -> Depth:
        """Return how many messages are in a queue.

        Raises:
            NotFound: There is no such queue.
        """
        ...

    def group(self, name: str) -> Group:
        """Return the size of a group of machines.

        Raises:
            NotFound: There is no such group.
        """
        ...

    def rest_group(self, name: str) -> None:
        """Let a group have no machine any more; those that work are drained.

        Raises:
            NotFound: There is no such group.
        """
        ...

    def remove_logs(self, name: str) -> bool:
        """Remove a group of logs; return whether there was one."""
        ...

    def alarms(self, deployment: str) -> Sequence[Alarm]:
        """Return a deployment's alarms in order of name."""
        ...

    def pushed(self, repository: str) -> Sequence[Pushed]:
        """Return what is in a registry, newest first.

        Raises:
            NotFound: There is no such registry.
        """
        ...
