"""Asks pip, the one program that knows this machine's indexes, credentials and proxies.

Owns the two questions: "which files would you take?" (a report, nothing is downloaded where the index
offers metadata) and "fetch exactly these, by hash". pip runs as a program of its own, under the Python that
runs bedside, so that every setting of its user holds.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bedside.errors import ConfigError, Unavailable
from bedside.package.wheels.lock import PYTHON

#: glibc of the oldest wheels, and of Debian bookworm.
_GLIBC = range(17, 37)
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
#: Where the CPU builds of torch are published; asked only where this machine's own indexes lack them.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_CONFLICT = "requirements contradict one another"
_NOT_FOUND = ("No matching distribution", "Could not find a version", _CONFLICT)
TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A wheel to fetch.

    Attributes:
        name: Of the distribution.
        version: Exact.
        sha256: Of the file, hex.
    """

    name: str
    version: str
    sha256: str


def download(wanted: Sequence[Pinned], *, architecture: str, folder: Path) -> dict[str, Path]:
    """Fetch wheels into a folder.

    Returns:
        Files by SHA-256; pip has compared each with the hash it was asked for.

    Raises:
        ConfigError: an index has another file under this version, or none; or pip is missing.
        Unavailable: no index answers.
    """
    lines = "".join(f"{item.name}=={item.version} --hash=sha256:{item.sha256}\n" for item in wanted)
    requirements = folder / "requirements.txt"
    requirements.write_text(lines, encoding="utf-8")
    arguments = ["download", "--no-deps", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
    arguments += _target(architecture)
    _pip_or_torch_index(arguments, lines)
    requirements.unlink()
    return {_sha256(path): path for path in folder.glob("*.whl")}


def report(
    requirements: Iterable[str],
    *,
    architecture: str,
    constraints: Iterable[str] = (),
    dependencies: bool = True,
) -> list[dict[str, Any]]:
    """Return what pip would install for some requirements.

    Args:
        requirements: Lines of a requirements file.
        architecture: ``amd64`` or ``arm64``. Markers are judged by pip for the Python that runs it.
        constraints: Lines of a constraints file.
        dependencies: Follow what they depend on.

    Returns:
        Entries of ``install`` in pip's installation report.

    Raises:
        ConfigError: the requirements cannot be met by wheels for the target.
        Unavailable: no index answers.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        text = "\n".join(requirements) + "\n"
        (folder / "in.txt").write_text(text, encoding="utf-8")
        (folder / "constraints.txt").write_text("\n".join(constraints) + "\n", encoding="utf-8")
        arguments = [
            *("install", "--dry-run", "--ignore-installed", "--target", str(folder / "target")),
            *("--report", str(folder / "report.json")),
            *("-r", str(folder / "in.txt"), "-c", str(folder / "constraints.txt")),
            *(() if dependencies else ("--no-deps",)),
            *_target(architecture),
        ]
        _pip_or_torch_index(arguments, text)
        document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return list(document["install"])


def _pip_or_torch_index(arguments: Sequence[str], requirements: str) -> None:
    """Run pip; where this machine's indexes lack a CPU build of torch, ask its publisher's too."""
    try:
        _pip(arguments)
    except ConfigError as exc:
        if "+cpu" not in requirements or not any(words in exc.message for words in _NOT_FOUND):
            raise
        try:
            _pip([*arguments, "--extra-index-url", TORCH_CPU_INDEX])
        except Unavailable:
            raise Unavailable(
                f"torch's CPU build: no index of this machine has it, and {TORCH_CPU_INDEX} does not answer",
                hint="PIP_EXTRA_INDEX_URL=MIRROR bedside package …, or --variant cuda",
            ) from exc


def _target(architecture: str) -> list[str]:
    machine = _MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in reversed(_GLIBC)]
    options = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
    for platform in (*platforms, f"manylinux2014_{machine}", f"linux_{machine}"):
        options += ["--platform", platform]
    return options


def _pip(arguments: Sequence[str]) -> None:
    if importlib.util.find_spec("pip") is None:
        raise ConfigError(
            f"wheels: {sys.executable} has no pip to fetch them with", hint=f"{sys.executable} -m ensurepip"
        )
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        # A person who wants pip quiet still wants to know who contradicts whom.
        done = subprocess.run(
            command,
            env={**os.environ, "PIP_QUIET": "0"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"pip {arguments[0]}: no end after {TIMEOUT_S:.0f} s") from exc
    if done.returncode == 0:
        return
    said = _reason(done.stdout, done.stderr) or f"exit code {done.returncode}"
    if "No space left on device" in done.stderr:
        raise Unavailable(f"pip {arguments[0]}: the disk is full")
    if "NewConnectionError" in done.stderr or "Max retries" in done.stderr:
        raise Unavailable(f"pip {arguments[0]}: no index answers ({said})", hint="pip config list")
    raise ConfigError(f"pip {arguments[0]}: {said}", hint="pip config list")


def _reason(output: str, errors: str) -> str:
    """Return why pip failed: for a conflict who wants what, else its own errors."""
    conflict = output.partition("The conflict is caused by:")[2].partition("\n\n")[0].strip()
    if conflict:
        return f"{_CONFLICT}: {'; '.join(line.strip() for line in conflict.splitlines())}"
    lines = [line.partition("ERROR:")[2].strip() for line in errors.splitlines() if "ERROR:" in line]
    return " ".join(lines) or errors.strip()[-400:]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
