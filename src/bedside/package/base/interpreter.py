"""The target's Python, run on this machine: makes bytecode that is the same wherever it was made.

Owns the interpreter out of the Debian lock for this machine's own architecture. It is started through
its own dynamic loader out of an unpacked folder, which needs neither root nor a namespace. Bytecode does
not depend on the processor, so one interpreter serves every platform; it does depend on the exact
version of Python, so the one that runs bedside is never used.
"""

import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import ConfigError, Unavailable
from bedside.oci.parts import Entry
from bedside.oci.storage import locked
from bedside.package.base.unpacked import unpacking, write_entries

#: Machines by the names that Debian gives them.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_LOADERS = {
    "amd64": ("usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "arm64": ("usr/lib/aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
}
TIMEOUT_S = 1800.0
#: Runs inside the target's Python: folder, the path that tracebacks shall name, what is left out. Sorted,
#: in one process, so that nothing left over from one file differs for the next; what does not compile
#: (templates, files for another Python) is no module either.
_COMPILE = """
import os, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
root, shown, *left_out = sys.argv[1:]
left_out = tuple(os.path.join(root, name) for name in left_out)
found = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
for path in sorted(path for path in found if path.endswith(".py") and not path.startswith(left_out)):
    folder, name = os.path.split(path)
    compiled = os.path.join(folder, "__pycache__", name[:-3] + "." + sys.implementation.cache_tag + ".pyc")
    try:
        py_compile.compile(path, compiled, shown + path[len(root):], doraise=True, invalidation_mode=mode)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        continue
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python of an exact version that can run here.

    Attributes:
        key: Digest over what it is made of.
        version: E.g. ``3.11``.
        bytecode: What its bytecode depends on: the exact version of its package.
        architecture: ``amd64`` or ``arm64``: this machine's.
        cache: Folder that holds unpacked interpreters.
        entries: Makes its root file system.
    """

    key: str
    version: str
    bytecode: str
    architecture: str
    cache: Path
    entries: Callable[[], Iterable[Entry]]

    def compile(self, folder: Path, *, shown: str, left_out: Sequence[str] = ()) -> None:
        """Write the bytecode of every module below a folder beside it, as unchecked-hash ``.pyc``.

        Args:
            folder: Holds the sources.
            shown: Absolute path that the folder has in the container image; tracebacks name it.
            left_out: Beginnings of paths below the folder; their modules are compiled when imported.

        Raises:
            Unavailable: the interpreter does not run here, or the disk is full.
        """
        root = self.root()
        libraries, loader = _LOADERS[self.architecture]
        command = [
            str(root / libraries / loader),
            "--library-path",
            str(root / libraries),
            str(root / f"usr/bin/python{self.version}"),
            *("-S", "-s", "-B", "-X", "utf8", "-W", "ignore", "-c", _COMPILE),
            str(folder),
            shown,
            *left_out,
        ]
        environment = {"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "PATH": "/nonexistent"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"python{self.version} of the base: cannot run here ({exc})") from exc
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Unavailable(f"python{self.version} of the base: exit code {done.returncode} ({last})")

    def root(self) -> Path:
        """Return the folder that holds its root file system, unpacked once."""
        root = self.cache / self.key.rpartition(":")[2]
        if root.is_dir():
            return root
        with locked(self.cache / f".{root.name}.lock"):
            if not root.is_dir():
                with unpacking(root) as folder:
                    write_entries(self.entries(), folder)
        return root


def this_machine() -> str:
    """Return this machine's architecture as Debian names it. Raises `ConfigError` for others than two."""
    name = platform.machine()
    if name not in MACHINES or platform.system() != "Linux":
        raise ConfigError(f"{platform.system()} on {name}: packaging needs Linux on x86_64 or aarch64")
    return MACHINES[name]
