"""One tar that `docker load` and `podman load` take, and that is an OCI layout as well.

Owns the form that `docker save` has had since version 25: an OCI layout with a ``manifest.json`` that
names configuration and layers of one container image by their paths. Of an index, which `docker load`
does not know, ``manifest.json`` names the first member; the whole index is in the layout.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bedside.errors import ConfigError
from bedside.oci.descriptor import LAYER_ZSTD, Descriptor
from bedside.oci.layout import BLOBS, INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE, index_bytes, named
from bedside.oci.parts import Assembled, Entry, EntryKind, Part
from bedside.oci.reference import names_host
from bedside.oci.storage import file_digest, new_file
from bedside.oci.tar import tar

MANIFEST_FILE = "manifest.json"
CONTAINERD_NAME = "io.containerd.image.name"


def write_archive(
    assembled: Assembled, place: Path, *, name: str, attached: tuple[Assembled, ...] = ()
) -> None:
    """Write a container image or index, all of whose parts lie on this machine, as one tar.

    Args:
        assembled: What to write.
        place: The file; there when all is written, and never in part.
        name: What the engines will call it, ``repository:tag``.
        attached: Artifacts about it, for the layout.

    Raises:
        ConfigError: A part's bytes are not what its digest says.
        Unavailable: The disk is full.
    """
    entries = list(_entries(assembled, name, attached))
    with new_file(place) as stream:
        for chunk in tar(entries):
            stream.write(chunk)


def docker_reads(assembled: Assembled) -> bool:
    """Whether every `docker load` reads it: versions before 23 know no zstd."""
    return all(part.descriptor.media_type != LAYER_ZSTD for part in first_member(assembled).parts)


def first_member(assembled: Assembled) -> Assembled:
    """Return a manifest itself, or the first of an index."""
    return assembled.members[0] if assembled.members else assembled


def _entries(assembled: Assembled, name: str, attached: tuple[Assembled, ...]) -> Iterator[Entry]:
    yield Entry(path=LAYOUT_FILE, content=LAYOUT_CONTENT)
    entries = [_called(assembled.descriptor, name), *(named(one.descriptor, "") for one in attached)]
    yield Entry(path=INDEX_FILE, content=index_bytes([entry.to_json() for entry in entries]))
    config, *layers = first_member(assembled).parts
    loaded = [{"Config": _path(config), "RepoTags": [name], "Layers": [_path(layer) for layer in layers]}]
    yield Entry(path=MANIFEST_FILE, content=json.dumps(loaded, separators=(",", ":")).encode())
    yield Entry(path=BLOBS, kind=EntryKind.DIRECTORY, mode=0o755)
    blobs: dict[str, Entry] = {}
    for one in (assembled, *attached):
        blobs.update({entry.path: entry for entry in _blobs(one)})
    yield from blobs.values()


def _called(descriptor: Descriptor, name: str) -> Descriptor:
    """Return a descriptor with the names that engines look for: podman the one, containerd the other."""
    entry = named(descriptor, name)
    host = "" if names_host(name) else "docker.io/" if "/" in name else "docker.io/library/"
    return replace(entry, annotations={**entry.annotations, CONTAINERD_NAME: host + name})


def _blobs(assembled: Assembled) -> Iterator[Entry]:
    for member in assembled.members:
        yield from _blobs(member)
    yield Entry(path=f"{BLOBS}/{assembled.descriptor.hex}", content=assembled.manifest)
    for part in assembled.parts:
        assert part.path is not None, "parts are brought here before they are written"
        if not part.path.is_file() or file_digest(part.path) != part.descriptor.digest:
            raise ConfigError(
                f"{part.path}: is not the blob {part.descriptor.digest}", hint="bedside package --clear-cache"
            )
        yield Entry(path=_path(part), content=part.path)


def _path(part: Part) -> str:
    return f"{BLOBS}/{part.descriptor.hex}"
