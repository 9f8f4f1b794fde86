"""Root file systems by digest: container images unpacked once, used by every run.

Owns the cache's form: one folder per manifest, complete or not there at all, never changed by a run; the
few used last stay, and whatever a living process has brought. Refuses to share a folder between users:
what another user may write cannot be trusted.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bedside.adapters.containers.unpack import make_folders, unpack_layers
from bedside.errors import Unavailable
from bedside.oci.open import ContainerImage

#: Mount points that every run needs; made before the root becomes read-only.
FOLDERS = ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run")  # noqa: S108 - in the container

_CONFIG = "config.json"

#: Kept beside those in use; each is some 1 GB, and made again in seconds from its layers.
KEPT = 5


class RootfsCache:
    """Unpacked container images below one folder.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: dict[Path, BinaryIO] = {}

    def bring(self, image: ContainerImage) -> Path:
        """Return the root folder of a container image, unpacked where it was not yet.

        It stays for as long as this object lives.

        Raises:
            Unavailable: The cache cannot be written.
            ConfigError: The layers are not what a container image has.
        """
        place = self.folder / image.descriptor.hex
        while not self._use(place):
            self._unpack(image, place)
            self.sweep()
        os.utime(place)  # so that the least used can be told
        return place / "root"

    def sweep(self, *, kept: int = KEPT) -> int:
        """Remove the container images used least lately, but `kept` and those in use; return how many."""
        found = [place for place in self.folder.glob("*") if not place.name.startswith(".")]
        removed = 0
        for place in sorted(found, key=_used_at, reverse=True)[kept:]:
            with contextlib.suppress(OSError), (place / _CONFIG).open("rb") as config:
                fcntl.flock(config, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused where somebody uses it
                going = place.with_name(f".old-{place.name}-{os.getpid()}")
                place.rename(going)
                shutil.rmtree(going, ignore_errors=True)
                removed += 1
        return removed

    def _use(self, place: Path) -> bool:
        """Hold a container image for the life of this object; return False where it is not there."""
        if place in self._used:
            return True
        try:
            handle = (place / _CONFIG).open("rb")
        except FileNotFoundError:
            return False
        fcntl.flock(handle, fcntl.LOCK_SH)
        if not (place / _CONFIG).exists():  # a sweep was faster
            handle.close()
            return False
        self._used[place] = handle
        return True

    def _unpack(self, image: ContainerImage, place: Path) -> None:
        with self._new() as made:
            (made / "root").mkdir()
            unpack_layers(image, made / "root")
            make_folders(made / "root", FOLDERS)
            (made / _CONFIG).write_text(json.dumps(image.config.get("config") or {}))
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():  # else another process was faster, with the same content
                    raise

    def config(self, root: Path) -> Mapping[str, object]:
        """Return the configuration of an unpacked container image."""
        found = json.loads((root.parent / _CONFIG).read_text())
        return found if isinstance(found, dict) else {}

    @contextmanager
    def _new(self) -> Iterator[Path]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.folder.stat().st_uid != os.getuid():
                raise Unavailable(
                    f"{self.folder}: belongs to another user", hint="set XDG_CACHE_HOME to a folder of yours"
                )
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            made.chmod(0o755)
        except OSError as exc:
            raise Unavailable(f"{self.folder}: cannot be written: {exc.strerror}") from exc
        try:
            yield made
        except OSError as exc:
            raise Unavailable(f"{self.folder}: cannot be written: {exc.strerror}") from exc
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _used_at(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except OSError:  # another process removed it just now
        return 0.0
