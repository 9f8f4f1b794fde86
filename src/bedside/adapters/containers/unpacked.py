"""Containers without an engine: a root file system of our own, and a program that isolates.

Owns what runc and our own cage have in common: container images unpacked by digest, files read out of
them, and the shortfalls that follow when this user may not use cgroups.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from bedside.adapters.containers.box import Box, Held
from bedside.adapters.containers.rootfs import RootfsCache
from bedside.adapters.containers.unpack import inside, make_folders
from bedside.errors import Unavailable
from bedside.oci.cache import cache_folder
from bedside.oci.open import ContainerImage

#: A manifest of a MAP is a few KB.
_MAX_READ_BYTES = 4 * 2**20

#: Always there in a container's ``/dev``.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class UnpackedEngine(ABC):
    """Runs container images from unpacked root file systems.

    Args:
        environment: The worker's: it says where the cache lies.
    """

    name: str

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = cache_folder(environment)
        self._cache = RootfsCache(self._folder / "rootfs")

    @abstractmethod
    def check(self) -> str:
        """Return its version and form. See `bedside.adapters.containers.box.Engine.check`."""

    @abstractmethod
    def start(self, box: Box, root: Path, scratch: Path) -> list[str]:
        """Return the command that starts a container on a root of its own or a shared one."""

    @abstractmethod
    def removal(self, name: str) -> list[str]:
        """Return the command that removes a container, see `bedside.adapters.containers.box.Engine`."""

    @abstractmethod
    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove the containers whose worker is gone, and return how many there were."""

    def bring(self, image: ContainerImage) -> Held:
        """Unpack a container image. See `bedside.adapters.containers.box.Engine.bring`."""
        root = self._cache.bring(image)
        return Held(id=str(root), digest=image.descriptor.digest, config=self._cache.config(root))

    def find(self, name: str) -> Held | None:  # noqa: ARG002 - the protocol's
        """Return None: it has no names of its own."""
        return None

    def read(self, held: Held, paths: Sequence[str]) -> dict[str, bytes]:
        """Return files out of a container image. See `bedside.adapters.containers.box.Engine.read`."""
        found: dict[str, bytes] = {}
        for path in paths:
            place = inside(Path(held.id), path)
            if place.is_file() and place.stat().st_size <= _MAX_READ_BYTES:
                found[path] = place.read_bytes()
        return found

    def command(self, box: Box, scratch: Path) -> list[str]:
        """Return the command of a container. See `bedside.adapters.containers.box.Engine.command`."""
        root = Path(box.held.id)
        if box.writable:
            root = scratch / "root"
            shutil.copytree(box.held.id, root, symlinks=True)
        try:
            make_folders(root, (*box.tmpfs, *(mount.target for mount in box.mounts)))
        except OSError as exc:
            raise Unavailable(f"{self.name}: {root} cannot be written: {exc.strerror}") from exc
        return self.start(box, root, scratch)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its own programs: where to find them."""
        return {name: given[name] for name in ("PATH", "XDG_RUNTIME_DIR") if name in given}


def variables(box: Box) -> dict[str, str]:
    """Return all variables of a container: of its image, and added to it."""
    default = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return {**default, **box.held.environment, **box.environment}
