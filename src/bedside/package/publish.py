"""Where a MAP goes: an OCI layout folder, one tar, a registry; the same container image in each.

Owns the order: the MAP, what belongs to it, its name last.
A base that only a registry holds is fetched for the outputs on this machine, and taken over inside the
registry where it is the same one.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from bedside.errors import ConfigError
from bedside.oci.archive import write_archive
from bedside.oci.cache import LayerCache
from bedside.oci.layout import OciLayout
from bedside.oci.parts import Assembled, Part
from bedside.oci.reference import Reference
from bedside.oci.registry.download import download
from bedside.oci.registry.parallel import all_parts
from bedside.oci.registry.progress import Tell, quiet
from bedside.oci.registry.push import Pushing, pushing
from bedside.oci.registry.registries import Registries
from bedside.oci.storage import READ_ONLY, TEMPORARY, file_digest, refusals
from bedside.package.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is published.

    Attributes:
        assembled: The MAP, or an index over one per platform.
        attached: Artifacts about it (SBOM, provenance, signatures), each with its subject.
        signatures: Artifacts that get a name of their own too, under which verifiers look for them.
        name: ``repository:tag``, as engines will call it.
    """

    assembled: Assembled
    attached: tuple[Assembled, ...] = ()
    signatures: Mapping[str, Assembled] = field(default_factory=dict)
    name: str

    @property
    def tag(self) -> str:
        """The tag alone."""
        return self.name.rpartition(":")[2]

    def blobs(self) -> list[Part]:
        """Return the blobs of all."""
        every = (self.assembled, *self.attached, *self.signatures.values())
        return [part for one in every for part in all_parts(one)]


def publish(
    publication: Publication,
    targets: Sequence[Target],
    *,
    cache: LayerCache,
    registries: Registries,
    tell: Tell = quiet,
) -> None:
    """Bring a MAP to each of its places; each has all of it or nothing with its name.

    Args:
        publication: What to publish.
        targets: Where to; those on this machine come first.
        cache: Takes what must be fetched.
        registries: Have the credentials.
        tell: Is told what moves.

    Raises:
        Unavailable: A disk is full, or a registry is not there.
        ConfigError: A registry refuses the credentials, or a blob is damaged.
    """
    with Publisher(targets, cache=cache, registries=registries, tell=tell) as publisher:
        publisher.publish(publication)


class Publisher:
    """Brings one MAP to its places, to registries from the moment that a blob is there; use it with ``with``.

    Uploading 20 MB takes a registry longer than making them takes us, so it shall not wait for the rest to
    be made. A blob without a manifest is nothing there: nobody finds it, and the registry's cleaning
    takes it away where the rest never comes.

    Args:
        targets: Where to.
        cache: Takes what must be fetched.
        registries: Have the credentials.
        tell: Is told what moves.
    """

    def __init__(
        self, targets: Sequence[Target], *, cache: LayerCache, registries: Registries, tell: Tell = quiet
    ) -> None:
        self._here = [target for target in targets if target.reference is None]
        self._references = [target.reference for target in targets if target.reference is not None]
        self._cache = cache
        self._registries = registries
        self._tell = tell
        self._pushing: dict[tuple[str, str], Pushing] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for reference in self._references:
            place = (reference.host, reference.repository)
            if place not in self._pushing:
                under_way = pushing(reference, self._registries, self._tell)
                self._pushing[place] = self._stack.enter_context(under_way)
                # 30 ms that would otherwise pass between the first blob and its upload.
                self._pushing[place].connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def take(self, part: Part) -> None:
        """Take a blob of the MAP, or of what belongs to it."""
        for one in self._pushing.values():
            one.start(part)

    def publish(self, publication: Publication) -> None:
        """Bring all to its places; raises as `publish` does."""
        if self._here:
            whole = localised(publication.assembled, self._cache, self._registries, self._tell)
            for target in self._here:
                _write(replace(publication, assembled=whole), target)
        for reference in self._references:
            self._push(publication, reference)

    def _push(self, publication: Publication, reference: Reference) -> None:
        made = publication.assembled
        under_way = self._pushing[(reference.host, reference.repository)]
        under_way.start(*publication.blobs())
        under_way.finish()
        # First without a name, so that a cut leaves no artifact about a MAP that is not there.
        under_way.put([made])
        under_way.put(publication.attached)
        for tag, one in publication.signatures.items():
            under_way.put([one], tag)
        under_way.name(made, reference.tag or publication.tag)


def localised(assembled: Assembled, cache: LayerCache, registries: Registries, tell: Tell) -> Assembled:
    """Return the same with every part on this machine, fetched into the cache where it is not."""
    return replace(
        assembled,
        members=tuple(localised(member, cache, registries, tell) for member in assembled.members),
        parts=tuple(_fetched(part, cache, registries, tell) for part in assembled.parts),
    )


def _fetched(part: Part, cache: LayerCache, registries: Registries, tell: Tell) -> Part:
    if part.path is not None:
        return part
    if part.origin is None:
        raise ConfigError(f"blob {part.descriptor.digest}: nobody says where it is")
    place = cache.blob(part.descriptor.digest)
    if not (place.is_file() and file_digest(place) == part.descriptor.digest):
        staged = place.parent / f"{TEMPORARY}{place.name}"
        with refusals(place.parent):
            place.parent.mkdir(parents=True, exist_ok=True)
            download(registries.at(part.origin), part.descriptor, staged, tell)
            staged.chmod(READ_ONLY)
            staged.replace(place)
    return replace(part, path=place)


def _write(publication: Publication, target: Target) -> None:
    if target.archive is not None:
        beside = (*publication.attached, *publication.signatures.values())
        write_archive(publication.assembled, target.archive, name=publication.name, attached=beside)
        return
    assert target.layout is not None
    layout = OciLayout(target.layout)
    for one in (*publication.attached, *publication.signatures.values()):
        layout.add(one)
    layout.add(publication.assembled, tag=publication.tag)
