"""Unpacks one wheel into a folder as it lies in ``site-packages``, pruned and with bytecode.

Owns the format (PyPA specification "Binary distribution format") as far as a container image needs it:
``purelib`` and ``platlib`` join the root, scripts and headers stay out. Libraries that a zip holds under
several names, having no links, become links again.
"""

import hashlib
import zipfile
from pathlib import Path, PurePosixPath

from bedside.errors import ConfigError
from bedside.package.base.interpreter import Interpreter
from bedside.package.base.unpacked import unpacking
from bedside.package.wheels.elf import blank_symbols
from bedside.package.wheels.prune import SELDOM_IMPORTED, travels

#: Where wheels lie in the container image, and what ``PYTHONPATH`` names.
SITE_PACKAGES = "opt/bedside/lib/python3.11/site-packages"
_CHUNK_BYTES = 1 << 20


def unpack_wheel(wheel: Path, place: Path, *, interpreter: Interpreter, prune: bool) -> None:
    """Unpack a wheel to a folder that appears whole.

    Args:
        wheel: The file.
        place: The folder; must not be there.
        interpreter: Makes the bytecode.
        prune: Leave out what `bedside.package.wheels.prune` names.

    Raises:
        ConfigError: the file is no wheel, or holds a path that leaves its folder.
        Unavailable: the disk is full, or the interpreter does not run.
    """
    with unpacking(place) as folder:
        try:
            with zipfile.ZipFile(wheel) as archive:
                _extract(archive, folder, prune=prune)
        except (zipfile.BadZipFile, ValueError) as exc:
            raise ConfigError(f"{wheel.name}: not a wheel ({exc})") from exc
        _link_twins(folder)
        if prune:
            for library in folder.rglob("*.so*"):
                if library.is_file() and not library.is_symlink():
                    blank_symbols(library)
        interpreter.compile(folder, shown=f"/{SITE_PACKAGES}", left_out=SELDOM_IMPORTED if prune else ())


def _extract(archive: zipfile.ZipFile, folder: Path, *, prune: bool) -> None:
    for member in archive.infolist():
        path = _installed_path(member.filename)
        if member.is_dir() or path is None or path.endswith(".pyc") or (prune and not travels(path)):
            continue
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, place.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)
        place.chmod(0o755 if member.external_attr >> 16 & 0o100 else 0o644)


def _installed_path(name: str) -> str | None:
    """Return where a member of a wheel goes below ``site-packages``; None for what stays out."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ValueError(f"path {name!r}")
    if parts[0].endswith(".data"):
        return "/".join(parts[2:]) if parts[1:2] in {("purelib",), ("platlib",)} and parts[2:] else None
    if parts[0].endswith(".dist-info") and parts[-1] in {"RECORD", "INSTALLER", "RECORD.jws", "RECORD.p7s"}:
        return None
    return "/".join(parts)


def _link_twins(folder: Path) -> None:
    """Turn libraries of the same bytes in one folder into links to the one with the longest name."""
    seen: dict[tuple[Path, str], Path] = {}
    libraries = [path for path in folder.rglob("*.so*") if path.is_file()]
    for path in sorted(libraries, key=lambda path: (-len(path.name), path)):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        twin = seen.setdefault((path.parent, digest), path)
        if twin is not path:
            path.unlink()
            path.symlink_to(twin.name)
