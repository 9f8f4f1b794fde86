"""Which accelerators this machine can give to a container.

Owns looking, and nothing else: whether a MAP asks for one is in its manifest, and whether the engine
can pass one on is the engine's to say.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Where the driver's libraries are seen by a container that no engine of NVIDIA's prepared.
LIBRARY_FOLDER = "/usr/local/nvidia/lib64"

_LIBRARY = re.compile(r"\blib(?:cuda|nvidia-(?:ml|ptxjitcompiler|nvvm|opencl|gpucomp))\.so\S* .*=> (/\S+)")

#: Where descriptions of devices for containers lie. See the Container Device Interface, "CDI".
_CDI = (Path("/etc/cdi"), Path("/var/run/cdi"))


def has_gpu() -> bool:
    """Say whether there is an NVIDIA GPU and its driver."""
    return Path("/dev/nvidiactl").exists()


def has_cdi() -> bool:
    """Say whether the GPUs are described for engines that know CDI."""
    return any("nvidia" in path.name for folder in _CDI if folder.is_dir() for path in folder.iterdir())


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What of the NVIDIA driver a container needs: its devices, and the libraries that belong to it."""

    devices: tuple[Path, ...]
    libraries: tuple[Path, ...]


def driver() -> Driver:
    """Return the driver of this machine, empty where there is none."""
    devices = sorted(path for path in Path("/dev").glob("nvidia*") if path.is_char_device())
    program = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if not devices or program is None:
        return Driver(devices=(), libraries=())
    listed = subprocess.run([program, "-p"], capture_output=True, text=True, check=False).stdout
    return Driver(devices=tuple(devices), libraries=tuple(map(Path, sorted(set(_LIBRARY.findall(listed))))))


def wanted(device: str, *, asked: bool) -> str:
    """Return which GPUs a container sees, as `bedside.adapters.containers.box.Box.gpus`.

    Args:
        device: The setting: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        asked: Whether the MAP asks for a GPU.
    """
    if device == "cpu" or (device == "auto" and not (asked and has_gpu())):
        return ""
    return device.partition(":")[2] or "all"
