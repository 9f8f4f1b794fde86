"""What is started, how tightly it is held, and what an engine can do: values and one protocol.

Owns the words that engines and the runner share. Everything that a container may not do is the
default here; an engine that cannot keep a limit says so instead of leaving it out silently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bedside.oci.open import ContainerImage

#: Where a MAP of bedside sees the folders of the job at hand; made by every engine.
INPUT, OUTPUT = "/var/holoscan/input", "/var/holoscan/output"

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a container may take.

    Attributes:
        memory_bytes: Of memory, swap included; 0 is no limit.
        pids: Processes and threads.
        shared_memory_bytes: Of ``/dev/shm``.
    """

    memory_bytes: int = 0
    pids: int = 4096
    shared_memory_bytes: int = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder of this machine that a container sees.

    Attributes:
        source: Here, absolute.
        target: There, absolute.
        writable: Whether it may change it.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A container image that an engine has.

    Attributes:
        id: What the engine calls it: never a tag, which may mean another one tomorrow.
        digest: Of its manifest, or ``""`` for one that only the engine knows.
        config: The ``config`` of its configuration: Env, Entrypoint, Cmd, WorkingDir, Labels.
    """

    id: str
    digest: str
    config: Mapping[str, object]

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        labels = self.config.get("Labels")
        return {str(k): str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return dict(text.partition("=")[::2] for text in self.words("Env"))

    @property
    def workdir(self) -> str:
        """Its working folder."""
        return str(self.config.get("WorkingDir") or "/")

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of its configuration: ``Entrypoint``, ``Cmd``, ``Env``."""
        found = self.config.get(name)
        return tuple(str(part) for part in found) if isinstance(found, list | tuple) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A container to be started: read-only, without network and privileges, and gone after its end.

    Attributes:
        held: What it is made of.
        name: Unique on this machine.
        command: Program and arguments, in place of the image's own entry point.
        environment: Added to the image's own variables.
        workdir: Where the program starts.
        mounts: What it sees of this machine.
        tmpfs: Folders in memory that it may write, gone with it.
        user: User and group id it runs as.
        limits: How much it may take.
        gpus: Which accelerators it sees: ``""`` none, ``all``, or an index.
        owner: Who started it, for `Engine.sweep`.
        writable: Whether it may write into a copy of its root, gone with it.
    """

    held: Held
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ("/tmp", "/var/tmp")  # noqa: S108 - folders in the container, not here
    user: tuple[int, int]
    limits: Limits = field(default_factory=Limits)
    gpus: str = ""
    owner: str = ""
    writable: bool = False


class Engine(Protocol):
    """What runs containers on this machine."""

    name: str

    def check(self) -> str:
        """Return its version and form, or raise `Unavailable` with the reason why it cannot be used."""
        ...

    def bring(self, image: ContainerImage) -> Held:
        """Make it hold a container image of this machine, by digest; at once where it does already.

        Raises:
            Unavailable: It refuses, or its disk is full.
            ConfigError: The layers are not what a container image has.
        """
        ...

    def find(self, name: str) -> Held | None:
        """Return what it holds under a name or id of its own, or None."""
        ...

    def read(self, held: Held, paths: Sequence[str]) -> dict[str, bytes]:
        """Return small files out of a container image; those that are not there are left out."""
        ...

    def command(self, box: Box, scratch: Path) -> list[str]:
        """Return the command that starts a container and stays until it ended, stdin and stdout its own.

        Args:
            box: What to start.
            scratch: A private folder that goes when the container has ended.
        """
        ...

    def removal(self, name: str) -> list[str]:
        """Return the command that ends and removes a container, whether it runs or not.

        Empty where a container dies with the process that `command` starts, and that with its worker.
        """
        ...

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what of the worker's environment the engine's own commands need."""
        ...

    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""
        ...

    def sweep(self) -> int:
        """Remove the containers whose worker is gone, and return how many there were."""
        ...
