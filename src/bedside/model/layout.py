"""The files of a bundle, wherever they lie: a folder, a ZIP, a tar, or inside a TorchScript file.

Owns the answer to "which files does this bundle consist of, and what is in them" and the unpacking of
an archive into a folder. It refuses archives whose members would land outside that folder. All forms of
one bundle give the same relative names, so that they also have the same digest.
"""

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, TypeVar

from bedside.errors import ConfigError

_Member = TypeVar("_Member")

METADATA = "configs/metadata.json"
#: What changes nothing about a model's answers.
_IGNORED_PARTS = frozenset({"docs", "eval", "__pycache__", "test", "tests", "mlruns", "wandb"})
_IGNORED_SUFFIXES = frozenset({".pyc", ".log", ".tmp"})
_CHUNK = 1 << 20


def matters(name: str) -> bool:
    """Return whether a file is part of what a release is: not documentation, caches or hidden files."""
    path = PurePosixPath(name)
    return not (
        path.suffix in _IGNORED_SUFFIXES
        or any(part.startswith(".") for part in path.parts)
        or _IGNORED_PARTS & set(path.parts[:-1])
    )


class Layout(Protocol):
    """The files of one bundle under their relative names."""

    def names(self) -> list[str]:
        """Return all relative names, sorted."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        ...

    def close(self) -> None:
        """Give back the archive."""
        ...


class Folder:
    """A bundle that lies in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """Return the names of all regular files."""
        return sorted(
            path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file()
        )

    def open(self, name: str) -> IO[bytes]:
        """Open a file."""
        return (self._root / name).open("rb")

    def close(self) -> None:
        """Do nothing: a folder holds nothing open."""


class Zip:
    """A bundle in a ZIP archive, at its top or one folder down."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            if info.flag_bits & 1:
                raise ConfigError("bundle archive is encrypted; give it unpacked")
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                raise ConfigError("bundle archive holds a link; pack the files themselves")
        self._members = _rooted({_safe(info.filename): info for info in members})

    def names(self) -> list[str]:
        """Return the names of all members below the bundle's root."""
        return sorted(self._members)

    def open(self, name: str) -> IO[bytes]:
        """Open a member."""
        return self._archive.open(self._members[name])

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


class Tar:
    """A bundle in a tar archive, at its top or one folder down."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        members = [info for info in archive.getmembers() if not info.isdir()]
        if any(not info.isfile() for info in members):
            raise ConfigError("bundle archive holds a link or a device; pack the files themselves")
        self._members = _rooted({_safe(info.name): info for info in members})

    def names(self) -> list[str]:
        """Return the names of all members below the bundle's root."""
        return sorted(self._members)

    def open(self, name: str) -> IO[bytes]:
        """Open a member."""
        stream = self._archive.extractfile(self._members[name])
        assert stream is not None
        return stream

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


class TorchScript:
    """A TorchScript file that carries its bundle's configuration, as ``monai.bundle ckpt_export`` writes it.

    The file itself is ``models/model.ts``; what lies under ``extra/`` becomes ``configs/``.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self._members = {}
        for info in archive.infolist():
            parts = PurePosixPath(_safe(info.filename)).parts
            if len(parts) == 3 and parts[1] == "extra":
                name = parts[2] if "." in parts[2] else f"{parts[2]}.json"
                self._members[f"configs/{name}"] = info

    def names(self) -> list[str]:
        """Return the configuration files and the weights."""
        return sorted([*self._members, "models/model.ts"])

    def open(self, name: str) -> IO[bytes]:
        """Open the weights or a configuration file."""
        if name == "models/model.ts":
            return self._path.open("rb")
        return self._archive.open(self._members[name])

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


def _safe(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise ConfigError("bundle archive holds a path that leads outside it")
    return path.as_posix()


def _rooted(members: dict[str, _Member]) -> dict[str, _Member]:
    """Strip the folder that an archive wraps its bundle in."""
    roots = [name[: -len(METADATA)] for name in members if name.endswith(METADATA)]
    root = min(roots, key=len, default="")
    return {name[len(root) :]: member for name, member in members.items() if name.startswith(root)}


def open_layout(path: Path) -> Layout:
    """Return the files of the bundle at ``path``.

    Raises:
        ConfigError: There is nothing, or it is no folder and no archive.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise ConfigError("bundle: there is no such file or folder", hint="give the path of a MONAI bundle")
    try:
        if zipfile.is_zipfile(path):
            archive = zipfile.ZipFile(path)
            if any(
                info.filename.count("/") == 1 and info.filename.endswith("/data.pkl")
                for info in archive.infolist()
            ):
                return TorchScript(path, archive)
            return Zip(archive)
        return Tar(tarfile.open(path))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as exc:
        raise ConfigError(f"bundle: neither a folder, a ZIP, a tar nor a TorchScript file ({exc})") from exc


def digest_of(layout: Layout) -> str:
    """Return ``sha256:`` over the sorted (relative name, hash) pairs of the files that matter."""
    total = hashlib.sha256()
    for name in layout.names():
        if matters(name):
            part = hashlib.sha256()
            with layout.open(name) as stream:
                for chunk in iter(lambda: stream.read(_CHUNK), b""):
                    part.update(chunk)
            total.update(f"{name}\0{part.hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def unpack_bundle(source: Path, destination: Path) -> Path:
    """Copy the files of a bundle that matter into a new folder, whatever form it came in.

    Args:
        source: A folder, ZIP, tar or TorchScript file.
        destination: Made; its digest as a bundle is that of ``source``.

    Returns:
        ``destination``.

    Raises:
        ConfigError: The source is no bundle, or its members would lead outside ``destination``.
    """
    with closing(open_layout(source)) as layout:
        for name in _sources(layout):
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with layout.open(name) as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out, _CHUNK)
    return destination


def _sources(layout: Layout) -> Iterator[str]:
    return (name for name in layout.names() if matters(name))
