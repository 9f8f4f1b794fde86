"""What a removal leaves on purpose, or because whoever removes may not: what it is, why, and how it goes.

Owns the difference between what is left behind and what stays: the bucket of the state is shared by all
deployments of a region, and an administrator's stack makes it, with a role for GitHub, for longer than one
deployment. They carry the deployment's tag too, and prove no failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bedside.errors import BedsideError
from bedside.ports.cloud import Cloud

_STACK = "bedside-github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """One thing that stays.

    Attributes:
        what: It.
        why: Why it was not removed.
        remove: A command that removes it; empty where it goes by itself.
    """

    what: str
    why: str
    remove: str

    @property
    def text(self) -> str:
        """All of it, for a person."""
        return f"stays: {self.what}, {self.why}{f'; it goes by: {self.remove}' if self.remove else ''}"

    def to_json(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {"what": self.what, "why": self.why, "remove": self.remove}


def administrators(name: str, *, account: str, bucket: str) -> frozenset[str]:
    """Return ARNs of what an administrator's stack makes for a deployment, there or not.

    Args:
        name: The deployment's.
        account: Its number.
        bucket: Of the state; empty where that is in a working copy.
    """
    return frozenset([_role(name, account), *([f"arn:aws:s3:::{bucket}"] if bucket else [])])


def staying(
    cloud: Cloud, name: str, *, bucket: str, bucket_is_gone: bool, shares_layers: bool
) -> Sequence[Stays]:
    """Ask what stays after a removal that found nothing left.

    Args:
        cloud: The deployment's account and region.
        name: The deployment's.
        bucket: Of the state; empty where that was in a working copy.
        bucket_is_gone: Whether it was removed.
        shares_layers: Whether an apply let repositories share layers.
    """
    account, found = cloud.caller().account, []
    by_stack = _is_there(cloud, _role(name, account))
    if bucket and not bucket_is_gone:
        found.append(_bucket(cloud, bucket))
    if by_stack:
        found.append(
            Stays(
                what=f"role github-{name}-deploy",
                why="with which an administrator's stack lets workflows of GitHub deploy",
                remove=f"aws cloudformation delete-stack --stack-name {_STACK} (or what it was called), "
                "by an administrator; the bucket of the state and GitHub's provider outlast the stack",
            )
        )
    if shares_layers:
        found.append(
            Stays(
                what="the setting by which repositories of this account and region share layers",
                why="which others may use by now, and which costs nothing",
                remove="aws ecr put-account-setting --name BLOB_MOUNTING --value DISABLED",
            )
        )
    return found


def _bucket(cloud: Cloud, bucket: str) -> Stays:
    what = f"bucket {bucket}"
    others = sorted({blob.key.partition("/")[0] for blob in cloud.listed(bucket, "")})
    if others:
        return Stays(
            what=what,
            why=f"which keeps the state of {', '.join(others)} and goes with the last of them",
            remove="",
        )
    return Stays(
        what=what,
        why="which is empty, and which these credentials may not delete",
        remove=f"aws s3 rb s3://{bucket}, by an administrator",
    )


def _role(name: str, account: str) -> str:
    return f"arn:aws:iam::{account}:role/github-{name}-deploy"


def _is_there(cloud: Cloud, arn: str) -> bool:
    try:
        return cloud.exists(arn) is True
    except BedsideError:  # who may not ask about roles is told of none
        return False
