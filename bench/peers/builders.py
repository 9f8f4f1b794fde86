"""buildah and docker as peers of ``bedside package``: copy a bundle onto a pulled base, push."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from engines import running_dockerd

#: Where the bundle goes: its path in a MAP.
MODEL_FOLDER = "/opt/holoscan/models/spleen"


class Build(Protocol):
    """Builds the bundle onto the base, and pushes it under a tag."""

    def __call__(self, bundle: Path, tag: str) -> None: ...


@contextmanager
def buildah(folder: Path, base: str, host: str) -> Iterator[Build]:
    """Give buildah with an empty store; the first build pulls the base."""
    folder.mkdir()
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (folder / "Containerfile").write_text(f"FROM {base}\nCOPY . {MODEL_FOLDER}\n")
    store = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "overlay"]
    policy = ["--signature-policy", str(folder / "policy.json")]

    def build(bundle: Path, tag: str) -> None:
        name = f"{host}/buildah:{tag}"
        file = ["-f", str(folder / "Containerfile")]
        plain = ["--tls-verify=false", *policy]
        run(["buildah", *store, "build", "--isolation", "chroot", *plain, *file, "-t", name, str(bundle)])
        run(["buildah", *store, "push", *plain, name])

    try:
        yield build
    finally:
        run(["buildah", *store, "rmi", "--all", "--force"], check=False)
        run(["umount", str(folder / "root" / "overlay")], check=False)


@contextmanager
def docker(folder: Path, base: str, host: str) -> Iterator[Build]:
    """Give a docker daemon with an empty store; the first build pulls the base."""
    folder.mkdir()
    file = folder / "Dockerfile"
    file.write_text(f"FROM {base}\nCOPY . {MODEL_FOLDER}\n")
    with running_dockerd(folder) as daemon:
        environment = {"DOCKER_HOST": daemon, "DOCKER_BUILDKIT": "0"}

        def build(bundle: Path, tag: str) -> None:
            name = f"{host}/docker:{tag}"
            run(["docker", "build", "-q", "-f", str(file), "-t", name, str(bundle)], environment)
            run(["docker", "push", "-q", name], environment)

        yield build


#: By the name of their program.
PEERS = {"buildah": buildah, "docker": docker}


def run(command: Sequence[str], environment: dict[str, str] | None = None, *, check: bool = True) -> str:
    """Run a command; what it said is shown where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
