"""The software of a worker's machine as one tar: bedside's wheel, what it needs, and the configuration.

A machine that starts then needs nothing of the open internet, and every machine of a deployment has the
versions that the machine which deployed had. The name holds the digest: a changed configuration is
another archive, which brings a new launch template and so new machines.
"""

import base64
import hashlib
import importlib.metadata
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bedside
from bedside import __version__
from bedside.errors import Unavailable

#: What a machine needs: reading DICOM, AWS, PostgreSQL, the portal. Models come in their MAPs, so no torch.
EXTRA = "node"
#: Amazon Linux 2023 has this Python beside its own, and glibc 2.34.
PYTHON = "3.11"
PLATFORMS = (
    "manylinux_2_34_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
)
CONFIGURATION = "bedside.toml"
#: Beside it where the ledger's server is to be known by other authorities than RDS's.
LEDGER_CA = "ledger-ca.pem"

_LEFT_OUT = frozenset({"__pycache__", ".terraform", "examples"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """An archive that a machine installs.

    Attributes:
        path: The tar on this machine.
        key: Where it belongs in the deployment's bucket.
    """

    path: Path
    key: str


def build_software(folder: Path, configuration: bytes, ledger_ca: bytes = b"") -> Software:
    """Write the archive; the same versions and configuration give the same bytes.

    Args:
        folder: Where it goes.
        configuration: The ``bedside.toml`` of the machines.
        ledger_ca: Certificate authorities of the ledger's server, as PEM; empty is none of one's own.

    Raises:
        Unavailable: The package index does not answer, or has no wheel for the machines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        wheels = Path(temporary) / "wheels"
        wheels.mkdir()
        _download(_bedside_wheel(wheels), wheels, Path(temporary) / "constraints.txt")
        named = [(CONFIGURATION, configuration), *([(LEDGER_CA, ledger_ca)] if ledger_ca else [])]
        content = _tar([*_named(wheels), *named])
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest}.tar"
    path.write_bytes(content)
    return Software(path=path, key=f"software/{digest}.tar")


def _bedside_wheel(folder: Path) -> Path:
    """Write bedside's own wheel from the modules that run now: a checkout has no other."""
    info = f"bedside-{__version__}.dist-info"
    installed = importlib.metadata.distribution("bedside")
    files = dict(_modules())
    files[f"{info}/METADATA"] = (installed.read_text("METADATA") or "").encode()
    files[f"{info}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: bedside\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [f"{name},sha256={_record_hash(data)},{len(data)}" for name, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"bedside-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, compress_type=zipfile.ZIP_STORED)
    return path


def _modules() -> Iterator[tuple[str, bytes]]:
    root = Path(bedside.__file__).parent
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        if path.is_file() and not _LEFT_OUT.intersection(inner.parts):
            yield f"bedside/{inner.as_posix()}", path.read_bytes()


def _record_hash(data: bytes) -> str:
    """Return a digest as wheels write it (PEP 427)."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _download(wheel: Path, folder: Path, constraints: Path) -> None:
    """Bring the wheels that a machine needs, in the versions that are installed here."""
    pins = {
        f"{found.metadata['Name']}=={found.version.partition('+')[0]}"
        for found in importlib.metadata.distributions()
        if found.metadata["Name"] and found.metadata["Name"].lower() != "bedside"
    }
    constraints.write_text("\n".join(sorted(pins)) + "\n", encoding="utf-8")
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON, *platforms),
        *("--dest", str(folder), "--constraint", str(constraints), f"{wheel}[{EXTRA}]"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise Unavailable(
            f"software of the machines: pip cannot bring its wheels: {said.removeprefix('ERROR: ')}",
            hint=f"python -m pip download --python-version {PYTHON} --only-binary :all: 'bedside[{EXTRA}]'",
        )


def _named(folder: Path) -> list[tuple[str, bytes]]:
    return [(f"wheels/{path.name}", path.read_bytes()) for path in sorted(folder.glob("*.whl"))]


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)  # owner and time stay zero: they would change the digest
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()
