"""Descriptors: how OCI names content, by media type, digest and length.

Owns the media types. Everything else in `oci` refers to bytes through a `Descriptor`, so that bytes
can be known before they exist here and checked wherever they arrive. See the OCI image
specification, "Content Descriptors".
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY = "application/vnd.oci.empty.v1+json"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
INDEXES = (INDEX, DOCKER_INDEX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What a manifest of an index runs on; words as Go spells them (``linux``, ``amd64``, ``arm64``)."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "architecture": self.architecture,
            "os": self.os,
            **({"variant": self.variant} if self.variant else {}),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Platform":
        """Return the platform of a JSON object; fields that bedside does not use are left out."""
        return cls(
            os=str(document.get("os", "")),
            architecture=str(document.get("architecture", "")),
            variant=str(document.get("variant", "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Names content.

    Attributes:
        media_type: What the bytes are.
        digest: ``sha256:`` and 64 hex digits over the bytes.
        size_bytes: Their length.
        annotations: Notes of whoever wrote the descriptor.
        platform: Of a manifest in an index.
        artifact_type: What kind of artifact a manifest is, where it is no container image.
    """

    media_type: str
    digest: str
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = ""

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, keys in the specification's order."""
        document: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size_bytes,
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.platform:
            document["platform"] = self.platform.to_json()
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Descriptor":
        """Return the descriptor of a JSON object. Raises `KeyError` where a required field is missing."""
        return cls(
            media_type=str(document["mediaType"]),
            digest=str(document["digest"]),
            size_bytes=int(document["size"]),
            annotations={str(k): str(v) for k, v in (document.get("annotations") or {}).items()},
            platform=Platform.from_json(document["platform"]) if document.get("platform") else None,
            artifact_type=str(document.get("artifactType", "")),
        )

    @classmethod
    def of(cls, data: bytes, media_type: str) -> "Descriptor":
        """Return the descriptor of some bytes."""
        return cls(media_type=media_type, digest=sha256_digest(data), size_bytes=len(data))


def sha256_digest(data: bytes) -> str:
    """Return ``sha256:`` and the hex digits over some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
