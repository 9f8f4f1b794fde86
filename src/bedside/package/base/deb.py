"""Unpacks a Debian binary package without dpkg, root or the file system.

Owns the format of deb(5): an ar archive of ``debian-binary``, ``control.tar`` and ``data.tar``, the
tars plain or compressed with gzip, xz or zstd. Refuses device nodes and paths that leave the root.
"""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from bedside.errors import ConfigError
from bedside.oci.parts import Entry, EntryKind

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A package's two halves.

    Attributes:
        control: The stanza that describes it, as in ``dpkg --status`` less its ``Status`` line.
        entries: What it installs, paths as packed.
    """

    control: str
    entries: tuple[Entry, ...]


def read_deb(data: bytes, *, name: str) -> Deb:
    """Return what a package holds.

    Args:
        data: The file's bytes.
        name: For messages.

    Raises:
        ConfigError: it is no such package, or holds what an unprivileged layer cannot have.
    """
    try:
        members = dict(_ar(data))
        control = data_tar = None
        for member, body in members.items():
            if member.startswith("control.tar"):
                control = _decompress(member, body)
            elif member.startswith("data.tar"):
                data_tar = _decompress(member, body)
        if control is None or data_tar is None:
            raise ValueError(f"members {sorted(members)}, expected control.tar and data.tar")
        return Deb(control=_control(control), entries=tuple(tar_entries(data_tar)))
    except (ValueError, tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as exc:
        raise ConfigError(f"{name}: not a Debian package ({exc})") from exc


def tar_entries(data: bytes) -> Iterator[Entry]:
    """Yield the entries of a plain tar. Raises `ValueError` for paths out of the root and for devices."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            path = clean_path(member.name)
            if not path:
                continue
            mode = member.mode & 0o7777
            if member.isdir():
                yield Entry(path=path, kind=EntryKind.DIRECTORY, mode=mode)
            elif member.issym():
                yield Entry(path=path, kind=EntryKind.SYMLINK, mode=0o777, target=member.linkname)
            elif member.islnk():
                yield Entry(path=path, kind=EntryKind.HARDLINK, mode=mode, target=clean_path(member.linkname))
            elif member.isreg():
                file = tar.extractfile(member)
                assert file is not None
                yield Entry(path=path, mode=mode, content=file.read())
            else:
                raise ValueError(f"{path}: a device or pipe")


def clean_path(name: str) -> str:
    """Return a tar's member name as an entry's path; empty for the root. Raises `ValueError` for ``..``."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError(f"{name}: leaves the root")
    return "/".join(parts)


def _ar(data: bytes) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(_AR_MAGIC):
        raise ValueError("no ar archive")
    at = len(_AR_MAGIC)
    while at + _AR_HEADER_BYTES <= len(data):
        header = data[at : at + _AR_HEADER_BYTES]
        if header[58:60] != b"`\n":
            raise ValueError(f"no header at byte {at}")
        size = int(header[48:58])
        at += _AR_HEADER_BYTES
        if at + size > len(data):
            raise ValueError(f"cut short: {len(data) - at} of {size} bytes")
        yield header[:16].decode("ascii").rstrip().rstrip("/"), data[at : at + size]
        at += size + size % 2


def _decompress(member: str, body: bytes) -> bytes:
    suffix = member.rpartition(".")[2]
    if suffix == "xz":
        return lzma.decompress(body)
    if suffix == "gz":
        return zlib.decompress(body, wbits=31)
    if suffix == "zst":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)) as stream:
            return stream.read()
    if suffix == "tar":
        return body
    raise ValueError(f"{member}: unknown compression")


def _control(tar: bytes) -> str:
    for entry in tar_entries(tar):
        if entry.path == "control" and isinstance(entry.content, bytes):
            return entry.content.decode("utf-8").strip() + "\n"
    raise ValueError("control.tar without a control file")
