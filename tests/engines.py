"""Real container engines for tests, each with its state in a folder of its own, started once per session."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bedside.adapters.containers import Engine, choose_engine
from bedside.adapters.containers.docker import Docker
from bedside.adapters.containers.podman import Podman

#: What each engine's test needs to be installed.
PROGRAMS = {"podman": ("podman", "runc"), "docker": ("docker", "dockerd"), "runc": ("runc",), "none": ()}

#: podman as it works in a container without systemd, and under a low limit of open files.
CONTAINERS_CONF = """
[containers]
default_ulimits=["nofile=20000:20000","nproc=30000:30000"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""

START_TIMEOUT_S = 60.0
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@contextmanager
def running_engine(name: str) -> Iterator[tuple[Engine, dict[str, str]]]:
    """Give an engine with nothing in it, and the environment that a worker would have."""
    folder = Path(tempfile.mkdtemp(prefix=f"bedside-{name}-", dir="/tmp"))
    environment = {
        "PATH": f"{os.environ['PATH']}:{_SBIN}",
        "HOME": str(folder),
        "BEDSIDE_CACHE": str(folder / "cache"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
    }
    (folder / "containers.conf").write_text(CONTAINERS_CONF)
    try:
        if name == "docker":
            with running_dockerd(folder) as host:
                yield Docker([_program("docker"), "--host", host], environment), environment
        elif name == "podman":
            places = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
            engine = Podman([_program("podman"), *places], environment)
            yield engine, environment
            subprocess.run(
                [_program("podman"), *places, "rm", "--all", "--force"],
                env=environment,
                check=False,
                capture_output=True,
            )
        else:
            yield choose_engine(name, environment), environment
    finally:
        _unmount(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_dockerd(folder: Path) -> Iterator[str]:
    host = f"unix://{folder}/docker.sock"
    places = ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    places += ["--pidfile", str(folder / "docker.pid"), "--host", host]
    log = folder / "dockerd.log"
    with log.open("wb") as written:
        daemon = subprocess.Popen(
            [_program("dockerd"), *places, "--bridge", "none", "--iptables=false"],
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:{_SBIN}"},
        )
    try:
        until = time.monotonic() + START_TIMEOUT_S
        asked = [_program("docker"), "--host", host, "version"]
        while subprocess.run(asked, capture_output=True, check=False).returncode:
            assert daemon.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.2)
        yield host
    finally:
        daemon.terminate()
        daemon.wait(60)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:{_SBIN}")
    assert found, f"{name} is not installed"
    return found


def _unmount(folder: Path) -> None:
    """Let go of what an engine left mounted, the innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([one for one in mounts if one.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
