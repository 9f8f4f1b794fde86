"""Bases from elsewhere: a registry by digest, an OCI layout or saved tar, the tar of a root file system.

Owns reading them into `Base`. Layers that lie in a registry are named and not fetched: pushed to the
same registry, they never move. Refuses a tag alone, because tomorrow it names another base.
"""

import json
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedside.errors import ConfigError, NotFound, UsageError
from bedside.oci.cache import LayerCache
from bedside.oci.compress import Compression, compress, decompressed
from bedside.oci.descriptor import LAYER, Platform
from bedside.oci.layout import INDEX_FILE, LAYOUT_FILE, OciLayout
from bedside.oci.open import open_place, read_container_image, split_place
from bedside.oci.parts import Layer
from bedside.oci.reference import Reference
from bedside.oci.registry.download import download
from bedside.oci.registry.registries import Registries
from bedside.oci.registry.remote import remote
from bedside.oci.storage import file_digest
from bedside.package.base.values import Base

_CHUNK = 1 << 20
_SAVED = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSource:
    """A base as a person named it, and what opening it needs.

    Attributes:
        text: ``NAME@sha256:…``, a layout folder, or a tar.
        cache: Takes what is read from a tar.
        registries: Have the credentials.
        compression: Of the layer made from a root file system.
    """

    text: str
    cache: LayerCache
    registries: Registries
    compression: Compression


def open_base(source: BaseSource, platform: Platform) -> Base:
    """Open a base for a platform.

    Raises:
        UsageError: A registry's base is not pinned by a digest.
        ConfigError: Its bytes are not what the digest says, or it is no base.
        NotFound: It is not there, or not for the platform.
        Unavailable: The registry is not there.
    """
    place, pointer = split_place(source.text)
    if not place.exists():
        if _means_a_file(source.text):
            raise NotFound(f"--base {source.text}: no such file or folder", hint="bedside package --help")
        return _from_registry(source, platform)
    if place.is_dir() or _holds_container_image(place):
        return _from_place(source, place, pointer, platform)
    return _from_rootfs(source, place, platform)


def _means_a_file(text: str) -> bool:
    """Whether a text that is no path here was meant as one: no registry has such a name."""
    return text.startswith((".", "/", "~")) or text.endswith(
        (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz")
    )


def _from_registry(source: BaseSource, platform: Platform) -> Base:
    reference = Reference.parse(source.text)
    repository = source.registries.at(reference)
    if not reference.digest:
        digest = repository.manifest(reference.pointer).descriptor.digest
        raise UsageError(
            f"--base {source.text}: a tag names another base tomorrow, and a digest is needed",
            hint=f"--base {source.text}@{digest}",
        )
    found = remote(repository, reference.digest, platform)
    described, *layers = found.parts
    with tempfile.TemporaryDirectory(prefix="bedside-base-") as folder:
        place = Path(folder) / "config"
        download(repository, described.descriptor, place)
        config = json.loads(place.read_bytes())
    _check_platform(config, platform, source.text)
    diff_ids = _diff_ids(config, len(layers), source.text)
    return Base(
        name=f"{reference.host}/{reference.repository}",
        digest=reference.digest,
        platform=platform,
        layers=tuple(
            Layer(part=part, diff_id=diff_id, comment=f"base {reference.repository}, layer {number}")
            for number, (part, diff_id) in enumerate(zip(layers, diff_ids, strict=True), start=1)
        ),
        config=config.get("config") or {},
    )


def _from_place(source: BaseSource, place: Path, pointer: str, platform: Platform) -> Base:
    layout, descriptor = open_place(place, OciLayout(source.cache.root / "bases"), reference=pointer)
    image = read_container_image(layout, descriptor, platform=platform)
    _check_platform(image.config, platform, source.text)
    for layer in image.layers:
        blob = layout.blob(layer.part.descriptor.digest)
        if not blob.is_file() or file_digest(blob) != layer.part.descriptor.digest:
            raise ConfigError(f"--base {source.text}: layer {layer.part.descriptor.digest} is damaged")
    return Base(
        name=place.name,
        digest=image.descriptor.digest,
        platform=platform,
        layers=image.layers,
        config=image.config.get("config") or {},
    )


def _from_rootfs(source: BaseSource, place: Path, platform: Platform) -> Base:
    digest = file_digest(place)
    key = f"rootfs {digest} {source.compression.fingerprint}"
    known = source.cache.known(key)
    if known is None:
        plain = source.cache.store(_tar_of(place), LAYER)
        assert plain.path is not None
        part = source.cache.store(
            compress(_chunks(plain.path), source.compression), source.compression.media_type
        )
        known = source.cache.remember(key, part, plain.descriptor.digest)
        plain.path.unlink(missing_ok=True)
    layer = Layer(part=known.part, diff_id=known.diff_id, comment=f"root file system {place.name}")
    return Base(name=place.name, digest=digest, platform=platform, layers=(layer,))


def _holds_container_image(place: Path) -> bool:
    try:
        with tarfile.open(place) as archive:
            for number, member in enumerate(archive):
                if member.name.removeprefix("./") in {LAYOUT_FILE, INDEX_FILE, _SAVED}:
                    return True
                # What engines save holds some dozens of files; a root file system holds thousands.
                if number > 1000:
                    return False
    except tarfile.TarError as exc:
        raise ConfigError(f"--base {place}: no tar ({exc})", hint=f"tar tf {place}") from exc
    return False


def _tar_of(place: Path) -> Iterator[bytes]:
    with place.open("rb") as stream:
        plain = decompressed(stream, LAYER)
        while chunk := plain.read(_CHUNK):
            yield chunk


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _check_platform(config: dict[str, Any], platform: Platform, text: str) -> None:
    found = str(config.get("architecture", ""))
    if found and found != platform.architecture:
        raise ConfigError(
            f"--base {text}: is for {found}, not for {platform}", hint=f"--platform linux/{found}"
        )


def _diff_ids(config: dict[str, Any], count: int, text: str) -> list[str]:
    found = [str(one) for one in (config.get("rootfs") or {}).get("diff_ids") or []]
    if len(found) != count:
        raise ConfigError(f"--base {text}: {count} layers, but {len(found)} diff_ids")
    return found
