"""What was prepared for looking at, kept while it is looked at: below ``.work/``, under a bound.

Owns which of it goes first (what was not looked at for longest), and that a tenant that is gone leaves
nothing here. It may all be lost at any time: it is made again from the store.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import Unavailable
from bedside.viewing.build import GRID
from bedside.viewing.grid import Grid

#: Nobody looked at it for a day: copies of patients' images do not lie about for longer.
IDLE_S = 86400
_UNDER_WAY = ".making-"
#: Something that is still being made after this long was left by a process that ended.
_LEFT_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A folder of prepared volumes.

    Attributes:
        folder: Made when something is put there.
        limit_bytes: Most that lies there; one volume may be larger than that, alone.
        known: Names of the tenants that are served.
    """

    folder: Path
    limit_bytes: int
    known: Callable[[], Collection[str]]

    def find(self, tenant: str, key: str) -> tuple[Path, Grid] | None:
        """Return what was prepared under a key, and note that it is looked at."""
        place = self.folder / tenant / key
        try:
            grid = Grid.from_json(json.loads((place / GRID).read_text(encoding="utf-8")))
            os.utime(place / GRID)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError):  # of another version of bedside
            shutil.rmtree(place, ignore_errors=True)
            return None
        return place, grid

    def kin(self, tenant: str, begins: str) -> tuple[Path, Grid] | None:
        """Return anything that was prepared under a key that begins so: the same images under any masks."""
        for place in sorted((self.folder / tenant).glob(f"{begins}*")):
            if (found := self.find(tenant, place.name)) is not None:
                return found
        return None

    @contextmanager
    def put(self, tenant: str, key: str) -> Iterator[Path]:
        """Give an empty folder to prepare something in; it is found under the key once it is left whole.

        Raises:
            Unavailable: The disk is full or refuses.
        """
        place = self.folder / tenant / key
        made = place.with_name(f"{_UNDER_WAY}{uuid.uuid4().hex}")
        try:
            made.mkdir(parents=True, mode=0o700)
            yield made
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
        except OSError as exc:
            raise Unavailable(f"images: cannot be prepared on this disk: {exc.strerror}") from exc
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self.tidy(keep=place)

    def tidy(self, *, keep: Path | None = None) -> int:
        """Remove what is too old, too much, or of tenants that are gone; return how many volumes went."""
        now, known = time.time(), self.known()
        found: list[tuple[float, int, Path]] = []
        gone = 0
        for tenant in _folders(self.folder):
            if tenant.name not in known:
                shutil.rmtree(tenant, ignore_errors=True)
                gone += 1
                continue
            for place in _folders(tenant):
                used, size_bytes = _measured(place)
                idle = _LEFT_S if place.name.startswith(_UNDER_WAY) else IDLE_S
                if place != keep and now - used > idle:
                    shutil.rmtree(place, ignore_errors=True)
                    gone += 1
                elif not place.name.startswith(_UNDER_WAY):
                    found.append((used, size_bytes, place))
        total = sum(size_bytes for _, size_bytes, _ in found)
        for _, size_bytes, place in sorted(found):
            if total <= self.limit_bytes:
                break
            if place != keep:
                shutil.rmtree(place, ignore_errors=True)
                total -= size_bytes
                gone += 1
        return gone


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except FileNotFoundError:
        return []


def _measured(place: Path) -> tuple[float, int]:
    """Return when a volume was last looked at, and its length in bytes."""
    used, size_bytes = 0.0, 0
    for path in [place, *place.glob("*")]:
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        used = max(used, stat.st_mtime)
        # Images that several versions of masks share are there once.
        size_bytes += stat.st_size // stat.st_nlink if path != place else 0
    return used, size_bytes
