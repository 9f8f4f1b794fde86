"""MAPs as others make them: the manifests of the App SDK with the field's sloppiness, and a small Python.

The container image is written here by hand, tar and JSON, so that it owes nothing to bedside's own
writer: layers with whiteouts, names of people as owners, an entry point that answers 0 whatever
happened. The interpreter and its libraries are this machine's.
"""

import gzip
import hashlib
import io
import json
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import bedside
from nothing_bundle import BEHAVIOURS

#: What the samples do with a study; its brightest voxel says what. It tells what it was not kept from.
BEHAVE = f"""
import array
import json
import os
import pathlib
import time


class Rejected(Exception):
    pass


def behave(source, target, check=lambda: None):
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if b"CS\\x02\\x00MR" in files[0].read_bytes():
        raise Rejected("two slices are missing")
    brightest = max(max(array.array("H", path.read_bytes()[-24 * 24 * 2 :])) for path in files) - 1024
    behaviour = {BEHAVIOURS!r}[(brightest - 100) // 10]
    if behaviour == "needs_clean_environment":
        held = [name for name, value in os.environ.items() if "credential" in value]
        assert not held and os.environ["OMP_NUM_THREADS"] == "1"
    if behaviour == "fails":
        raise ValueError("Doe^Jane")
    if behaviour == "dies":
        os._exit(9)
    if behaviour == "prints":
        print("a program prints " * 100000)
        os.write(1, b"\\x00\\x00\\x00\\x05hello" * 100)
    if behaviour == "sleeps":
        for _ in range(3000):
            check()
            time.sleep(0.1)
    if behaviour == "takes_1":
        time.sleep(1)
    (target / "count.txt").write_text(str(len(files)))
    (target / "limits.json").write_text(json.dumps(limits(source)))


def limits(source):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    found = {{
        "input": tried(lambda: (source / "new").write_text("x")),
        "root": tried(lambda: pathlib.Path("/etc/new").write_text("x")),
        "application": tried(lambda: pathlib.Path(__file__).write_text("x")),
        "sysctl": tried(lambda: pathlib.Path("/proc/sys/kernel/core_pattern").write_text("core")),
        "namespace": tried(unshare),
        "tmp": tried(lambda: pathlib.Path("/tmp/new").write_text("x")),
        "home": tried(lambda: (pathlib.Path.home() / "new").write_text("x")),
        "network": tried(connect),
        "interfaces": sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]),
        "capabilities": [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")],
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "pid": os.getpid(),
        "model": pathlib.Path("/opt/holoscan/models/model/model.ts").read_text(),
        "removed": os.path.exists("/opt/holoscan/app/old.txt"),
    }}
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.path.exists(path):
            found["memory"] = open(path).read().strip()
    return found


def tried(act):
    try:
        act()
    except OSError:
        return "refused"
    return "allowed"


def connect():
    import socket

    with socket.socket() as one:
        one.settimeout(3)
        one.connect(("192.0.2.1", 80))


def unshare():
    import ctypes

    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError("unshare")
"""

#: The application of a foreign MAP: the folder contract of its generation.
APPLICATION = """
import json
import os
import pathlib
import sys

from behave import Rejected, behave

generation = sys.argv[1]
prefix, infix = ("HOLOSCAN", "_") if generation == "holoscan" else ("MONAI", "")
source = pathlib.Path(os.environ[prefix + "_INPUT" + infix + "PATH"])
target = pathlib.Path(os.environ[prefix + "_OUTPUT" + infix + "PATH"])
assert source.is_absolute() and target.is_absolute()
try:
    behave(source, target)
except Rejected as rejected:
    (target / "report.json").write_text(json.dumps({"reason": str(rejected)}))
    sys.exit(4)
"""

#: The child of a MAP that carries a bedside, without a model: the real protocol and channel.
CHILD = """
import os
import pathlib
import sys

from bedside.errors import BedsideError, InputRejected
from bedside.runtime.channel import Channel
from bedside.runtime.protocol import Bye, Error, Hello, Load, Progress, Result, Run

sys.path.append("/opt/holoscan/app")
from behave import Rejected, behave

channel = Channel.of_this_process()
channel.send(
    Hello(protocols=(1,), capabilities=(), bedside="0", python="3", torch="", pid=os.getpid())
)
channel.start()
loaded = None
while True:
    match channel.receive():
        case Load() as load:
            loaded = load
        case Bye():
            os._exit(0)
        case Run() as run:
            def check():
                channel.check(run.id)
                channel.send(Progress(id=run.id, doing="forward", fraction=0.5))

            try:
                behave(pathlib.Path(run.input), pathlib.Path(run.output), check)
                report = {"bundle": loaded.bundle, "release": loaded.release}
                channel.send(Result(id=run.id, report=report, timings_s={"run": 0.1}))
            except Rejected as failed:
                channel.send(Error.of(run.id, InputRejected(str(failed))))
            except BedsideError as failed:
                channel.send(Error.of(run.id, failed))
            except Exception as failed:
                channel.send(Error(id=run.id, name="ModelFailed", message=f"model: {type(failed).__name__}"))
"""

