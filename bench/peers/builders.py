"""buildah and docker as peers of ``bedside package``: copy a bundle onto a pulled base, push."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from engines import running_dockerd

#: Where the bundle goes: its path in a MAP.
MODEL_FOLDER = "/opt/holoscan/models/spleen"
#: What buildah's commands that speak to a registry need for one on this machine.
LOCAL = ("--tls-verify=false",)


class Build(Protocol):
    """Builds the bundle onto the base, and pushes it to a host under a tag."""

    def __call__(self, bundle: Path, host: str, tag: str) -> None: ...


@contextmanager
def buildah(folder: Path, base: str) -> Iterator[Build]:
    """Give ``buildah build`` and ``push`` with an empty store; the first build pulls the base."""
    with _store(folder) as buildah:
        file = folder / "Containerfile"
        file.write_text(f"FROM {base}\nCOPY . {MODEL_FOLDER}\n")

        def build(bundle: Path, host: str, tag: str) -> None:
            name = f"{host}/buildah:{tag}"
            buildah("build", "--isolation", "chroot", *LOCAL, "-f", str(file), "-t", name, str(bundle))
            buildah("push", *LOCAL, name)

        yield build


@contextmanager
def commit(folder: Path, base: str) -> Iterator[Build]:
    """Give buildah's shortest way: from, copy, and commit to the registry; its store keeps nothing."""
    with _store(folder) as buildah:

        def build(bundle: Path, host: str, tag: str) -> None:
            working = buildah("from", *LOCAL, base).strip()
            buildah("copy", working, str(bundle), MODEL_FOLDER)
            buildah("commit", *LOCAL, "--rm", working, f"docker://{host}/commit:{tag}")

        yield build


@contextmanager
def docker(folder: Path, base: str) -> Iterator[Build]:
    """Give a docker daemon with an empty store; the first build pulls the base."""
    folder.mkdir()
    file = folder / "Dockerfile"
    file.write_text(f"FROM {base}\nCOPY . {MODEL_FOLDER}\n")
    with running_dockerd(folder) as daemon:
        environment = {"DOCKER_HOST": daemon, "DOCKER_BUILDKIT": "0"}

        def build(bundle: Path, host: str, tag: str) -> None:
            name = f"{host}/docker:{tag}"
            run(["docker", "build", "-q", "-f", str(file), "-t", name, str(bundle)], environment)
            run(["docker", "push", "-q", name], environment)

        yield build


#: Ways to build and push, by name.
PEERS = {"buildah": buildah, "commit": commit, "docker": docker}
LABELS = {
    "buildah": "buildah build, push",
    "commit": "buildah from, copy, commit",
    "docker": "docker build, push",
}


@contextmanager
def _store(folder: Path) -> Iterator[Callable[..., str]]:
    """Give ``buildah`` with a store of its own."""
    folder.mkdir()
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    store = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "overlay"]

    def buildah(command: str, *words: str) -> str:
        policy = ["--signature-policy", str(folder / "policy.json")] if LOCAL[0] in words else []
        return run(["buildah", *store, command, *policy, *words])

    try:
        yield buildah
    finally:
        run(["buildah", *store, "rmi", "--all", "--force"], check=False)
        run(["umount", str(folder / "root" / "overlay")], check=False)


def run(command: Sequence[str], environment: dict[str, str] | None = None, *, check: bool = True) -> str:
    """Run a command; what it said is shown where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
