"""Tars of layers: sorted, owned by root, dated 1970, so that the same entries give the same bytes.

Owns the headers, because Python's own tarfile writes others from one version to the next. Headers are
POSIX ustar; a PAX header precedes only what ustar cannot hold (long or non-ASCII names, 8 GiB and
more). Refuses paths that leave the root and two entries of one path that differ.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bedside.errors import ConfigError, Unavailable
from bedside.oci.parts import Entry, EntryKind

#: Counts changes of what this module writes; part of every key in the cache.
TAR_VERSION = 1
_BLOCK = 512
_RECORD = 20 * _BLOCK
_CHUNK = 1 << 20
_USTAR_SIZE = 8**11
_TYPES = {EntryKind.FILE: b"0", EntryKind.HARDLINK: b"1", EntryKind.SYMLINK: b"2", EntryKind.DIRECTORY: b"5"}


def arranged(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries as they stand in a layer: sorted by path, parents there, one entry per path.

    Of names that share one file, the first in order becomes the file and the others links to it.

    Raises:
        ConfigError: A path leaves the root, or two different entries have the same path.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        _check(entry)
        known = by_path.setdefault(entry.path, entry)
        if known != entry:
            raise ConfigError(f"layer: two different entries at {entry.path}")
    for path in list(by_path):
        for parent in PurePosixPath(path).parents:
            name = str(parent)
            if name == ".":
                continue
            if by_path.setdefault(name, Entry(path=name, kind=EntryKind.DIRECTORY, mode=0o755)).kind in (
                EntryKind.FILE,
                EntryKind.HARDLINK,
            ):
                raise ConfigError(f"layer: {name} is a file, and {path} lies below it")
    _turn_links(by_path)
    return [
        by_path[path] for path in sorted(by_path, key=lambda path: path.encode("utf-8", "surrogateescape"))
    ]


def tar(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a layer's tar.

    Args:
        entries: In any order.

    Raises:
        ConfigError: See `arranged`; or a file to be packed is missing.
        Unavailable: A file changed while it was read.
    """
    written = 0
    for entry in arranged(entries):
        for chunk in _packed(entry, written):
            written += len(chunk)
            yield chunk
    end = 2 * _BLOCK
    yield bytes(end + -(written + end) % _RECORD)


def _check(entry: Entry) -> None:
    for path in (entry.path, entry.target) if entry.kind is EntryKind.HARDLINK else (entry.path,):
        if not path or path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
            raise ConfigError(f"layer: {path!r} is no path below the root")


def _turn_links(by_path: dict[str, Entry]) -> None:
    groups: dict[str, list[str]] = {}
    for path, entry in by_path.items():
        if entry.kind is EntryKind.HARDLINK:
            groups.setdefault(entry.target, []).append(path)
    for target, links in groups.items():
        file = by_path.get(target)
        if file is None or file.kind is not EntryKind.FILE:
            raise ConfigError(
                f"layer: {min(links)} is a hard link to {target}, which is no file of this layer"
            )
        first, *others = sorted((target, *links))
        by_path[first] = replace(file, path=first)
        for path in others:
            by_path[path] = Entry(path=path, kind=EntryKind.HARDLINK, mode=file.mode, target=first)


def _packed(entry: Entry, at: int) -> Iterator[bytes]:
    if entry.kind is not EntryKind.FILE:
        yield from _header(entry, 0)
        return
    if isinstance(entry.content, bytes):
        yield from _header(entry, len(entry.content))
        yield entry.content
        yield bytes(-len(entry.content) % _BLOCK)
        return
    yield from _packed_file(entry, entry.content, at)


def _packed_file(entry: Entry, source: Path, at: int) -> Iterator[bytes]:
    # Pieces end where blocks of the whole tar end: whoever cuts it into blocks copies none of a large file.
    try:
        with source.open("rb") as stream:
            size = source.stat().st_size
            for piece in _header(entry, size):
                at += len(piece)
                yield piece
            read = 0
            while chunk := stream.read(_CHUNK - (at + read) % _CHUNK):
                read += len(chunk)
                yield chunk
    except FileNotFoundError as exc:
        raise ConfigError(f"layer: {source}, which becomes /{entry.path}, is missing") from exc
    except OSError as exc:
        raise Unavailable(f"layer: {source}: {exc.strerror}", hint=f"ls -l {source}") from exc
    if read != size:
        raise Unavailable(f"layer: {source} changed while it was read: {size} bytes, then {read}")
    yield bytes(-size % _BLOCK)


def _header(entry: Entry, size: int) -> Iterator[bytes]:
    name = entry.path + "/" if entry.kind is EntryKind.DIRECTORY else entry.path
    target = entry.target if entry.kind in (EntryKind.SYMLINK, EntryKind.HARDLINK) else ""
    mode = 0o777 if entry.kind is EntryKind.SYMLINK else entry.mode
    split = _split(name)
    extended = {
        **({} if split else {"path": name}),
        **({} if _fits(target, 100) else {"linkpath": target}),
        **({} if size < _USTAR_SIZE else {"size": str(size)}),
    }
    if extended:
        records = b"".join(_record(key, value) for key, value in sorted(extended.items()))
        yield _ustar(("", "PaxHeaders"), b"x", 0o644, len(records), "")
        yield records + bytes(-len(records) % _BLOCK)
    yield _ustar(
        split or ("", _cut(name)),
        _TYPES[entry.kind],
        mode,
        size if size < _USTAR_SIZE else 0,
        target if _fits(target, 100) else _cut(target),
    )


def _fits(text: str, limit: int) -> bool:
    return text.isascii() and len(text) <= limit


def _split(name: str) -> tuple[str, str] | None:
    """Return ustar's prefix and name, or None where they cannot hold it."""
    if _fits(name, 100):
        return "", name
    if not name.isascii():
        return None
    for at in range(min(155, len(name) - 2), 0, -1):
        if name[at] == "/" and len(name) - at - 1 <= 100:
            return name[:at], name[at + 1 :]
    return None


def _cut(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:100]


def _record(key: str, value: str) -> bytes:
    body = b" " + key.encode() + b"=" + value.encode("utf-8", "surrogateescape") + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _ustar(name: tuple[str, str], kind: bytes, mode: int, size: int, target: str) -> bytes:
    prefix, last = name
    header = b"".join(
        (
            last.encode().ljust(100, b"\0"),
            b"%07o\0" % (mode & 0o7777),
            b"0000000\0" * 2,
            b"%011o\0" % size,
            b"00000000000\0",
            b" " * 8,
            kind,
            target.encode().ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(32 + 32),
            b"0000000\0" * 2,
            prefix.encode().ljust(155, b"\0"),
            bytes(12),
        )
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]