#: An entry point as the field has it: needs what is not there, and answers 0.
ENTRY = "#!/bin/sh\njq -r .command /etc/holoscan/app.json\nexit 0\n"

PLATFORM = {"x86_64": "amd64", "aarch64": "arm64"}

#: Modules in shared objects that the sample's Python needs.
_DYNAMIC = (
    "_ctypes",
    "_struct",
    "math",
    "select",
    "_socket",
    "_posixsubprocess",
    "zlib",
    "array",
    "_json",
    "fcntl",
    "_random",
    "_bisect",
    "_heapq",
    "_datetime",
    "binascii",
    "_pickle",
    "_hashlib",
    "_sha512",
    "_sha256",
    "_sha1",
    "_md5",
    "_blake2",
    "_sha3",
    "_queue",
    "_contextvars",
    "_opcode",
    "resource",
    "_statistics",
)
_PACKAGES = (
    "collections",
    "encodings",
    "importlib",
    "json",
    "re",
    "logging",
    "concurrent",
    "ctypes",
    "email",
    "urllib",
    "zipfile",
)


@dataclass(frozen=True)
class File:
    """An entry of a layer."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    link: str = ""
    folder: bool = False


@dataclass(frozen=True)
class Layout:
    """An OCI layout with one container image: its folder, and the digest of its manifest."""

    path: Path
    digest: str


def application_manifest(generation: str) -> dict[str, object]:
    """Return app.json as the App SDK of a generation writes it."""
    command = ["python3", "-u", "/opt/holoscan/app/app.py", generation]
    if generation == "holoscan":
        return {
            "apiVersion": "1.0.0",
            "command": json.dumps(command),
            "environment": {"HOLOSCAN_APPLICATION": "/opt/holoscan/app"},
            "input": {"path": "input", "formats": None},
            "liveness": None,
            "output": {"path": "output", "formats": None},
            "readiness": None,
            "sdk": "monai-deploy",
            "sdkVersion": "0.5.1",
            "timeout": 0,
            "version": 1.0,
            "workingDirectory": "/var/holoscan",
        }
    return {
        "api-version": "0.1.0",
        "command": " ".join(command),
        "environment": {},
        "input": {"path": "input", "formats": []},
        "output": {"path": "output", "format": {}},
        "sdk-version": "0.5.1",
        "timeout": 0,
        "version": "0.0.1",
        "working-directory": "/var/monai/",
    }


def package_manifest(generation: str) -> dict[str, object]:
    """Return pkg.json as the App SDK of a generation writes it."""
    if generation == "holoscan":
        return {
            "apiVersion": "1.0.0",
            "applicationRoot": "/opt/holoscan/app",
            "modelRoot": "/opt/holoscan/models",
            "models": {"model": "/opt/holoscan/models/model"},
            "resources": {"cpu": 1, "gpu": 1, "memory": "1Gi", "gpuMemory": "6Gi"},
            "version": 1.0,
            "platformConfig": "dgpu",
        }
    return {
        "api-version": "0.1.0",
        "application-root": "/opt/monai/app",
        "models": [{"name": "model-abc", "path": "/opt/monai/models/model/model.ts"}],
        "resource": {"cpu": 1, "gpu": 0, "memory": "1Gi"},
        "sdk-version": "0.5.1",
        "version": "0.0.1",
    }


def write_map(
    folder: Path,
    generation: str = "holoscan",
    *,
    program: str = APPLICATION,
    more: Iterable[File] = (),
    last: Iterable[File] = (),
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Layout:
    """Write an OCI layout with one foreign MAP of a generation in it."""
    root = f"var/{generation}"
    manifests = [
        File(f"etc/{generation}/app.json", json.dumps(application_manifest(generation)).encode()),
        File(f"etc/{generation}/pkg.json", json.dumps(package_manifest(generation)).encode()),
    ]
    application = [
        File("opt/holoscan/app/app.py", program.encode()),
        File("opt/holoscan/app/behave.py", BEHAVE.encode()),
        File("opt/holoscan/app/.wh.old.txt"),
        File("opt/holoscan/models/model/model.ts", b"a model"),
        File(f"{root}/input", folder=True, mode=0o755),
        File(f"{root}/output", folder=True, mode=0o755),
        File("var/holoscan/tools", ENTRY.encode(), mode=0o755),
        *more,
    ]
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONHOME": "/usr", **(environment or {})}
    if generation == "holoscan":
        variables |= {
            "HOLOSCAN_INPUT_PATH": "/var/holoscan/input",
            "HOLOSCAN_OUTPUT_PATH": "/var/holoscan/output",
            "HOLOSCAN_WORKDIR": "/var/holoscan",
            "HOLOSCAN_TIMEOUT": "0",
        }
    config = {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Entrypoint": ["/var/holoscan/tools"],
        "User": "holoscan",
        "WorkingDir": f"/{root}",
        "Labels": {
            "base": "nvcr.io/nvidia/clara-holoscan",
            "tag": "foreign:1.0",
            "org.opencontainers.image.title": "foreign",
            "org.opencontainers.image.version": "1.0",
            **(labels or {}),
        },
    }
    return write_layout(
        folder,
        [
            python_layer(),
            layer(application),
            layer({file.path: file for file in (*manifests, *last)}.values()),
        ],
        config,
    )


def write_bedside_map(folder: Path) -> Layout:
    """Write a MAP that speaks the protocol: bedside's own channel, and no model."""
    package = Path(bedside.__file__).parent
    needed = [package / "__init__.py", package / "errors.py", *(package / "domain").rglob("*.py")]
    needed += [package / "runtime" / f"{name}.py" for name in ("__init__", "channel", "protocol")]
    runtime = "opt/bedside/runtime/bedside"
    return write_map(
        folder,
        more=[
            *(File(f"{runtime}/{path.relative_to(package)}", path.read_bytes()) for path in needed),
            File(f"{runtime}/runtime/__main__.py", CHILD.encode()),
        ],
        environment={"PYTHONPATH": "/opt/bedside/runtime", "PYTHONDONTWRITEBYTECODE": "1"},
        labels={
            "org.bedside.protocol": "1",
            "org.bedside.bundle.digest": f"sha256:{'b' * 64}",
            "org.bedside.model": "/opt/holoscan/models/model",
        },
    )


