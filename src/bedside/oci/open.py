"""Container images that others wrote: layout folders, tars of layouts, tars of `docker save`.

Owns reading them into one form, an `OciLayout` by digest, whatever they were. A tar of `docker save`
before version 25 has no manifest: one is composed, from which its digest follows.
"""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bedside.errors import ConfigError, NotFound
from bedside.oci.archive import MANIFEST_FILE
from bedside.oci.compress import decompressed
from bedside.oci.descriptor import (
    CONFIG,
    LAYER,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    Platform,
    sha256_digest,
)
from bedside.oci.layout import BLOBS, INDEX_FILE, LAYOUT_FILE, OciLayout, named, open_layout
from bedside.oci.manifest import canonical
from bedside.oci.parts import Assembled, Layer, Part
from bedside.oci.storage import write_blob

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """A container image for one platform, on this machine.

    Attributes:
        layout: Where it lies.
        descriptor: Of its manifest.
        manifest: The manifest.
        config: Its configuration, whole: ``config["config"]`` holds Env, Labels, Entrypoint, …
        layers: From the lowest to the highest.
    """

    layout: OciLayout
    descriptor: Descriptor
    manifest: dict[str, Any]
    config: dict[str, Any]
    layers: tuple[Layer, ...]

    @contextmanager
    def tar(self, layer: Layer) -> Iterator[BinaryIO]:
        """Open the tar within a layer."""
        with self.layout.blob(layer.part.descriptor.digest).open("rb") as stream:
            yield decompressed(stream, layer.part.descriptor.media_type)


def split_place(text: str) -> tuple[Path, str]:
    """Return the file or folder of ``PATH``, ``PATH:TAG`` or ``PATH@sha256:…``, and the tag or digest."""
    if Path(text).exists():
        return Path(text), ""
    path, at, digest = text.partition("@")
    if at and digest.startswith("sha256:"):
        return Path(path), digest
    path, _, tag = text.rpartition(":")
    if path and "/" not in tag and Path(path).exists():
        return Path(path), tag
    return Path(text), ""


def open_place(place: Path, scratch: OciLayout, *, reference: str = "") -> tuple[OciLayout, Descriptor]:
    """Find a container image in a layout folder, or bring it out of a tar.

    Args:
        place: Layout folder, tar of a layout, or tar of `docker save`.
        scratch: Takes what a tar holds.
        reference: Tag or digest, where there are several.

    Returns:
        The layout that holds it, and the descriptor of its manifest or index.

    Raises:
        NotFound: It is not there.
        ConfigError: It is none of the three, or damaged.
    """
    if place.is_dir():
        layout = open_layout(place)
        return layout, layout.resolve(reference)
    if not place.is_file():
        raise NotFound(f"{place}: no such file or folder")
    try:
        with tarfile.open(place) as archive:
            found = _from_tar(archive, scratch, reference)
    except tarfile.TarError as exc:
        raise ConfigError(f"{place}: no tar of a container image ({exc})", hint=f"tar tf {place}") from exc
    return scratch, found


def read_container_image(
    layout: OciLayout, descriptor: Descriptor, *, platform: Platform | None = None
) -> ContainerImage:
    """Read what a layout says about one container image.

    Args:
        layout: Where it lies.
        descriptor: Of its manifest, or of an index.
        platform: Which member of an index.

    Raises:
        NotFound: The index has none for the platform, or a blob is missing.
        ConfigError: The manifest is broken.
    """
    member = layout.member(descriptor, platform or Platform())
    manifest = layout.document(member)
    try:
        config = layout.document(Descriptor.from_json(manifest["config"]))
        blobs = [Descriptor.from_json(entry) for entry in manifest["layers"]]
        diff_ids = [str(one) for one in config["rootfs"]["diff_ids"]]
    except (KeyError, TypeError) as exc:
        raise ConfigError(f"{member.digest}: its manifest or configuration lacks {exc}") from exc
    if len(blobs) != len(diff_ids):
        raise ConfigError(f"{member.digest}: {len(blobs)} layers, but {len(diff_ids)} diff_ids")
    comments = _comments(config, len(blobs))
    layers = tuple(
        Layer(part=Part(descriptor=blob, path=layout.blob(blob.digest)), diff_id=diff_id, comment=comment)
        for blob, diff_id, comment in zip(blobs, diff_ids, comments, strict=True)
    )
    return ContainerImage(layout=layout, descriptor=member, manifest=manifest, config=config, layers=layers)


