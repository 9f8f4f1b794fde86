"""docker, by its command line and daemon."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from bedside.adapters.containers.box import Box
from bedside.adapters.containers.cli import BRING_S, CommandLineEngine
from bedside.errors import Unavailable
from bedside.oci.descriptor import LAYER_ZSTD
from bedside.oci.open import ContainerImage
from bedside.oci.parts import Entry
from bedside.oci.tar import tar

_LOADED = re.compile(rb"Loaded image(?: ID)?: (\S+)")
_CHUNK = 1 << 20


class Docker(CommandLineEngine):
    """docker: takes one tar in a stream.

    Args:
        program: Its path, and arguments that stand before every command (``--host …``).
        environment: The worker's.
    """

    name = "docker"

    def check(self) -> str:
        """Return its version and form. See `bedside.adapters.containers.box.Engine.check`."""
        said = self._call(["version", "--format", "{{.Server.Version}}"])
        return f"docker {said.stdout.decode().strip()}"

    def _take_in(self, image: ContainerImage) -> str:
        """Load a tar in the form of `docker save`, layers unpacked where the daemon might not know zstd."""
        with tempfile.TemporaryDirectory(prefix="bedside-") as folder:
            entries = _entries(image, Path(folder))
            said = self._load(entries)
        found = _LOADED.search(said)
        return found[1].decode() if found else image.descriptor.digest

    def _load(self, entries: list[Entry]) -> bytes:
        with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as answer:
            try:
                process = subprocess.Popen(
                    [*self._program, "load"],
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=answer,
                    stderr=errors,
                )
            except OSError as exc:
                raise Unavailable(f"{self.name}: cannot be started: {exc.strerror}") from exc
            assert process.stdin is not None
            try:
                for chunk in tar(entries):
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                pass  # what it says about that is read below
            try:
                status = process.wait(BRING_S)
            except subprocess.TimeoutExpired as exc:
                process.kill()
                process.wait()
                raise Unavailable(f"docker load: not done after {BRING_S:g} s") from exc
            errors.seek(0)
            if status:
                raise self._refusal("load", errors.read())
            answer.seek(0)
            return answer.read()

    def _own_flags(self, box: Box) -> list[str]:
        uid, gid = box.user
        # podman would take the ulimits of its own configuration away for this one.
        return [
            "--user",
            f"{uid}:{gid}",
            "--ulimit",
            "core=0:0",
            *(["--gpus", _gpus(box.gpus)] if box.gpus else []),
        ]


def _gpus(chosen: str) -> str:
    return "all" if chosen == "all" else f"device={chosen}"


def _entries(image: ContainerImage, folder: Path) -> list[Entry]:
    config = image.manifest["config"]["digest"].partition(":")[2]
    entries = [Entry(path=f"{config}.json", content=image.layout.blob(image.manifest["config"]["digest"]))]
    names = []
    for number, layer in enumerate(image.layers):
        blob = image.layout.blob(layer.part.descriptor.digest)
        if layer.part.descriptor.media_type == LAYER_ZSTD:
            unpacked = folder / f"{number}.tar"
            with image.tar(layer) as stream, unpacked.open("wb") as target:
                while chunk := stream.read(_CHUNK):
                    target.write(chunk)
            blob = unpacked
        names.append(f"layer-{number:03}/layer.tar")
        entries.append(Entry(path=names[-1], content=blob))
    manifest = [{"Config": f"{config}.json", "RepoTags": None, "Layers": names}]
    return [*entries, Entry(path="manifest.json", content=json.dumps(manifest).encode())]
