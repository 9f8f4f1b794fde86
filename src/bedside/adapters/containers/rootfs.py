"""Root file systems by digest: container images unpacked once, used by every run.

Owns the cache's form: one folder per manifest, complete or not there at all, never changed by a run.
Refuses to share a folder between users: what another user may write cannot be trusted.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bedside.adapters.containers.unpack import make_folders, unpack_layers
from bedside.errors import Unavailable
from bedside.oci.open import ContainerImage

#: Mount points that every run needs; made before the root becomes read-only.
FOLDERS = ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run")  # noqa: S108 - in the container

_CONFIG = "config.json"


class RootfsCache:
    """Unpacked container images below one folder.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def bring(self, image: ContainerImage) -> Path:
        """Return the root folder of a container image, unpacked where it was not yet.

        Raises:
            Unavailable: The cache cannot be written.
            ConfigError: The layers are not what a container image has.
        """
        place = self.folder / image.descriptor.hex
        if place.is_dir():
            os.utime(place)  # so that the least used can be told
            return place / "root"
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
        return place / "root"

    def config(self, root: Path) -> Mapping[str, object]:
        """Return the configuration of an unpacked container image."""
        found = json.loads((root.parent / _CONFIG).read_text())
        return found if isinstance(found, dict) else {}

    def remove(self, digest: str) -> None:
        """Remove a container image; removing what is not there is no error."""
        shutil.rmtree(self.folder / digest.partition(":")[2], ignore_errors=True)

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
