"""What a MAP says about its own making: SBOM and provenance, inside it and beside it.

Owns gathering what both state from an order and a resolved stack, so that what lies inside the MAP and
what is published as artifacts come from one place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bedside.oci.cache import LayerCache
from bedside.oci.parts import Assembled, Entry
from bedside.package import provenance, sbom
from bedside.package.attach import attachments
from bedside.package.order import Order, Stack
from bedside.package.stack import Resolved


def recorded(order: Order, resolved: Resolved, asked: Mapping[str, object]) -> Stack:
    """Return a stack with its SBOM and provenance as files of the MAP.

    Args:
        order: What is wanted.
        resolved: What lies below.
        asked: What a person asked for, as JSON values.
    """
    entries = (
        Entry(path=sbom.PATH, content=sbom.sbom_bytes(_contents(order, resolved))),
        Entry(path=provenance.PATH, content=provenance.provenance_bytes(_making(order, resolved, asked))),
    )
    return replace(resolved.stack, record=entries)


def attached(
    order: Order,
    resolved: Sequence[Resolved],
    stacks: Sequence[Stack],
    made: Assembled,
    asked: Mapping[str, object],
    *,
    cache: LayerCache,
) -> tuple[Assembled, ...]:
    """Return the artifacts about a MAP, those of each platform; the SBOM is the one that lies inside."""
    found: list[Assembled] = []
    for one, stack, member in zip(resolved, stacks, made.members or (made,), strict=True):
        document = next(entry.content for entry in stack.record if entry.path == sbom.PATH)
        assert isinstance(document, bytes)
        found += attachments(
            member.descriptor, document=document, making=_making(order, one, asked), cache=cache
        )
    return tuple(found)


def _contents(order: Order, resolved: Resolved) -> sbom.Contents:
    return sbom.Contents(
        name=order.name,
        bundles=order.bundles,
        base=resolved.stack.base,
        wheels=(*resolved.lock.wheels, *resolved.further),
        created_at=order.created_at,
    )


def _making(order: Order, resolved: Resolved, asked: Mapping[str, object]) -> provenance.Making:
    return provenance.Making(
        name=order.name,
        bundles=order.bundles,
        base=resolved.stack.base,
        locks={"wheels": resolved.lock.digest},
        parameters=asked,
    )
