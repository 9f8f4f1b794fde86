"""OCI layout folders: container images by digest on a disk, named by tags in ``index.json``.

Owns the folder's form (OCI image specification, "Image Layout") and its order of writing: blobs, then
manifests, then the name, so that what has a name is whole. Refuses blobs whose bytes are not what
their name says.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bedside.errors import ConfigError, NotFound, UsageError
from bedside.oci.descriptor import INDEXES, MANIFESTS, Descriptor, Platform, sha256_digest
from bedside.oci.manifest import canonical
from bedside.oci.parts import Assembled, Part
from bedside.oci.storage import TEMPORARY, file_digest, link_or_copy, locked, refusals, write_file

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
BLOBS = "blobs/sha256"


class OciLayout:
    """One layout folder.

    Args:
        root: The folder. It is made when something is added; see `open_layout` for one that must be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, assembled: Assembled, *, tag: str = "") -> Descriptor:
        """Take in a container image, index or artifact, all of whose parts lie on this machine.

        Args:
            assembled: What to take in.
            tag: Its name here; a name that is taken leads to the new one from now on.

        Returns:
            Its descriptor; the same content has the same digest everywhere.

        Raises:
            ConfigError: A part's bytes are not what its digest says.
            Unavailable: The disk is full. Nothing has the name then.
        """
        self._add_content(assembled)
        descriptor = assembled.descriptor
        with self._entries() as entries:
            _enter(entries, descriptor, tag)
        return descriptor

    def tags(self) -> dict[str, Descriptor]:
        """Return what each tag names."""
        return {one.annotations[REF_NAME]: one for one in self.descriptors() if one.annotations.get(REF_NAME)}

    def descriptors(self) -> list[Descriptor]:
        """Return all that ``index.json`` names, tagged or not."""
        return [Descriptor.from_json(entry) for entry in self._read_index().get("manifests", [])]

    def resolve(self, reference: str = "") -> Descriptor:
        """Return what a tag or digest names.

        Args:
            reference: A tag, a digest, or nothing where the layout holds one container image only.

        Raises:
            NotFound: No such name here.
            UsageError: Nothing was said and there are several.
        """
        entries = self.descriptors()
        if reference.startswith("sha256:"):
            found = [entry for entry in entries if entry.digest == reference]
            return found[0] if found else self._by_digest(reference)
        if reference:
            named = [entry for entry in entries if _names(entry, reference)]
            if named:
                return named[0]
            tags = ", ".join(sorted(self.tags())) or "none"
            raise NotFound(f"{self.root}: no tag {reference}; there: {tags}")
        plain = {entry.digest: entry for entry in entries if not entry.artifact_type}
        if not plain:
            raise NotFound(f"{self.root}: holds no container image")
        if len(plain) > 1:
            tags = ", ".join(sorted(self.tags())) or "none"
            raise UsageError(
                f"{self.root}: holds {len(plain)} container images (tags: {tags})",
                hint=f"name one: {self.root}:TAG",
            )
        return next(iter(plain.values()))

    def member(self, descriptor: Descriptor, platform: Platform) -> Descriptor:
        """Return the manifest for a platform: the descriptor itself, or the fitting one of an index.

        Raises:
            NotFound: The index has none for it.
        """
        if descriptor.media_type not in INDEXES:
            return descriptor
        members = [Descriptor.from_json(entry) for entry in self.document(descriptor)["manifests"]]
        for one in members:
            if one.platform and (one.platform.os, one.platform.architecture) == (
                platform.os,
                platform.architecture,
            ):
                return one
        there = ", ".join(str(one.platform) for one in members if one.platform)
        raise NotFound(f"{descriptor.digest}: not for {platform}; it is for {there or 'no platform'}")

    def blob(self, digest: str) -> Path:
        """Return where a blob lies, or would lie."""
        return self.root / BLOBS / digest.partition(":")[2]

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a small blob's bytes, checked.

        Raises:
            NotFound: It is not here.
            ConfigError: Its bytes are not what its digest says.
        """
        try:
            data = self.blob(descriptor.digest).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound(f"{self.root}: blob {descriptor.digest} is missing") from exc
        if sha256_digest(data) != descriptor.digest:
            raise _damaged(self.root, descriptor.digest)
        return data

    def document(self, descriptor: Descriptor) -> dict[str, Any]:
        """Return the JSON object of a manifest, index or configuration, checked."""
        document = json.loads(self.read(descriptor))
        if not isinstance(document, dict):
            raise ConfigError(f"{descriptor.digest}: no JSON object")
        return document

    def remove(self, tag: str) -> None:
        """Take a name away; the content goes with the next `prune`.

        Raises:
            NotFound: No such name here.
        """
        with self._entries() as entries:
            left = [entry for entry in entries if not _names(Descriptor.from_json(entry), tag)]
            if len(left) == len(entries):
                raise NotFound(f"{self.root}: no tag {tag}")
            entries[:] = left

    def prune(self) -> int:
        """Remove the blobs that nothing in ``index.json`` leads to, and return the bytes freed."""
        with self._entries():
            kept = {digest for entry in self.descriptors() for digest in self.reachable(entry)}
            freed = 0
            for place in (self.root / BLOBS).glob("*"):
                if f"sha256:{place.name}" not in kept and not place.name.startswith(TEMPORARY):
                    freed += place.stat().st_size
                    place.unlink()
        return freed

    def reachable(self, descriptor: Descriptor) -> Iterator[str]:
        """Yield the digests of a container image, index or artifact and all that belongs to it."""
        yield descriptor.digest
        if descriptor.media_type in INDEXES:
            for entry in self.document(descriptor)["manifests"]:
                yield from self.reachable(Descriptor.from_json(entry))
        elif descriptor.media_type in MANIFESTS:
            manifest = self.document(descriptor)
            yield from (str(one["digest"]) for one in (manifest["config"], *manifest["layers"]))

    def verify(self) -> list[str]:
        """Read everything that has a name, and return what is missing or damaged, by digest."""
        problems = []
        for entry in self.descriptors():
            try:
                digests = list(dict.fromkeys(self.reachable(entry)))
            except (NotFound, ConfigError) as exc:
                problems.append(exc.message)
                continue
            for digest in digests:
                if not self.blob(digest).is_file():
                    problems.append(f"{digest} is missing")
                elif file_digest(self.blob(digest)) != digest:
                    problems.append(f"{digest} is damaged")
        return list(dict.fromkeys(problems))

    def assembled(self, descriptor: Descriptor) -> Assembled:
        """Return a container image, index or artifact of this layout, ready to go elsewhere."""
        data = self.read(descriptor)
        document = json.loads(data)
        if descriptor.media_type in INDEXES:
            members = [self.assembled(Descriptor.from_json(entry)) for entry in document["manifests"]]
            return Assembled(manifest=data, descriptor=descriptor, members=tuple(members))
        named = [Descriptor.from_json(entry) for entry in (document["config"], *document["layers"])]
        return Assembled(
            manifest=data,
            descriptor=descriptor,
            parts=tuple(Part(descriptor=one, path=self.blob(one.digest)) for one in named),
        )

    def _add_content(self, assembled: Assembled) -> None:
        for member in assembled.members:
            self._add_content(member)
        for part in assembled.parts:
            self._add_blob(part)
        place = self.blob(assembled.descriptor.digest)
        if not place.is_file() or place.read_bytes() != assembled.manifest:
            write_file(place, assembled.manifest)

    def _add_blob(self, part: Part) -> None:
        place = self.blob(part.descriptor.digest)
        if place.is_file() and place.stat().st_size == part.descriptor.size_bytes:
            return
        assert part.path is not None, "parts are brought here before they are added"
        if not part.path.is_file() or file_digest(part.path) != part.descriptor.digest:
            raise _damaged(part.path, part.descriptor.digest)
        link_or_copy(part.path, place)

    def _by_digest(self, digest: str) -> Descriptor:
        """Return a manifest that only an index names."""
        for entry in self.descriptors():
            if entry.media_type in INDEXES:
                for member in self.document(entry)["manifests"]:
                    if member.get("digest") == digest:
                        return Descriptor.from_json(member)
        raise NotFound(f"{self.root}: no manifest {digest}")

    @contextmanager
    def _entries(self) -> Iterator[list[dict[str, Any]]]:
        """Give the entries of ``index.json`` to change, and write them back."""
        with locked(self.root / ".lock"):
            if not (self.root / LAYOUT_FILE).is_file():
                write_file(self.root / LAYOUT_FILE, LAYOUT_CONTENT)
            document = self._read_index()
            entries = list(document.get("manifests", []))
            yield entries
            with refusals(self.root):
                write_file(self.root / INDEX_FILE, index_bytes(entries))

    def _read_index(self) -> dict[str, Any]:
        try:
            document = json.loads((self.root / INDEX_FILE).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as exc:
            raise ConfigError(f"{self.root}: {INDEX_FILE} is not JSON") from exc
        return document if isinstance(document, dict) else {}


def open_layout(root: Path) -> OciLayout:
    """Return a layout that must be there.

    Raises:
        NotFound: No such folder.
        ConfigError: It is no OCI layout.
    """
    if not root.is_dir():
        raise NotFound(f"{root}: no such folder")
    if not (root / LAYOUT_FILE).is_file() or not (root / INDEX_FILE).is_file():
        raise ConfigError(
            f"{root}: no OCI layout, {LAYOUT_FILE} or {INDEX_FILE} is missing",
            hint=f"bedside package -o {root}",
        )
    return OciLayout(root)


def index_bytes(entries: Sequence[dict[str, Any]]) -> bytes:
    """Return the content of ``index.json``."""
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": list(entries),
        }
    )


def named(descriptor: Descriptor, tag: str) -> Descriptor:
    """Return a descriptor as ``index.json`` names it: by a tag, or by none."""
    others = {key: value for key, value in descriptor.annotations.items() if key != REF_NAME}
    return replace(descriptor, annotations={**others, **({REF_NAME: tag} if tag else {})})


def _enter(entries: list[dict[str, Any]], descriptor: Descriptor, tag: str) -> None:
    kept = [
        entry
        for entry in entries
        if not (tag and _names(Descriptor.from_json(entry), tag))
        # What had no name so far has one now, or is named already.
        and not (
            entry.get("digest") == descriptor.digest and not (entry.get("annotations") or {}).get(REF_NAME)
        )
    ]
    if tag or not any(entry.get("digest") == descriptor.digest for entry in kept):
        kept.append(named(descriptor, tag).to_json())
    entries[:] = kept


def _names(entry: Descriptor, tag: str) -> bool:
    """Whether an entry has this tag; skopeo and podman write a whole reference, of which the end counts."""
    name = entry.annotations.get(REF_NAME, "")
    return name == tag or name.rpartition("/")[2].rpartition(":")[2] == tag != ""


def _damaged(place: Path, digest: str) -> ConfigError:
    return ConfigError(f"{place}: is not the blob {digest}", hint="bedside package --clear-cache")
