"""Containers with nothing but the kernel: user namespaces, no root, no program to install.

Owns the description that `bedside.adapters.containers.caged` turns into a container. Works where the
kernel lets this user make namespaces, and says which switch keeps it from that where it does not.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bedside.adapters.containers import caged
from bedside.adapters.containers.box import Box
from bedside.adapters.containers.gpu import LIBRARY_FOLDER, driver
from bedside.adapters.containers.unpack import inside
from bedside.adapters.containers.unpacked import DEVICES, UnpackedEngine, variables
from bedside.errors import Unavailable

#: Switches that keep users from making namespaces, the value that does, and what to do about it.
_SWITCHES = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)

_TRY = (
    "import ctypes, sys; libc = ctypes.CDLL(None, use_errno=True); "
    "sys.exit(libc.unshare(0x7C020000) and ctypes.get_errno())"  # all that `caged` unshares
)


class Cage(UnpackedEngine):
    """Containers made by our own launcher.

    Args:
        environment: The worker's.
    """

    name = "none"

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)

    def check(self) -> str:
        """Return its form. See `bedside.adapters.containers.box.Engine.check`."""
        if sys.platform != "linux" or os.uname().machine not in caged._PIVOT_ROOT:
            raise Unavailable(f"no container engine: {sys.platform} needs one", hint="install podman")
        tried = subprocess.run([sys.executable, "-I", "-S", "-c", _TRY], check=False)
        if tried.returncode:
            why, mend = _closed()
            raise Unavailable(f"no container engine, and user namespaces are closed: {why}", hint=mend)
        return "the kernel's namespaces"

    def start(self, box: Box, root: Path, scratch: Path) -> list[str]:
        """Return the command that starts a container, its description written to the scratch folder."""
        description = scratch / "box.json"
        description.write_text(json.dumps(_described(box, root)))
        return [sys.executable, "-I", "-S", str(caged.__file__), str(description)]

    def removal(self, name: str) -> list[str]:  # noqa: ARG002 - the protocol's
        """Return nothing: the container dies with its first process, and with its worker."""
        return []

    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""
        return (
            "memory: counted for each process, since there is no cgroup",
            "processes: not limited, since there is no cgroup",
        )

    def sweep(self) -> int:
        """Return 0: nothing outlives its worker."""
        return 0


def _described(box: Box, root: Path) -> dict[str, object]:
    environment = variables(box)
    devices = [f"/dev/{name}" for name in DEVICES if Path(f"/dev/{name}").exists()]
    tmpfs = list(box.tmpfs)
    mounts = [(str(mount.source), mount.target, mount.writable) for mount in box.mounts]
    if box.gpus:
        found = driver()
        devices += map(str, found.devices)
        tmpfs += [LIBRARY_FOLDER] if found.libraries else []
        mounts += [(str(one), f"{LIBRARY_FOLDER}/{one.name}", False) for one in found.libraries]
        known = environment.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{LIBRARY_FOLDER}{':' + known if known else ''}"
    return {
        "parent": os.getpid(),
        "root": str(root),
        "user": list(box.user),
        "command": list(box.command),
        "environment": environment,
        "workdir": box.workdir,
        "devices": devices,
        "tmpfs": [str(inside(root, folder)) for folder in tmpfs],
        "mounts": [(source, str(inside(root, target)), writable) for source, target, writable in mounts],
        "shared": box.limits.shared_memory_bytes,
        "memory": box.limits.memory_bytes,
        "writable": box.writable,
    }


def _closed() -> tuple[str, str]:
    for path, value, mend in _SWITCHES:
        try:
            if Path(path).read_text().strip() == value:
                return f"{path} is {value}", mend
        except OSError:
            continue
    return "the kernel or a sandbox around this process refuses unshare(2)", "install podman"
