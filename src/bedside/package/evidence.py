"""What a MAP carries about itself beside its golden case: licences, SBOM, provenance.

Owns bringing them together, so that the composition asks once per MAP and once per platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bedside.model.bundle import Bundle
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import Descriptor
from bedside.oci.parts import Assembled, Entry
from bedside.package import provenance, sbom
from bedside.package.attach import attachments
from bedside.package.base.values import Base
from bedside.package.licences import licence_entries, licence_of
from bedside.package.provenance import Making
from bedside.package.wheels.lock import Wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What the models' licences ask.

    Attributes:
        entries: Files that travel.
        expression: SPDX licence expression of all models; empty where one of them is not known.
        warnings: What follows where a licence is missing, in sentences.
    """

    entries: tuple[Entry, ...]
    expression: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The statements about one platform.

    Attributes:
        entries: SBOM and provenance as they lie inside the MAP.
        document: The SBOM.
        making: What the MAP was made of.
    """

    entries: tuple[Entry, ...]
    document: bytes
    making: Making

    def attached(self, subject: Descriptor, *, cache: LayerCache) -> tuple[Assembled, ...]:
        """Return SBOM and provenance as artifacts that refer to the MAP's manifest."""
        return attachments(subject, document=self.document, making=self.making, cache=cache)


def duties_of(bundles: Sequence[Bundle]) -> Duties:
    """Return what the licences of some models ask of whoever passes them on."""
    found = [licence_of(bundle) for bundle in bundles]
    expressions = sorted({one.expression for one in found})
    joined = " AND ".join(f"({one})" if " OR " in one else one for one in expressions)
    return Duties(
        entries=tuple(entry for bundle in bundles for entry in licence_entries(bundle)),
        expression=joined if all(expressions) else "",
        warnings=tuple(one.warning for one in found if one.warning),
    )


def record_of(
    name: str,
    bundles: Sequence[Bundle],
    base: Base,
    *,
    wheels: Sequence[Wheel],
    locks: Mapping[str, str],
    created_at: datetime,
) -> Record:
    """Return SBOM and provenance of a MAP on one platform.

    Args:
        name: ``repository:tag``.
        bundles: Its models.
        base: What it stands on.
        wheels: All Python distributions within.
        locks: Name to ``sha256:…`` of each lock that chose what is in it.
        created_at: The MAP's time.
    """
    contents = sbom.Contents(name=name, bundles=bundles, base=base, wheels=wheels, created_at=created_at)
    document = sbom.sbom_bytes(contents)
    making = Making(name=name, bundles=bundles, base=base, locks=locks)
    entries = (
        Entry(path=sbom.PATH, content=document),
        Entry(path=provenance.PATH, content=provenance.provenance_bytes(making)),
    )
    return Record(entries=entries, document=document, making=making)
