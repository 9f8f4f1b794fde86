"""Layers become a folder: the root file system of a container, without root and without an engine.

Owns what the layers of a stranger may do to this machine: nothing outside the folder. Every path is
followed inside it, links included, as the kernel would after a change of root. Owners and devices are
left out, since the folder belongs to whoever unpacks it; set-id bits go, since nobody may use them.
See the OCI image specification, "Image Layer Filesystem Changeset".
"""

import contextlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bedside.errors import ConfigError, Unavailable
from bedside.oci.open import ContainerImage

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"

#: More links in one path than the kernel follows.
_MAX_LINKS = 40
_CHUNK = 1 << 20


def unpack_layers(image: ContainerImage, root: Path) -> None:
    """Unpack all layers of a container image into a new folder.

    Args:
        image: What to unpack.
        root: An empty folder.

    Raises:
        ConfigError: A layer is damaged or holds what no layer may.
        Unavailable: The folder cannot be written.
    """
    for layer in image.layers:
        try:
            with image.tar(layer) as stream:
                apply_layer(stream, root)
        except (tarfile.TarError, EOFError, ValueError) as exc:
            raise ConfigError(f"layer {layer.part.descriptor.digest}: cannot be read ({exc})") from exc
        except OSError as exc:
            raise Unavailable(
                f"layer {layer.part.descriptor.digest}: cannot be unpacked: {exc.strerror or exc}",
                hint=f"df -h {root}",
            ) from exc


def apply_layer(stream: BinaryIO, root: Path) -> None:
    """Apply one layer's tar to a folder.

    Raises:
        ConfigError: An entry leads out of the folder, or cannot be meant.
    """
    written: set[Path] = set()
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            _apply(tar, entry, root, written)


def inside(root: Path, path: str, *, follow_last: bool = True) -> Path:
    """Return where a path of a container leads, every link followed inside its root.

    Args:
        root: The root's folder.
        path: Absolute or relative to the root.
        follow_last: Whether a link at the end is followed too.

    Raises:
        ConfigError: Its links go round in circles.
    """
    left = [part for part in PurePosixPath(path).parts if part != "/"][::-1]
    here: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part == "..":
            here = here[:-1]
            continue
        place = root.joinpath(*here, part)
        if place.is_symlink() and (left or follow_last):
            links += 1
            if links > _MAX_LINKS:
                raise ConfigError(f"{path}: more than {_MAX_LINKS} links on the way")
            target = PurePosixPath(place.readlink())
            if target.is_absolute():
                here = []
            left += [piece for piece in target.parts if piece != "/"][::-1]
            continue
        here.append(part)
    return root.joinpath(*here)


def make_folders(root: Path, paths: Iterable[str]) -> None:
    """Make folders of a container, where they are not there, for what is mounted on them."""
    for path in paths:
        _parents(inside(root, path) / "x", root)


def _apply(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, written: set[Path]) -> None:
    name = PurePosixPath(entry.name)
    parts = [part for part in name.parts if part not in ("/", ".")]
    if ".." in parts:
        raise ConfigError(f"layer: entry {entry.name!r} leads out of the root")
    if not parts:
        return
    folder = inside(root, "/".join(parts[:-1]))
    last = parts[-1]
    if last == OPAQUE:
        _empty(folder, written)
    elif last.startswith(WHITEOUT):
        _remove(folder / last.removeprefix(WHITEOUT))
    else:
        place = folder / last
        _parents(place, root)
        _place(tar, entry, place, root)
        written.add(place)


def _place(tar: tarfile.TarFile, entry: tarfile.TarInfo, place: Path, root: Path) -> None:
    mode = stat.S_IMODE(entry.mode) & 0o1777
    if entry.isdir():
        if place.is_symlink() or not place.is_dir():
            _remove(place)
            place.mkdir()
        place.chmod(mode | 0o700)  # whoever unpacked it must be able to remove it
        return
    if entry.isfile():
        _remove(place)
        _write(tar, entry, place)
        place.chmod(mode | 0o400)
    elif entry.issym():
        _remove(place)
        place.symlink_to(entry.linkname)
    elif entry.islnk():
        target = inside(root, entry.linkname, follow_last=False)
        if target == place:
            return
        _remove(place)
        if not os.path.lexists(target):
            raise ConfigError(f"layer: {entry.name!r} is a link to {entry.linkname!r}, which is not there")
        os.link(target, place, follow_symlinks=False)
    # Devices and pipes are left out: every container gets its own /dev.


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(entry)
    assert source is not None
    with source, place.open("xb") as target:
        shutil.copyfileobj(source, target, _CHUNK)
    if place.stat().st_size != entry.size:
        raise ConfigError(f"layer: {entry.name!r} ends early")


def _parents(place: Path, root: Path) -> None:
    """Make the folders above a place; a file in the way goes, as it would by the layer's order."""
    missing = []
    folder = place.parent
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        _remove(folder)
        folder.mkdir(mode=0o755)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            place.unlink()


def _empty(folder: Path, written: set[Path]) -> None:
    """Remove what lower layers put into a folder, and keep what this one did."""
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        if place in written and (place.is_symlink() or not place.is_dir()):
            continue
        if any(place == kept or place in kept.parents for kept in written):
            _empty(place, written)
        else:
            _remove(place)
