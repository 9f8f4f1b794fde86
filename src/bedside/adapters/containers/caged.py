"""The last resort: this file, run alone, becomes a container by the kernel's own calls.

Owns the order of these calls, which is what makes them safe: user namespace, the other namespaces,
mounts, change of root, capabilities, program. Imports the standard library only, because it is started
with ``python -I -S`` beside a worker that must stay small. Whatever fails before the program starts
ends with `FAILED` and one line on stderr, which holds no path of a study.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

#: Exit status where the program could not be started; podman and docker have the same.
FAILED = 125

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS, _CAPBSET_DROP, _CAP_AMBIENT, _AMBIENT_CLEAR = 1, 38, 24, 47, 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

#: What nobody in a container needs to see, and what nobody may change. The user of these files may be
#: root on both sides, whom the kernel lets write a sysctl without any capability.
MASKED = (
    *("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Become the container that a file describes, and return the exit status of its program."""
    box = json.loads(Path(arguments[0]).read_text())
    uid, gid = os.getuid(), os.getgid()
    try:
        _checked(_libc.unshare(_NEWUSER), "a user namespace")
        _map_ids(uid, gid, box["user"])
        _checked(_libc.unshare(_NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET), "namespaces")
        # After the user namespace: new capabilities make the kernel forget it.
        _checked(_libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    except OSError as exc:
        return _failed(exc)
    if os.getppid() != box["parent"]:
        return FAILED
    child = os.fork()
    if child == 0:
        _checked(_libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
        try:
            _enclose(box)
        except OSError as exc:
            os._exit(_failed(exc))
        try:
            os.execvpe(box["command"][0], box["command"], box["environment"])  # noqa: S606 - no shell
        except OSError as exc:
            os._exit(_failed(OSError(exc.errno, f"exec: {exc.strerror}")))
    _release_streams()
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _release_streams() -> None:
    """Let go of the pipes, so that their ends are the program's alone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _map_ids(uid: int, gid: int, user: list[int]) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user[0]} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{user[1]} {gid} 1")


def _enclose(box: dict[str, Any]) -> None:
    """Mount what the program sees, make it the root, and give everything else away."""
    root = box["root"]
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount(root, root, None, _BIND | _REC)
    _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    Path(f"{root}/proc/sys/user/max_user_namespaces").write_text("0")  # none below this one
    _mount_sys(root)
    _mount("tmpfs", f"{root}/dev", "tmpfs", _NOSUID | _NOEXEC, "mode=755,size=64k")
    for device in box["devices"]:
        target = f"{root}/dev/{Path(device).name}"
        Path(target).touch()
        _mount(device, target, None, _BIND)
    shared = Path(root) / "dev" / "shm"
    shared.mkdir()
    _mount("tmpfs", str(shared), "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={box['shared']}")
    for folder in box["tmpfs"]:
        _mount("tmpfs", folder, "tmpfs", _NOSUID | _NODEV, "mode=1777")
    for source, target, writable in box["mounts"]:
        if not Path(target).exists():  # below a folder in memory
            Path(target).touch()
        _mount(source, target, None, _BIND | _REC)
        _remount(target, _NOSUID | _NODEV | (0 if writable else _RDONLY))
    for path in (*READ_ONLY, *MASKED):
        _protect(f"{root}{path}", hide=path in MASKED)
    if not box["writable"]:
        _remount(root, _RDONLY)
    _pivot(root)
    os.chdir(box["workdir"])
    _give_away(box)


def _mount_sys(root: str) -> None:
    # The kernel refuses it inside some containers; libraries then count cores another way.
    with contextlib.suppress(OSError):
        _mount("sysfs", f"{root}/sys", "sysfs", _NOSUID | _NODEV | _NOEXEC | _RDONLY)


def _protect(path: str, *, hide: bool) -> None:
    place = Path(path)
    if not place.exists():
        return
    if hide and place.is_dir():
        _mount("tmpfs", path, "tmpfs", _RDONLY | _NOSUID | _NODEV | _NOEXEC)
        return
    _mount("/dev/null" if hide else path, path, None, _BIND | (0 if hide else _REC))
    if not hide:
        _remount(path, _RDONLY)


def _pivot(root: str) -> None:
    os.chdir(root)
    _checked(_libc.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"."), "a root of its own")
    _checked(_libc.umount2(b".", _DETACH), "leaving this machine's root")
    os.chdir("/")


def _give_away(box: dict[str, Any]) -> None:
    _libc.sethostname(b"map", 3)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if box["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (box["memory"], box["memory"]))
    _libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    for capability in range(64):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    _checked(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "no capabilities")


def _remount(target: str, flags: int) -> None:
    """Add flags to a mount, keeping those it has: a user namespace may not take them off."""
    had = os.statvfs(target).f_flag & (_RDONLY | _NOSUID | _NODEV | _NOEXEC)
    _mount("none", target, None, _REMOUNT | _BIND | had | flags)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    done = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, flags, options.encode() or None
    )
    _checked(done, f"mount {kind or 'bind'}")


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _failed(exc: OSError) -> int:
    print(f"cage: {exc.strerror}", file=sys.stderr)  # noqa: T201 - the worker keeps the last lines
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
