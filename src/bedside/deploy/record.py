"""bedside's own record of what it made on AWS: beside the working copy, and beside the state in S3.

Terraform forgets what it destroyed, and AWS's tags do not list roles; a proof that nothing is left
needs a list of its own, and whoever removes a deployment may not be who made it. It only grows until
that proof succeeds.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bedside.deploy.runner import Held
from bedside.deploy.workspace import RECORD, write_private
from bedside.ports.cloud import Cloud

FORM = "bedside.deploy/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was ever made of one deployment.

    Attributes:
        folder: The working copy.
        cloud: Its account.
        bucket: Of the state; empty where that is in the working copy.
        key: Of the record in that bucket.
    """

    folder: Path
    cloud: Cloud
    bucket: str = ""
    key: str = ""

    def made(self) -> list[Held]:
        """Return what is recorded here and in S3, by address; empty where nothing is."""
        # By id as well: a replaced resource has the same address, and the old one may be left.
        every = {(item.address, item.id): item for item in (*self._here(), *self._there())}
        return [item for _, item in sorted(every.items(), key=lambda pair: pair[0])]

    def add(self, held: Iterable[Held]) -> None:
        """Add resources."""
        every = {(item.address, item.id): item for item in (*self.made(), *held)}
        document = {
            "form": FORM,
            "made": [asdict(item) for _, item in sorted(every.items(), key=lambda pair: pair[0])],
        }
        write_private(self.folder / RECORD, document)
        if self.bucket:
            self.cloud.write(self.bucket, self.key, json.dumps(document, indent=2).encode())

    def _here(self) -> list[Held]:
        try:
            return _read((self.folder / RECORD).read_bytes())
        except FileNotFoundError:
            return []

    def _there(self) -> list[Held]:
        found = self.cloud.read(self.bucket, self.key) if self.bucket else None
        return _read(found) if found is not None else []


def _read(document: bytes) -> list[Held]:
    return [Held(**item) for item in json.loads(document)["made"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is left of a deployment.

    Attributes:
        left: ARNs that are still there.
        gone: How many recorded resources were asked for and are gone.
        unasked: Recorded resources that can only be told by their tag.
    """

    left: tuple[str, ...]
    gone: int
    unasked: int

    @property
    def summary(self) -> str:
        """The proof in one line."""
        if self.left:
            return f"{len(self.left)} resources are left"
        rest = f", {self.unasked} others carry no tag any more" if self.unasked else ""
        return f"nothing is left: {self.gone} resources were asked for and are gone{rest}"


def proof(cloud: Cloud, name: str, made: Iterable[Held], but: frozenset[str] = frozenset()) -> Proof:
    """Ask AWS what is left, by tag and by record.

    Args:
        cloud: The deployment's account and region.
        name: The deployment's.
        made: What was recorded.
        but: ARNs of what is not the deployment's to remove, though it may carry its tag.
    """
    left = {item.arn for item in cloud.tagged(name)} - but
    gone = unasked = 0
    for arn in sorted({item.arn for item in made if item.arn.startswith("arn:")}):
        match cloud.exists(arn):
            case True:
                left.add(arn)
            case False:
                gone += 1
            case None:
                unasked += arn not in left
    return Proof(left=tuple(sorted(left)), gone=gone, unasked=unasked)
