"""Manifests, configurations and indexes, as the exact bytes that registries will hash.

Owns their JSON form: keys in the specification's order, maps sorted, no spaces, one time for all. See
the OCI image specification, "Image Manifest", "Image Configuration", "Image Index".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bedside.errors import ConfigError
from bedside.oci.cache import LayerCache
from bedside.oci.descriptor import CONFIG, EMPTY, INDEX, MANIFEST, Descriptor, Platform
from bedside.oci.parts import Assembled, Layer, Part

_HISTORY_BY = "bedside package"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a manifest says besides its layers.

    Attributes:
        config: The ``config`` of the image configuration: Env, Labels, Entrypoint, User, …
        platform: What it runs on.
        created_at: Its time; 1970 where nothing says otherwise.
        annotations: Of the manifest.
    """

    config: Mapping[str, Any]
    platform: Platform = field(default_factory=Platform)
    created_at: datetime = EPOCH
    annotations: Mapping[str, str] = field(default_factory=dict)


def created_at(environment: Mapping[str, str]) -> datetime:
    """Return the time that a container image says it was made: SOURCE_DATE_EPOCH, or 1970.

    Raises:
        ConfigError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "") or "0"
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise ConfigError(
            f"SOURCE_DATE_EPOCH: {text!r} is no number of seconds since 1970", hint="unset SOURCE_DATE_EPOCH"
        ) from exc


def assemble(layers: Sequence[Layer], making: Making, *, cache: LayerCache) -> Assembled:
    """Compose a container image.

    Args:
        layers: From the lowest to the highest.
        making: What it says besides.
        cache: Takes the configuration's bytes.
    """
    time = making.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "created": time,
        **making.platform.to_json(),
        "config": making.config,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [
            {"created": time, "created_by": _HISTORY_BY, "comment": layer.comment} for layer in layers
        ],
    }
    part = cache.add(canonical(config), CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part.descriptor.to_json(),
        "layers": [layer.part.descriptor.to_json() for layer in layers],
        **_annotated(making.annotations),
    }
    data = canonical(manifest)
    return Assembled(
        manifest=data,
        descriptor=replace(Descriptor.of(data, MANIFEST), platform=making.platform),
        parts=(part, *(layer.part for layer in layers)),
    )


def index(members: Sequence[Assembled], *, annotations: Mapping[str, str] | None = None) -> Assembled:
    """Compose an index over container images of several platforms, in the order given."""
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [member.descriptor.to_json() for member in members],
        **_annotated(annotations or {}),
    }
    data = canonical(document)
    return Assembled(manifest=data, descriptor=Descriptor.of(data, INDEX), members=tuple(members))


def artifact(
    artifact_type: str,
    blobs: Sequence[Part],
    *,
    cache: LayerCache,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Assembled:
    """Compose a manifest that is no container image but belongs to one (an SBOM, a signature).

    Args:
        artifact_type: Its media type.
        blobs: What it holds.
        cache: Takes the empty configuration.
        subject: The manifest that it is about.
        annotations: Of the manifest.
    """
    config = cache.add(b"{}", EMPTY)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": config.descriptor.to_json(),
        "layers": [blob.descriptor.to_json() for blob in blobs],
        **({"subject": _bare(subject).to_json()} if subject else {}),
        **_annotated(annotations or {}),
    }
    data = canonical(document)
    return Assembled(
        manifest=data,
        descriptor=replace(
            Descriptor.of(data, MANIFEST), artifact_type=artifact_type, annotations=annotations or {}
        ),
        parts=(config, *blobs),
    )


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document: keys as they stand, UTF-8, no spaces."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _annotated(annotations: Mapping[str, str]) -> dict[str, Any]:
    return {"annotations": dict(sorted(annotations.items()))} if annotations else {}


def _bare(descriptor: Descriptor) -> Descriptor:
    return Descriptor(
        media_type=descriptor.media_type, digest=descriptor.digest, size_bytes=descriptor.size_bytes
    )
