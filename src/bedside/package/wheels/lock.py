"""The lock of wheels: which versions and files a variant of the runtime is made of.

Owns the file's form. One file by its hash for each wheel and platform, so that the same lock makes the same
layers everywhere, whichever index or folder the wheels come from.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from bedside.errors import ConfigError
from bedside.oci.descriptor import sha256_digest

FORMAT = 1
PYTHON = "3.11"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Variant(StrEnum):
    """What computes."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """One file.

    Attributes:
        filename: As the index names it.
        sha256: Of the file, hex.
    """

    filename: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One distribution.

    Attributes:
        name: Normalised (PEP 503).
        version: With its local part, e.g. ``2.13.0+cpu``.
        licence: SPDX expression or what the metadata says; empty where it says nothing.
        files: By architecture; ``any`` for a wheel that runs on all.
    """

    name: str
    version: str
    licence: str
    files: Mapping[str, WheelFile]

    def for_architecture(self, architecture: str) -> WheelFile:
        """Return the file for a machine. Raises `ConfigError` where the lock has none."""
        found = self.files.get(architecture) or self.files.get("any")
        if found is None:
            raise ConfigError(
                f"{self.name} {self.version}: the lock has no wheel for {architecture}, only for "
                f"{', '.join(sorted(self.files))}"
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelLock:
    """The wheels of a variant.

    Attributes:
        variant: CPU or CUDA.
        python: Version of Python they are for.
        wheels: Sorted by name.
    """

    variant: Variant
    python: str
    wheels: tuple[Wheel, ...]

    def to_json(self) -> str:
        """Return the file's text, one wheel a line, so that a diff shows what changed."""
        lines = [
            json.dumps(
                {
                    "name": wheel.name,
                    "version": wheel.version,
                    "licence": wheel.licence,
                    "files": {
                        name: {"filename": file.filename, "sha256": file.sha256}
                        for name, file in sorted(wheel.files.items())
                    },
                }
            )
            for wheel in self.wheels
        ]
        head = json.dumps({"format": FORMAT, "variant": self.variant, "python": self.python}, indent=2)
        return head[:-2] + ',\n  "wheels": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"

    @property
    def digest(self) -> str:
        """``sha256:…`` over the file's text."""
        return sha256_digest(self.to_json().encode())


def read_wheel_lock(variant: Variant = Variant.CPU, path: Path | None = None) -> WheelLock:
    """Return a lock.

    Args:
        variant: Which of the locks that bedside brings.
        path: Another file instead.

    Raises:
        ConfigError: the file cannot be read, or a field is missing or of the wrong form.
    """
    source = path or files("bedside.package") / "locks" / f"wheels-{variant}.json"
    try:
        return _parse(json.loads(source.read_text(encoding="utf-8")))
    except OSError as exc:
        raise ConfigError(f"{source}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{source}: not a lock of wheels ({exc!r})") from exc


def _parse(document: Mapping[str, Any]) -> WheelLock:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, not {FORMAT}")
    return WheelLock(
        variant=Variant(document["variant"]),
        python=str(document["python"]),
        wheels=tuple(
            Wheel(
                name=str(item["name"]),
                version=str(item["version"]),
                licence=str(item["licence"]),
                files={str(name): _file(file) for name, file in item["files"].items()},
            )
            for item in document["wheels"]
        ),
    )


def _file(item: Mapping[str, Any]) -> WheelFile:
    file = WheelFile(filename=str(item["filename"]), sha256=str(item["sha256"]))
    if not _SHA256.fullmatch(file.sha256) or "/" in file.filename or not file.filename.endswith(".whl"):
        raise ValueError(f"file {file}")
    return file