def _comments(config: dict[str, Any], count: int) -> list[str]:
    history = [one for one in config.get("history") or [] if not one.get("empty_layer")]
    found = [str(one.get("comment") or one.get("created_by") or "") for one in history]
    return found if len(found) == count else [""] * count


def _from_tar(archive: tarfile.TarFile, into: OciLayout, reference: str) -> Descriptor:
    members = {member.name.removeprefix("./"): member for member in archive}
    if LAYOUT_FILE in members and INDEX_FILE in members:
        return _from_layout_tar(archive, members, into, reference)
    if MANIFEST_FILE in members:
        return _from_docker_save(archive, members, into, reference)
    raise ConfigError(f"tar: neither {INDEX_FILE} nor {MANIFEST_FILE} in it", hint="docker save NAME -o FILE")


def _from_layout_tar(
    archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], into: OciLayout, reference: str
) -> Descriptor:
    for name, member in members.items():
        if name.startswith(f"{BLOBS}/") and member.isfile():
            digest = f"sha256:{name.rpartition('/')[2]}"
            if not into.blob(digest).is_file() or into.blob(digest).stat().st_size != member.size:
                found, _ = write_blob(into.root / BLOBS, _chunks(archive, member))
                if found != digest:
                    into.blob(found).unlink()
                    raise ConfigError(f"tar: {name} has the digest {found}: it is damaged")
    entries = json.loads(_content(archive, members, INDEX_FILE))["manifests"]
    for entry in entries:
        descriptor = Descriptor.from_json(entry)
        into.add(into.assembled(descriptor), tag="")
    found_entry = _chosen(entries, reference)
    return named(Descriptor.from_json(found_entry), "")


def _chosen(entries: list[dict[str, Any]], reference: str) -> dict[str, Any]:
    plain = [one for one in entries if not one.get("artifactType")]
    tags = [(one.get("annotations") or {}).get("org.opencontainers.image.ref.name", "") for one in plain]
    for entry, tag in zip(plain, tags, strict=True):
        if reference and (entry.get("digest") == reference or tag.rpartition(":")[2] == reference):
            return entry
    if reference:
        raise NotFound(f"tar: no {reference}; there: {', '.join(sorted(filter(None, tags))) or 'no tags'}")
    if len({one["digest"] for one in plain}) != 1:
        raise ConfigError(f"tar: holds {len(plain)} container images, one was expected", hint="name its tag")
    return plain[0]


def _from_docker_save(
    archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], into: OciLayout, reference: str
) -> Descriptor:
    saved = json.loads(_content(archive, members, MANIFEST_FILE))
    fitting = [one for one in saved if not reference or reference in _tags(one)]
    if len(fitting) != 1:
        raise ConfigError(
            f"tar: {len(fitting)} container images fit, one was expected", hint="docker save NAME -o FILE"
        )
    config = _content(archive, members, fitting[0]["Config"])
    write_blob(into.root / BLOBS, [config])
    layers = []
    for name in fitting[0]["Layers"]:
        member = members.get(name)
        if member is None:
            raise ConfigError(f"tar: {name} is named by {MANIFEST_FILE} and missing")
        digest, size = write_blob(into.root / BLOBS, _chunks(archive, member))
        with into.blob(digest).open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        layers.append(Descriptor(media_type=LAYER_GZIP if zipped else LAYER, digest=digest, size_bytes=size))
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor.of(config, CONFIG).to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )
    descriptor = Descriptor.of(manifest, MANIFEST)
    parts = [Descriptor(media_type=CONFIG, digest=sha256_digest(config), size_bytes=len(config)), *layers]
    return into.add(
        Assembled(
            manifest=manifest,
            descriptor=descriptor,
            parts=tuple(Part(descriptor=one, path=into.blob(one.digest)) for one in parts),
        )
    )


def _tags(saved: dict[str, Any]) -> set[str]:
    names = saved.get("RepoTags") or []
    return {*names, *(name.rpartition(":")[2] for name in names)}


def _content(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> bytes:
    if name not in members:
        raise ConfigError(f"tar: {name} is missing")
    return b"".join(_chunks(archive, members[name]))


def _chunks(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    # extractfile follows the links that `docker save` puts in place of equal layers.
    stream = archive.extractfile(member)
    if stream is None:
        raise ConfigError(f"tar: {member.name} is no file")
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
