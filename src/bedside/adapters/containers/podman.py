"""podman, with or without root."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bedside.adapters.containers.box import Box
from bedside.adapters.containers.cli import BRING_S, CommandLineEngine
from bedside.adapters.containers.gpu import has_cdi
from bedside.errors import Unavailable
from bedside.oci.layout import LAYOUT_CONTENT, LAYOUT_FILE, index_bytes
from bedside.oci.open import ContainerImage


class Podman(CommandLineEngine):
    """podman: takes OCI layouts as they are, and needs no daemon.

    Args:
        program: Its path, and arguments that stand before every command (``--root …``).
        environment: The worker's.
    """

    name = "podman"

    def __init__(self, program: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(program, environment)
        self._limits: bool | None = None

    def check(self) -> str:
        """Return its version and form. See `bedside.adapters.containers.box.Engine.check`."""
        known = self._info()
        rootless = known["host"]["security"]["rootless"]
        self._limits = "memory" in (known["host"].get("cgroupControllers") or []) or not rootless
        form = "without root" if rootless else "as root"
        return f"podman {known['version']['Version']} {form}, {known['host']['ociRuntime']['name']}"

    def shortfalls(self) -> Sequence[str]:
        """Return the limits that it cannot keep here, each with the reason."""
        if self._limits is None:
            self.check()
        if self._limits:
            return ()
        return ("memory and processes: this user may not use the cgroup controllers",)

    def _info(self) -> dict[str, dict[str, dict[str, object]]]:
        said = self._call(["info", "--format", "json"])
        try:
            known: dict[str, dict[str, dict[str, object]]] = json.loads(said.stdout)
        except ValueError as exc:
            raise Unavailable("podman info: its answer is no JSON", hint="podman info") from exc
        return known

    def _take_in(self, image: ContainerImage) -> str:
        """Pull from a layout that names this one manifest, whatever else the blobs' folder holds."""
        with tempfile.TemporaryDirectory(prefix="bedside-") as folder:
            layout = Path(folder) / f"map-{image.descriptor.hex[:12]}"
            layout.mkdir()
            (layout / "blobs").symlink_to((image.layout.root / "blobs").absolute())
            (layout / LAYOUT_FILE).write_bytes(LAYOUT_CONTENT)
            entry = {**image.descriptor.to_json(), "annotations": {}}
            (layout / "index.json").write_bytes(index_bytes([entry]))
            # Named relatively: podman makes a reference of the path, and not every path is one.
            place = f"oci:{layout.name}"
            said = self._call(["pull", "--quiet", place], timeout_s=BRING_S, folder=Path(folder))
        taken = said.stdout.decode().split()[-1]
        # The name it got is that of a folder which is gone; the digest is the only name that counts.
        self._call(["untag", taken], check=False)
        return taken

    def _own_flags(self, box: Box) -> list[str]:
        uid, gid = box.user
        flags = ["--user", f"{uid}:{gid}", "--http-proxy=false"]
        if os.getuid():
            flags += ["--userns", "keep-id"]
        if not box.writable:
            flags.append("--read-only-tmpfs=false")
        if box.gpus:
            device = "all" if box.gpus == "all" else box.gpus
            flags += ["--device", f"nvidia.com/gpu={device}"] if has_cdi() else ["--gpus", device]
        return flags

    def _memory(self, memory_bytes: int) -> list[str]:
        return [] if self.shortfalls() else super()._memory(memory_bytes)
