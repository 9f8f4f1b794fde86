"""The places a person names for a MAP, and the tag it has there.

Owns the reading of those names, and touches none of the places beyond a look. Imports nothing of registries:
what was typed is checked before they are needed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import UsageError
from bedside.oci.layout import INDEX_FILE
from bedside.oci.reference import Reference, names_host

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
