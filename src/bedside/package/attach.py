"""What is published beside a MAP: its SBOM and its provenance, as artifacts that refer to it.

Owns the two artifacts' types. The same SBOM also lies inside the MAP, for whoever has only that.
"""

from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import Descriptor
from bedside.oci.manifest import artifact
from bedside.oci.parts import Assembled
from bedside.package import provenance, sbom


def attachments(
    subject: Descriptor, *, document: bytes, making: provenance.Making, cache: LayerCache
) -> tuple[Assembled, ...]:
    """Return the artifacts about one manifest, ready to be published with it.

    Args:
        subject: The MAP's manifest on one platform.
        document: Its SBOM, from `bedside.package.sbom.sbom_bytes`.
        making: What it was made of.
        cache: Takes the blobs.
    """
    statement = provenance.provenance_bytes(making, subject=subject)
    return tuple(
        artifact(media_type, [cache.add(data, media_type)], cache=cache, subject=subject)
        for media_type, data in ((sbom.MEDIA_TYPE, document), (provenance.MEDIA_TYPE, statement))
    )
