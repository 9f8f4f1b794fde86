"""The MAPs of a deployment, by the digest of their manifest, in one OCI layout.

Owns what is a MAP here: a container image for this machine's platform that has the manifest of either
generation in it. A tag is looked up once, when a MAP is added; from then on its digest names it, and
what has a digest here is whole.
"""

import platform as machine
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from bedside.domain.pipeline import Release, ReleaseKind
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.oci.descriptor import Descriptor, Platform
from bedside.oci.layout import LAYOUT_FILE, OciLayout
from bedside.oci.map.reading import GENERATIONS
from bedside.oci.open import ContainerImage, open_place, read_container_image, split_place
from bedside.oci.reference import Reference, names_host

#: Architectures as Go spells them.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

#: What a tar of a container image has at its top.
_MARKS = frozenset({LAYOUT_FILE, "manifest.json"})

_TITLE, _VERSION = "org.opencontainers.image.title", "org.opencontainers.image.version"


def this_platform() -> Platform:
    """Return what containers of this machine run on."""
    name = machine.machine()
    return Platform(architecture=_ARCHITECTURES.get(name, name))


#: Brings what a reference names into a layout, for a platform, and returns its manifest's descriptor.
Pull = Callable[[Reference, OciLayout, Platform], Descriptor]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapStore:
    """Keeps MAPs.

    Attributes:
        folder: Of the layout.
        pull: Reaches registries.
        platform: Of this machine.
    """

    folder: Path
    pull: Pull
    platform: Platform

    def holds(self, source: str) -> bool:
        """Say whether a text names a MAP: an OCI layout, an archive of one, a registry's reference."""
        place, _ = split_place(source)
        if place.is_dir():
            return (place / LAYOUT_FILE).is_file()
        if place.is_file():
            return _is_archive(place)
        return names_host(source)

    def add(self, source: str, now: datetime) -> Release:
        """Bring a MAP into the store, and say what it is.

        Raises:
            ConfigError: It is no MAP, or its bytes are not what their digests say.
            NotFound: The registry has none of this name, or none for this platform.
            Unavailable: The registry is out of reach, or the store is full.
        """
        place, name = split_place(source)
        if place.exists():
            found, named = self._from_disk(place, name), ""
        else:
            found, named = self._from_registry(Reference.parse(source)), source
        image = read_container_image(self.layout, found, platform=self.platform)
        _check_map(image)
        labels = (image.config.get("config") or {}).get("Labels") or {}
        fallback = Reference.parse(source) if named else None
        title = fallback.repository.rpartition("/")[2] if fallback else place.name.split(".")[0]
        return Release(
            digest=image.descriptor.digest,
            name=str(labels.get(_TITLE) or title),
            version=str(labels.get(_VERSION) or (fallback.tag if fallback else "") or "0.0.0"),
            added_at=now,
            kind=ReleaseKind.MAP,
            source=named,
            size_bytes=sum(layer.part.descriptor.size_bytes for layer in image.layers),
        )

    @property
    def layout(self) -> OciLayout:
        """The layout that holds them all."""
        return OciLayout(self.folder)

    def image(self, digest: str) -> ContainerImage:
        """Return the container image of a release.

        Raises:
            ConfigError: It is not here.
        """
        try:
            return read_container_image(self.layout, self.layout.resolve(digest), platform=self.platform)
        except NotFound as missing:
            raise ConfigError(
                f"release {digest}: its container image is not in this deployment ({missing.message})",
                hint="bedside release add REFERENCE brings it here",
            ) from missing

    def bring(self, release: Release) -> ContainerImage:
        """Return the container image of a release, from where it was had if it is not here.

        Raises:
            ConfigError: It is neither here nor known where it was had.
            Unavailable: The registry is out of reach.
        """
        try:
            return self.image(release.digest)
        except ConfigError:
            if not release.source:
                raise
        self.pull(Reference.parse(release.source).at(release.digest), self.layout, self.platform)
        return self.image(release.digest)

    def _from_disk(self, place: Path, name: str) -> Descriptor:
        layout, found = open_place(place, self.layout, reference=name)
        found = layout.member(found, self.platform)
        return self.layout.add(layout.assembled(found))

    def _from_registry(self, reference: Reference) -> Descriptor:
        if reference.digest:
            try:  # a digest that is here already needs no network
                return self.layout.resolve(reference.digest)
            except NotFound:
                pass
        return self.pull(reference, self.layout, self.platform)


def _is_archive(place: Path) -> bool:
    """Return whether a file is a tar of a container image."""
    try:
        with tarfile.open(place) as archive:
            return any(PurePosixPath(member.name).as_posix() in _MARKS for member in archive)
    except (tarfile.TarError, OSError, EOFError):
        return False


def _check_map(image: ContainerImage) -> None:
    """Refuse a container image without the manifest of either generation; the top layers have it."""
    wanted = {app.strip("/") for _, app, _ in GENERATIONS}
    for layer in reversed(image.layers):
        try:
            with image.tar(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                if any(member.name.removeprefix("./").strip("/") in wanted for member in tar):
                    return
        except (tarfile.TarError, EOFError) as exc:
            raise ConfigError(f"layer {layer.part.descriptor.digest}: is damaged ({exc})") from exc
        except OSError as exc:
            raise Unavailable(
                f"layer {layer.part.descriptor.digest}: cannot be read: {exc.strerror}"
            ) from exc
    raise ConfigError(
        f"{image.descriptor.digest}: is no MAP, it has neither {' nor '.join(a for _, a, _ in GENERATIONS)}",
        hint="bedside package BUNDLE makes a MAP",
    )
