"""Where a MAP goes: an OCI layout folder, one tar, a registry; the same container image in each.

Owns reading the target that a person names, and the order: the MAP, what belongs to it, its name last.
A base that only a registry holds is fetched for the outputs on this machine, and taken over inside the
registry where it is the same one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bedside.errors import ConfigError, UsageError
from bedside.oci.archive import write_archive
from bedside.oci.cache import LayerCache
from bedside.oci.layout import INDEX_FILE, OciLayout
from bedside.oci.parts import Assembled, Part
from bedside.oci.reference import Reference, names_host
from bedside.oci.registry.download import download
from bedside.oci.registry.progress import Tell, quiet
from bedside.oci.registry.push import push
from bedside.oci.registry.registries import Registries
from bedside.oci.storage import READ_ONLY, TEMPORARY, file_digest, refusals

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9._-]+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place for a MAP; exactly one of the three is given.

    Attributes:
        layout: Folder of an OCI layout.
        archive: A tar that engines load.
        reference: In a registry.
    """

    layout: Path | None = None
    archive: Path | None = None
    reference: Reference | None = None

    def __str__(self) -> str:
        return str(self.layout or self.archive or self.reference)


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


def tag_of(version: str) -> str:
    """Return a version as a tag: other characters become dashes; nothing becomes ``latest``."""
    plain = _NOT_IN_TAGS.sub("-", version).lstrip(".-")[:128]
    return plain or "latest"


def check_tag(tag: str) -> str:
    """Return a tag that registries take. Raises `UsageError` where they do not."""
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"tag {tag!r}: letters, digits, '.', '_' and '-' only, at most 128", hint="--tag 1.0.0"
        )
    return tag


def parse_target(text: str, *, registry: bool = False) -> Target:
    """Read where a MAP shall go.

    Args:
        text: A folder, a file that ends with .tar, or a reference with its registry.
        registry: Whether it can only be a reference.

    Raises:
        UsageError: It is none of the three, or something else is there already.
    """
    if registry or (names_host(text) and not Path(text).exists()):
        reference = Reference.parse(text)
        if reference.digest:
            raise UsageError(f"{text}: the digest follows from the content", hint="name a tag instead")
        return Target(reference=reference)
    place = Path(text)
    if place.suffix == ".tar":
        if place.is_dir():
            raise UsageError(f"{place}: is a folder, and a tar was expected by its name")
        return Target(archive=place)
    if place.suffix in {".gz", ".tgz", ".zst", ".zip"}:
        raise UsageError(f"{place}: layers are compressed already", hint=f"-o {place.with_suffix('.tar')}")
    if place.is_file():
        raise UsageError(f"{place}: is a file; a folder, a .tar or a reference was expected")
    if place.is_dir() and any(place.iterdir()) and not (place / INDEX_FILE).is_file():
        raise UsageError(f"{place}: is not empty and no OCI layout", hint="name another with -o")
    return Target(layout=place)


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
    here = [target for target in targets if target.reference is None]
    if here:
        near = replace(publication, assembled=localised(publication.assembled, cache, registries, tell))
        for target in here:
            _write(near, target)
    for target in targets:
        if target.reference is not None:
            _push(publication, target.reference, registries, tell)


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


def _push(publication: Publication, reference: Reference, registries: Registries, tell: Tell) -> None:
    # First without a name, so that a cut leaves no artifact about a MAP that is not there.
    made = publication.assembled
    push(made, reference.at(made.descriptor.digest), registries, tell)
    for one in publication.attached:
        push(one, reference.at(one.descriptor.digest), registries, tell)
    for tag, one in publication.signatures.items():
        push(one, replace(reference, tag=tag), registries, tell)
    registries.at(reference).put_manifest(made.descriptor, made.manifest, reference.tag or publication.tag)
