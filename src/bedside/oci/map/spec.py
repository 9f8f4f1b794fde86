"""What a MAP says of itself, as one value from which manifests, variables and labels are written.

Owns the value, and the forms in which the specification wants versions, sizes and names. It describes;
what lies in the layers of base, packages and models is put beside it by `package`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bedside.errors import ConfigError
from bedside.oci.map import paths

#: Version of the manifests' schema: "apiVersion" of 1.0, "api-version" of 0.1.
API_VERSION = "1.0.0"
MONAI_API_VERSION = "0.1.0"

#: Longest name of a model. MAP specification 1.0, "Package Manifest".
MAX_MODEL_NAME_BYTES = 128

#: Greatest MONAI_TIMEOUT. MAP specification 0.1, "Initial Conditions".
MAX_TIMEOUT_S = 65536

_MI, _GI = 2**20, 2**30
_SEMANTIC = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII
)
_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an application needs, and at most may take; 0 is "not stated" of a limit or of GPU memory.

    Attributes:
        cpu: Cores.
        memory_bytes: Measured, not wished.
        gpu: Devices.
        gpu_memory_bytes: Of each device.
        shared_memory_bytes: Of /dev/shm.
        cpu_limit: Most cores.
        memory_limit_bytes: Most memory.
        gpu_limit: Most devices.
        gpu_memory_limit_bytes: Most of each device's memory.
    """

    cpu: float = 1
    memory_bytes: int = _GI
    gpu: float = 0
    gpu_memory_bytes: int = 0
    shared_memory_bytes: int = 64 * _MI
    cpu_limit: float = 0
    memory_limit_bytes: int = 0
    gpu_limit: float = 0
    gpu_memory_limit_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSpec:
    """A MAP, described.

    Attributes:
        title: What people call it, e.g. the bundle's name.
        version: The bundle's own version, in whatever form it has.
        bedside_version: Of the runtime inside.
        bundle_digest: Identity of the bundle inside, ``sha256:`` and 64 hex digits.
        models: Folder names below `paths.MODELS`, as `model_folder` makes them; the first is run.
        description: One sentence for people; may be empty.
        resources: What it needs.
        timeout_s: Longest run; 0 is no end.
        settings: Stage settings that the application runs with where the environment names no
            others (outputs, select, engine, precision, …): JSON values.
        python: The interpreter of the base.
        python_path: Folders for ``PYTHONPATH``.
        environment: Of the base, e.g. its ``PATH``; what the contract sets wins.
        base_name: The base, for people.
        base_digest: Its digest, where it has one.
        tag: Name under which it is published first; may be empty.
        licenses: SPDX expression; may be empty.
        annotations: Further labels, e.g. ``org.opencontainers.image.authors``.
    """

    title: str
    version: str
    bedside_version: str
    bundle_digest: str
    models: tuple[str, ...]
    description: str = ""
    resources: Resources = field(default_factory=Resources)
    timeout_s: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    python: str = "/usr/bin/python3"
    python_path: tuple[str, ...] = (paths.RUNTIME, paths.SITE_PACKAGES)
    environment: Mapping[str, str] = field(default_factory=dict)
    base_name: str = ""
    base_digest: str = ""
    tag: str = ""
    licenses: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("MAP: it holds no model", hint="bedside package BUNDLE")
        for name in self.models:
            if name != model_folder(name):
                raise ConfigError(f"MAP: {name!r} is no name for a model's folder")
        if not 0 <= self.timeout_s <= MAX_TIMEOUT_S:
            raise ConfigError(f"MAP: a time-out of {self.timeout_s} s is outside 0–{MAX_TIMEOUT_S}")


def model_folder(name: str) -> str:
    """Return a model's name as a folder: lower case, no spaces, at most 128 bytes."""
    plain = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")
    return plain[:MAX_MODEL_NAME_BYTES].rstrip("-._") or "model"


def semantic_version(text: str) -> str:
    """Return a version in the form of semver.org 2.0.

    Missing numbers become 0, what follows them becomes a pre-release; what holds no number at all is
    ``0.0.0``, which the specification assumes where none is stated.
    """
    text = text.strip()
    if _SEMANTIC.fullmatch(text):
        return text
    found = _NUMBERS.fullmatch(text)
    if not found:
        return "0.0.0"
    numbers = ".".join(str(int(part or 0)) for part in found.groups()[:3])
    rest = ".".join(
        str(int(part)) if part.isdigit() else part for part in re.findall(r"[0-9A-Za-z-]+", found[4])
    )
    return f"{numbers}-{rest.strip('-')}" if rest.strip("-") else numbers


def memory_text(size_bytes: int) -> str:
    """Return a size as manifests say it: ``4Gi``, ``1.5Gi``, ``64Mi``; rounded up, never to less."""
    if size_bytes >= _GI:
        return f"{math.ceil(size_bytes * 10 / _GI) / 10:g}Gi"
    return f"{max(math.ceil(size_bytes / _MI), 1)}Mi"


def tenths(value: float) -> float | int:
    """Return a count as manifests say it: whole, or rounded up to a tenth."""
    rounded = math.ceil(round(value * 10, 6)) / 10
    return int(rounded) if rounded == int(rounded) else rounded
