"""What layers are made of and what they become: entries, recipes, layers, parts.

Owns the values that the builders of layers (base, wheels, model, manifests), the writer of tars and
the places that images go to have in common. A recipe is known by a key over its inputs, so that an
unchanged layer is found in the cache without reading one of its files.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bedside.oci.descriptor import Descriptor


class EntryKind(StrEnum):
    """What an entry of a layer is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a layer. Owners are root and times are zero in every layer bedside writes.

    Attributes:
        path: Relative to the root, ``/``-separated, no empty, ``.`` or ``..`` part.
        kind: What it is.
        mode: Permission bits; 0o755 where a directory or program says nothing else.
        content: Of a file: its bytes, or a file that holds them.
        target: Of a link: where it leads (of a hard link: a path like `path`).
    """

    path: str
    kind: EntryKind = EntryKind.FILE
    mode: int = 0o644
    content: bytes | Path = b""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A layer by its inputs.

    Attributes:
        key: Digest over all that determines its entries; equal keys are equal layers.
        comment: What it holds, for the image's history.
        entries: Makes the entries; called only where the cache does not know the key.
    """

    key: str
    comment: str
    entries: Callable[[], Iterable[Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A registry's repository that holds a blob already.

    Attributes:
        host: The registry, with its port where it has one.
        repository: The name there.
    """

    host: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A blob of an image and where its bytes can be had.

    Attributes:
        descriptor: Its name.
        path: A local file that holds it, or None.
        origin: A repository that holds it, from where it can be mounted or fetched; or None.
    """

    descriptor: Descriptor
    path: Path | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that has been written, or that a base brought.

    Attributes:
        part: The compressed blob.
        diff_id: Digest of the tar within.
        comment: What it holds, for the image's history.
    """

    part: Part
    diff_id: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An image (or an index over several) ready to go somewhere.

    Attributes:
        manifest: Its exact bytes.
        descriptor: Of the manifest; ``descriptor.digest`` is the identity of a release.
        parts: Config and layers of a manifest; empty for an index.
        members: Manifests of an index, each assembled; empty for a manifest.
    """

    manifest: bytes
    descriptor: Descriptor
    parts: tuple[Part, ...] = ()
    members: "tuple[Assembled, ...]" = ()
