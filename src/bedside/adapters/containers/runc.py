"""runc without an engine around it: a bundle of the OCI runtime specification, made for one run.

Owns the configuration that a run gets: new namespaces all around, a read-only root, no capability, no
network device but a dead loopback. As root it has cgroups of its own; without root it needs user
namespaces, and the limits of memory become those that a process can have.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bedside.adapters.containers import caged
from bedside.adapters.containers.box import Box, Mount
from bedside.adapters.containers.gpu import LIBRARY_FOLDER, driver
from bedside.adapters.containers.owner import LABEL, gone
from bedside.adapters.containers.unpacked import UnpackedEngine, variables
from bedside.errors import Unavailable

#: What even a program without capabilities could try itself at, and no model needs.
_REFUSED = (
    *("add_key", "bpf", "keyctl", "mount", "perf_event_open", "pivot_root", "request_key"),
    *("setns", "umount2", "unshare", "userfaultfd"),
)
_CLONE_NEWUSER = 0x10000000
_EPERM, _ENOSYS = 1, 38


class Runc(UnpackedEngine):
    """runc.

    Args:
        program: Its path.
        environment: The worker's.
    """

    name = "runc"

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self._program = [program, "--root", str(self._folder / "runc")]
        self._environment = self.environment(environment)

    def check(self) -> str:
        """Return its version and form. See `bedside.adapters.containers.box.Engine.check`."""
        said = self._call("--version")
        form = "without root" if os.getuid() else "as root"
        return f"{said.decode().splitlines()[0].replace('version ', '')} {form}"

    def start(self, box: Box, root: Path, scratch: Path) -> list[str]:
        """Return the command that starts a container, its bundle written to the scratch folder."""
        bundle = scratch / "bundle"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(specification(box, root, rootless=os.getuid() != 0)))
        return [*self._program, "run", "--bundle", str(bundle), box.name]

    def removal(self, name: str) -> list[str]:
        """Return the command that removes a container, see `bedside.adapters.containers.box.Engine`."""
        return [*self._program, "delete", "--force", name]

    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""
        if not os.getuid():
            return ()
        return ("memory: counted for each process, since runc without root has no cgroup",)

    def sweep(self) -> int:
        """Remove the containers whose worker is gone, and return how many there were."""
        listed = json.loads(self._call("list", "--format", "json") or b"null") or []
        orphans = [one["id"] for one in listed if gone((one.get("annotations") or {}).get(LABEL, ""))]
        for name in orphans:
            subprocess.run(self.removal(name), capture_output=True, env=self._environment, check=False)
        return len(orphans)

    def _call(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                [*self._program, *arguments],
                capture_output=True,
                env=self._environment,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"runc: cannot be started: {exc}") from exc
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise Unavailable(f"runc {arguments[0]}: {words[-1][:300] if words else 'no reason given'}")
        return done.stdout


def specification(box: Box, root: Path, *, rootless: bool) -> dict[str, Any]:
    """Return the ``config.json`` of a run. See the OCI runtime specification, "Configuration"."""
    # Without root, runc insists on a root in the container: it is this user on the outside.
    uid, gid = (0, 0) if rootless else box.user
    found = driver() if box.gpus else None
    environment = variables(box)
    if found and found.libraries:
        known = environment.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{LIBRARY_FOLDER}{':' + known if known else ''}"
    kinds = ["pid", "network", "ipc", "uts", "mount", *(["user"] if rootless else [])]
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in kinds],
        "maskedPaths": list(caged.MASKED),
        "readonlyPaths": list(caged.READ_ONLY),
        "seccomp": _seccomp(),
    }
    if rootless:
        linux["uidMappings"] = [{"containerID": 0, "hostID": box.user[0], "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": box.user[1], "size": 1}]
    else:
        linux["cgroupsPath"] = f"/bedside/{box.name}"
        linux["resources"] = _resources(box, found.devices if found else ())
    return {
        "ociVersion": "1.0.2",
        "hostname": "map",
        "root": {"path": str(root), "readonly": not box.writable},
        "annotations": {LABEL: box.owner},
        "process": {
            "terminal": False,
            "user": {"uid": uid, "gid": gid},
            "args": list(box.command),
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": box.workdir,
            "capabilities": {},
            "noNewPrivileges": True,
            "rlimits": _rlimits(box, rootless=rootless),
        },
        "mounts": [
            *_system_mounts(box),
            *_driver_mounts(found.devices if found else (), found.libraries if found else ()),
            *(_bind(mount) for mount in box.mounts),
        ],
        "linux": linux,
    }


def _seccomp() -> dict[str, Any]:
    """Return which calls fail: what no model needs, and user namespaces, which would bring capabilities."""
    new_user = {
        "index": 0,
        "value": _CLONE_NEWUSER,
        "valueTwo": _CLONE_NEWUSER,
        "op": "SCMP_CMP_MASKED_EQ",
    }
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": list(_REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM},
            {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM, "args": [new_user]},
            # Its flags lie in memory, where no filter sees them; libraries fall back to clone.
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        ],
    }


def _resources(box: Box, devices: Sequence[Path]) -> dict[str, Any]:
    allowed = [
        {"allow": True, "type": "c", "major": os.major(number), "minor": os.minor(number), "access": "rw"}
        for number in (device.stat().st_rdev for device in devices)
    ]
    memory = {"limit": box.limits.memory_bytes, "swap": box.limits.memory_bytes}
    return {
        "devices": [{"allow": False, "access": "rwm"}, *allowed],
        "pids": {"limit": box.limits.pids},
        **({"memory": memory} if box.limits.memory_bytes else {}),
    }


def _rlimits(box: Box, *, rootless: bool) -> list[dict[str, Any]]:
    limits = {"RLIMIT_CORE": 0}
    if rootless and box.limits.memory_bytes:
        limits["RLIMIT_DATA"] = box.limits.memory_bytes
    return [{"type": name, "hard": value, "soft": value} for name, value in limits.items()]


def _system_mounts(box: Box) -> list[dict[str, Any]]:
    plain = ["nosuid", "nodev"]
    shared = f"size={box.limits.shared_memory_bytes}"
    return [
        _mounted("proc", "/proc", "proc", ["nosuid", "noexec", "nodev"]),
        _mounted("tmpfs", "/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mounted("devpts", "/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
        _mounted("tmpfs", "/dev/shm", "tmpfs", [*plain, "mode=1777", shared]),  # noqa: S108
        _mounted("sysfs", "/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
        *(_mounted("tmpfs", folder, "tmpfs", [*plain, "mode=1777"]) for folder in box.tmpfs),
    ]


def _driver_mounts(devices: Sequence[Path], libraries: Sequence[Path]) -> list[dict[str, Any]]:
    found = [_mounted(str(device), str(device), "bind", ["bind", "nosuid"]) for device in devices]
    if libraries:
        found.append(_mounted("tmpfs", LIBRARY_FOLDER, "tmpfs", ["nosuid", "nodev", "mode=755"]))
    return found + [_bind(Mount(source=one, target=f"{LIBRARY_FOLDER}/{one.name}")) for one in libraries]


def _bind(mount: Mount) -> dict[str, Any]:
    mode = "rw" if mount.writable else "ro"
    return _mounted(str(mount.source), mount.target, "bind", ["rbind", "rprivate", "nosuid", "nodev", mode])


def _mounted(source: str, target: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"source": source, "destination": target, "type": kind, "options": options}
