"""A home and a place for temporary files that can be written, whoever the process runs as.

A MAP runs under any uid, often one without a name, and with a read-only root. Libraries ask for a
home, a cache and a user's name; what they ask for is set here, once, before they are imported.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bedside.errors import Unavailable

#: Where temporary files may go, in order. The shared memory of a container is small, and better than none.
PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - private folders are made inside

#: Variables that name caches of libraries, and folders for them below the home.
_CACHES = {"XDG_CACHE_HOME": ".cache", "MPLCONFIGDIR": ".config/matplotlib"}


def settle_in(more: Iterable[Path] = ()) -> None:
    """Set ``TMPDIR``, ``HOME``, the caches and the user's name where they are missing or of no use.

    Args:
        more: Further folders for temporary files, taken where no usual one can be written.

    Raises:
        Unavailable: Nothing can be written anywhere.
    """
    place = _place(more)
    os.environ["TMPDIR"] = tempfile.tempdir = str(place)
    home = Path(os.environ.get("HOME", ""))
    if not home.is_absolute() or not _writable(home):
        home = Path(tempfile.mkdtemp(prefix="bedside-home-", dir=place))
        os.environ["HOME"] = str(home)
        for name, folder in _CACHES.items():
            os.environ[name] = str(home / folder)
    for name in ("USER", "LOGNAME"):
        os.environ.setdefault(name, "bedside")


def _place(more: Iterable[Path]) -> Path:
    said = os.environ.get("TMPDIR")
    for place in [*([Path(said)] if said else []), *map(Path, PLACES), *more]:
        if place.is_absolute() and _writable(place):
            return place
    raise Unavailable(
        f"temporary files: none of {', '.join(PLACES)} can be written as uid {os.getuid()}",
        hint="podman run --tmpfs /tmp …, or set TMPDIR",
    )


def _writable(folder: Path) -> bool:
    """Return whether files can be made in a folder; a read-only root says so only when asked this way."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