def write_layout(folder: Path, layers: list[bytes], config: Mapping[str, object]) -> Layout:
    """Write an OCI layout with one container image, of tars and the ``config`` of its configuration."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    kind = "application/vnd.oci.image"
    document = {
        "architecture": PLATFORM[platform.machine()],
        "os": "linux",
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in layers],
        },
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": put(json.dumps(document).encode(), f"{kind}.config.v1+json"),
        "layers": [put(gzip.compress(tar, 1, mtime=0), f"{kind}.layer.v1.tar+gzip") for tar in layers],
    }
    descriptor = put(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    return Layout(folder, str(descriptor["digest"]))


def layer(files: Iterable[File]) -> bytes:
    """Return a tar with the parents of its entries left out, as some builders do."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.mode, entry.uid, entry.gid, entry.uname = file.mode, 1000, 1000, "holoscan"
            entry.size = len(file.content)
            if file.link:
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, file.link, 0
            if file.folder:
                entry.type, entry.size = tarfile.DIRTYPE, 0
            tar.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


@cache
def python_layer() -> bytes:
    """Return a tar with this machine's Python, its standard library in a ZIP, and its shell."""
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    stdlib = Path(sysconfig.get_path("stdlib"))
    dynamic = {name: path for name in _DYNAMIC for path in sorted(stdlib.glob(f"lib-dynload/{name}.*.so"))}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    files = [
        File("usr/bin/python3", interpreter.read_bytes(), mode=0o755),
        File("usr/bin/dash", Path("/bin/sh").resolve().read_bytes(), mode=0o755),
        File("usr/bin/sh", link="dash"),
        File("bin", link="usr/bin"),
        File(f"usr/lib/python{version.replace('.', '')}.zip", _library(stdlib)),
        File("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nholoscan:x:1000:1000::/home/holoscan:/bin/sh\n"),
        File("etc/group", b"root:x:0:\nholoscan:x:1000:\n"),
        File("opt/holoscan/app/old.txt", b"removed by a later layer"),
        File("tmp", folder=True, mode=0o1777),
        *(
            File(f"usr/lib/python{version}/lib-dynload/{path.name}", path.read_bytes())
            for path in dynamic.values()
        ),
    ]
    for target, source in _libraries([interpreter, Path("/bin/sh"), *dynamic.values()]).items():
        files.append(File(target.lstrip("/"), source.read_bytes(), mode=0o755))
    return layer(files)


def _library(stdlib: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.PyZipFile(packed, "w", optimize=0) as archive:
        for path in sorted(stdlib.glob("*.py")):
            archive.writepy(str(path))
        for name in _PACKAGES:
            if (stdlib / name).is_dir():
                archive.writepy(str(stdlib / name))
    return packed.getvalue()


def _libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Return the shared libraries that programs load: the path they are looked for at, and their file."""
    found: dict[str, Path] = {}
    for program in programs:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listed, re.MULTILINE):
            found[f"/usr/lib/{name}"] = Path(path).resolve()
        for path in re.findall(r"^\s*(/\S+) \(", listed, re.MULTILINE):
            found[path] = Path(path).resolve()
    return found
