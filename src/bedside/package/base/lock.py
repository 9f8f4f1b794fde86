"""The lock of a Debian base: which packages, by version, size and hash, for each architecture.

Owns the file's form. A build trusts the hashes in the lock and needs no signature: those were checked
when the lock was made (`bedside.package.base.resolve`), and the lock is reviewed and committed like code.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bedside.errors import ConfigError
from bedside.oci.descriptor import sha256_digest

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """One binary package.

    Attributes:
        name: Of the binary package.
        version: As Debian writes it.
        architecture: ``amd64``, ``arm64`` or ``all``.
        archive: ``debian`` or ``debian-security``.
        path: Below the archive's root, ``pool/…``.
        size_bytes: Of the file.
        sha256: Of the file, hex.
    """

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size_bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "version": self.version,
            "architecture": self.architecture,
            "archive": self.archive,
            "path": self.path,
            "size": self.size_bytes,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A suite's ``InRelease`` that the lock was made from.

    Attributes:
        archive: ``debian`` or ``debian-security``.
        suite: E.g. ``bookworm-updates``.
        date: As the file says.
        sha256: Of the file.
        signed_by: Fingerprints of the keys whose signatures were good.
    """

    archive: str
    suite: str
    date: str
    sha256: str
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianLock:
    """The packages of a base.

    Attributes:
        suite: ``bookworm``.
        snapshot: Time of making, ``YYYYMMDDThhmmssZ``: the state of the archive that holds every package.
        releases: What vouched for the packages.
        packages: By architecture of the machine, each sorted by name.
    """

    suite: str
    snapshot: str
    releases: tuple[Release, ...]
    packages: Mapping[str, tuple[DebianPackage, ...]]

    def for_architecture(self, architecture: str) -> tuple[DebianPackage, ...]:
        """Return the packages for a machine. Raises `ConfigError` where the lock has none."""
        if architecture not in self.packages:
            known = ", ".join(sorted(self.packages))
            raise ConfigError(f"Debian lock: no packages for {architecture}, only for {known}")
        return self.packages[architecture]

    def to_json(self) -> str:
        """Return the file's text, one package a line, so that a diff shows what changed."""
        head = {
            "format": FORMAT,
            "suite": self.suite,
            "snapshot": self.snapshot,
            "releases": [
                {
                    "archive": release.archive,
                    "suite": release.suite,
                    "date": release.date,
                    "sha256": release.sha256,
                    "signed_by": list(release.signed_by),
                }
                for release in self.releases
            ],
        }
        blocks = [
            f"    {json.dumps(architecture)}: [\n"
            + ",\n".join(f"      {json.dumps(package.to_json())}" for package in packages)
            + "\n    ]"
            for architecture, packages in sorted(self.packages.items())
        ]
        text = json.dumps(head, indent=2)
        return text[:-2] + ',\n  "packages": {\n' + ",\n".join(blocks) + "\n  }\n}\n"

    @property
    def digest(self) -> str:
        """``sha256:…`` over the file's text."""
        return sha256_digest(self.to_json().encode())


def read_debian_lock(path: Path | None = None) -> DebianLock:
    """Return a lock.

    Args:
        path: The file; the lock that bedside brings where it is None.

    Raises:
        ConfigError: the file cannot be read, or a field is missing or of the wrong form.
    """
    source = path or files("bedside.package") / "locks" / "debian-bookworm.json"
    try:
        return parse_debian_lock(source.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{source}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        hint = f"bedside package --refresh-base {path}" if path else ""
        raise ConfigError(f"{source}: not a lock of Debian packages ({exc!r})", hint=hint) from exc


def parse_debian_lock(text: str) -> DebianLock:
    """Return the lock of a text. Raises `ValueError`, `KeyError` or `TypeError` where it is none."""
    document = json.loads(text)
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, not {FORMAT}")
    if not _SNAPSHOT.fullmatch(document["snapshot"]):
        raise ValueError(f"snapshot {document['snapshot']!r}")
    return DebianLock(
        suite=str(document["suite"]),
        snapshot=str(document["snapshot"]),
        releases=tuple(
            Release(
                archive=str(item["archive"]),
                suite=str(item["suite"]),
                date=str(item["date"]),
                sha256=str(item["sha256"]),
                signed_by=tuple(map(str, item["signed_by"])),
            )
            for item in document["releases"]
        ),
        packages={
            str(architecture): tuple(_package(item) for item in packages)
            for architecture, packages in document["packages"].items()
        },
    )


def _package(item: Mapping[str, Any]) -> DebianPackage:
    package = DebianPackage(
        name=str(item["name"]),
        version=str(item["version"]),
        architecture=str(item["architecture"]),
        archive=str(item["archive"]),
        path=str(item["path"]),
        size_bytes=int(item["size"]),
        sha256=str(item["sha256"]),
    )
    if not _SHA256.fullmatch(package.sha256):
        raise ValueError(f"{package.name}: sha256 {package.sha256!r}")
    if not package.path.startswith("pool/") or ".." in package.path.split("/"):
        raise ValueError(f"{package.name}: path {package.path!r}")
    return package
