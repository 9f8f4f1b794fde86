"""What podman and docker have in common: their command line.

Owns how their programs are called and what their failures mean, and the flags that both know. The
two differ in how they take a container image in, in users and in GPUs; the subclasses own that. A
socket's API would save some 50 ms for each container, at the price of a client of our own.
"""

import base64
import contextlib
import json
import subprocess
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from bedside.adapters.containers.box import Box, Held, Mount
from bedside.adapters.containers.owner import LABEL, gone
from bedside.errors import ConfigError, Unavailable
from bedside.oci.cache import cache_folder
from bedside.oci.descriptor import sha256_digest
from bedside.oci.open import ContainerImage
from bedside.oci.storage import write_file

#: Longer than a big container image takes to be unpacked on a slow disk.
BRING_S = 1800.0
ASK_S = 60.0

#: What the engines' own programs may need to find their state, their configuration and their daemon.
_NEEDED = frozenset({"HOME", "PATH", "LANG", "TMPDIR", "USER", "LOGNAME"})
_NEEDED_PREFIXES = ("XDG_", "DOCKER_", "CONTAINER", "STORAGE_", "PODMAN_", "DBUS_")

#: Variables that docker's own configuration puts into containers; they may hold a proxy's password.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class CommandLineEngine(ABC):
    """podman or docker.

    Args:
        program: Its path, and arguments that stand before every command (``--root …``).
        environment: The worker's.
    """

    name: str

    def __init__(self, program: Sequence[str], environment: Mapping[str, str]) -> None:
        self._program = list(program)
        self._environment = self.environment(environment)
        self._read_before = cache_folder(environment) / "read"

    @abstractmethod
    def check(self) -> str:
        """Return its version and form. See `bedside.adapters.containers.box.Engine.check`."""

    @abstractmethod
    def _take_in(self, image: ContainerImage) -> str:
        """Take a container image in, and return its id."""

    @abstractmethod
    def _own_flags(self, box: Box) -> list[str]:
        """Return the flags that only this engine has."""

    def bring(self, image: ContainerImage) -> Held:
        """Hold a container image. See `bedside.adapters.containers.box.Engine.bring`."""
        config_digest = str(image.manifest["config"]["digest"])
        held = self.find(config_digest.partition(":")[2]) or self.find(image.descriptor.digest)
        if held is None:
            taken = self._take_in(image)
            held = self.find(taken)
            if held is None:
                raise Unavailable(f"{self.name}: took in {image.descriptor.digest} and does not know it")
        return Held(id=held.id, digest=image.descriptor.digest, config=held.config)

    def find(self, name: str) -> Held | None:
        """Return what it holds under a name. See `bedside.adapters.containers.box.Engine.find`."""
        said = self._call(["image", "inspect", name], check=False)
        if said.returncode:
            return None
        found = _json(said.stdout)
        if not isinstance(found, list) or not found:
            return None
        config = found[0].get("Config") or {}
        return Held(id=str(found[0]["Id"]), digest="", config=config)

    def read(self, held: Held, paths: Sequence[str]) -> dict[str, bytes]:
        """Return files out of a container image. See `bedside.adapters.containers.box.Engine.read`.

        What was read once is kept: the id names the content, and asking the engine takes half a second.
        """
        place = self._read_before / sha256_digest(json.dumps([held.id, *paths]).encode())[7:]
        with contextlib.suppress(OSError, ValueError):
            return {path: base64.b64decode(text) for path, text in json.loads(place.read_bytes()).items()}
        found = self._copied_out(held, paths)
        with contextlib.suppress(ConfigError, Unavailable):  # a cache is a help, not a need
            kept = {path: base64.b64encode(content).decode() for path, content in found.items()}
            write_file(place, json.dumps(kept).encode())
        return found

    def _copied_out(self, held: Held, paths: Sequence[str]) -> dict[str, bytes]:
        created = self._call(["create", "--pull", "never", "--network", "none", held.id, "/"])
        container = created.stdout.decode().split()[-1]
        try:
            found: dict[str, bytes] = {}
            for folder in dict.fromkeys(str(PurePosixPath(path).parent) for path in paths):
                copied = self._call(["cp", f"{container}:{folder}", "-"], check=False)
                if copied.returncode == 0:
                    found |= _files(copied.stdout, PurePosixPath(folder).parent)
            return {path: found[path] for path in paths if path in found}
        finally:
            self._call(["rm", "--force", container], check=False)

    def command(self, box: Box, scratch: Path) -> list[str]:  # noqa: ARG002 - the protocol's
        """Return the command of a container. See `bedside.adapters.containers.box.Engine.command`."""
        limits = box.limits
        flags = [
            *("run", "--rm", "--interactive", "--pull", "never", "--log-driver", "none"),
            *("--name", box.name, "--label", f"{LABEL}={box.owner}"),
            *("--network", "none", "--ipc", "private"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--pids-limit", str(limits.pids)),
            *("--shm-size", str(limits.shared_memory_bytes)),
            *([] if box.writable else ["--read-only"]),
            *self._memory(limits.memory_bytes),
            *(
                flag
                for folder in box.tmpfs
                for flag in ("--tmpfs", f"{folder}:rw,exec,nosuid,nodev,mode=1777")
            ),
            *(flag for mount in box.mounts for flag in ("--mount", _mount(mount))),
            *(flag for name in _PROXIES for flag in _unset(name)),
            *(flag for item in box.environment.items() for flag in ("--env", "=".join(item))),
            *("--workdir", box.workdir, "--entrypoint", box.command[0]),
            *self._own_flags(box),
        ]
        return [*self._program, *flags, box.held.id, *box.command[1:]]

    def removal(self, name: str) -> list[str]:
        """Return the command that removes a container, see `bedside.adapters.containers.box.Engine`."""
        return [*self._program, "rm", "--force", "--volumes", name]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its own programs, see `bedside.adapters.containers.box.Engine`."""
        return {
            name: value
            for name, value in given.items()
            if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)
        }

    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""
        return ()

    def sweep(self) -> int:
        """Remove the containers whose worker is gone, and return how many there were."""
        listed = self._call(["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}"])
        form = '{{index .Config.Labels "' + LABEL + '"}}'
        orphans = []
        for container in listed.stdout.decode().split():
            said = self._call(["container", "inspect", "--format", form, container], check=False)
            if said.returncode == 0 and gone(said.stdout.decode().strip()):
                orphans.append(container)
        for container in orphans:
            self._call(["rm", "--force", "--volumes", container], check=False)
        return len(orphans)

    def _memory(self, memory_bytes: int) -> list[str]:
        if not memory_bytes:
            return []
        return ["--memory", str(memory_bytes), "--memory-swap", str(memory_bytes)]

    def _call(
        self,
        arguments: Sequence[str],
        *,
        check: bool = True,
        timeout_s: float = ASK_S,
        folder: Path | None = None,
    ) -> "subprocess.CompletedProcess[bytes]":
        """Call the program; a failure is `Unavailable` with its own words, which know no patient."""
        what = " ".join(arguments[:2])
        try:
            done = subprocess.run(
                [*self._program, *arguments],
                env=self._environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except OSError as exc:
            raise Unavailable(f"{self.name}: cannot be started: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            raise Unavailable(f"{self.name} {what}: no answer for {timeout_s:g} s") from exc
        if check and done.returncode:
            raise self._refusal(what, done.stderr)
        return done

    def _refusal(self, what: str, said: bytes) -> Unavailable:
        lines = [line for line in said.decode(errors="replace").splitlines() if "level=warning" not in line]
        words = lines[-1].strip() if lines else "no reason given"
        return Unavailable(f"{self.name} {what}: {words[:300]}", hint=f"{self.name} info")


def _mount(mount: Mount) -> str:
    mode = "" if mount.writable else ",readonly"
    return f"type=bind,source={_quoted(mount.source)},target={mount.target}{mode}"


def _quoted(path: Path) -> str:
    """Return a path as a field of ``--mount``, which is a line of CSV."""
    text = str(path)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


def _unset(name: str) -> tuple[str, ...]:
    return ("--env", f"{name}=", "--env", f"{name.lower()}=")


def _files(tar: bytes, above: PurePosixPath) -> dict[str, bytes]:
    """Return the files in the tar of a folder, by their paths in the container."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=BytesIO(tar)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[str(above / member.name)] = stream.read()
    return found


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
