"""What ``bedside package`` made, for a person and as JSON: names, digests, places, the size of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedside.oci.descriptor import Platform
from bedside.oci.parts import Assembled

if TYPE_CHECKING:
    from bedside.package.order import Order, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSize:
    """One layer, for a person."""

    comment: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A MAP for one platform, for a person."""

    platform: Platform
    digest: str
    size_bytes: int
    layers: tuple[LayerSize, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """What came of it.

    Attributes:
        name: ``repository:tag``.
        digest: The release's identity.
        targets: Where it is now.
        members: One per platform.
        warnings: What a person should know, in sentences.
        proved: Whether the bundle was proved.
    """

    name: str
    digest: str
    targets: tuple[str, ...]
    members: tuple[Member, ...]
    warnings: tuple[str, ...] = ()
    proved: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "name": self.name,
            "digest": self.digest,
            "targets": list(self.targets),
            "proved": self.proved,
            "warnings": list(self.warnings),
            "members": [
                {
                    "platform": str(member.platform),
                    "digest": member.digest,
                    "size_bytes": member.size_bytes,
                    "layers": [
                        {"comment": one.comment, "digest": one.digest, "size_bytes": one.size_bytes}
                        for one in member.layers
                    ],
                }
                for member in self.members
            ],
        }


def member_of(one: Assembled, order: "Order", stacks: "Sequence[Stack]") -> Member:
    """Return a MAP for one platform as it was assembled from an order and its stack."""
    platform = one.descriptor.platform or Platform()
    stack = next(each for each in stacks if each.base.platform == platform)
    evidence = ["evidence: golden case, SBOM, provenance, licences"] if order.evidence or stack.record else []
    comments = [
        *(layer.comment for layer in (*stack.base.layers, *stack.packages)),
        *(f"model {bundle.name} {bundle.version}" for bundle in order.bundles),
        *evidence,
        "manifests and tools",
    ]
    return Member(
        platform=platform,
        digest=one.descriptor.digest,
        size_bytes=sum(part.descriptor.size_bytes for part in one.parts),
        layers=tuple(
            LayerSize(comment=comment, digest=part.descriptor.digest, size_bytes=part.descriptor.size_bytes)
            for comment, part in zip(comments, one.parts[1:], strict=True)
        ),
    )
