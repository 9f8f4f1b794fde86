"""Keys to paths and back, without ever leaving a tenant's folder.

File names that are not UTF-8 (ZIP tools of the nineties, Latin-1 shares) are told as keys by code
points that nothing else uses, because databases and JSON take no broken Unicode.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedside.domain.keys import check_key
from bedside.errors import BedsideError, NotFound, Unavailable, UsageError

_BYTES = 0x10FF00  # + the byte: the last of the private code points
_ESCAPED = 0xDC00  # + the byte: how Python tells a byte that is not UTF-8

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_WRONG = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EEXIST})


def key_of(name: str) -> str:
    """Return a file name (or path) as it stands in a key."""
    if name.isascii():
        return name
    return "".join(chr(ord(c) - _ESCAPED + _BYTES) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name)


def name_of(key: str) -> str:
    """Return the file name (or path) that `key_of` gave as a key."""
    if key.isascii():
        return key
    return "".join(chr(ord(c) - _BYTES + _ESCAPED) if ord(c) >= _BYTES + 0x80 else c for c in key)


def path_of(base: Path, key: str) -> Path:
    """Return the path of a key below a tenant's folder.

    Args:
        base: The tenant's folder, without links in it.
        key: Checked here.

    Raises:
        UsageError: Not a key.
        NotFound: A link stands on the way: nothing below it belongs to the store.
    """
    name = name_of(check_key(key))
    way = str(base)
    for part in ("", *name.split("/")[:-1]):
        way = f"{way}/{part}" if part else way
        try:
            found = os.lstat(way).st_mode
        except OSError:
            break  # what is not there is no link, and whoever uses the path hears why
        if stat.S_ISLNK(found):
            raise NotFound("store: a link stands in the way to this object")
    return base / name


def translated(exc: OSError, doing: str) -> BedsideError:
    """Return an error of the operating system as one of ours; no path in it, for names in paths."""
    if exc.errno in _MISSING:
        return NotFound("store: no such object")
    why = os.strerror(exc.errno) if exc.errno else type(exc).__name__
    if exc.errno in _WRONG:
        return UsageError(f"store: cannot {doing}: {why}")
    return Unavailable(f"store: cannot {doing}: {why}", hint="bedside doctor")


@contextmanager
def as_ours(doing: str) -> Iterator[None]:
    """Turn errors of the operating system into ours."""
    try:
        yield
    except OSError as exc:
        raise translated(exc, doing) from exc
