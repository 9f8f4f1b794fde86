"""The built-in base: Debian packages of a lock, unpacked without root, debootstrap, apt or dpkg.

Owns the way from a lock to a `Base`, and to the `Interpreter` that compiles what is put on any base. Needs
the network (or the cache) only when a layer has to be made: a base is known by its lock.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bedside.errors import ConfigError
from bedside.oci.descriptor import Platform, sha256_digest
from bedside.oci.parts import Entry, Recipe
from bedside.package.base.deb import read_deb
from bedside.package.base.fetch import Wanted, fetch_all
from bedside.package.base.interpreter import Interpreter, this_machine
from bedside.package.base.lock import DebianLock, DebianPackage
from bedside.package.base.mirrors import Mirrors, apt_mirrors
from bedside.package.base.rootfs import RULES, root_entries
from bedside.package.base.unpacked import write_entries
from bedside.package.base.values import Base

#: Of Debian's Python in the lock's suite.
PYTHON = "3.11"
ENVIRONMENT = (
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "PYTHONUTF8=1",
    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
)
_STANDARD_LIBRARY = f"usr/lib/python{PYTHON}"


def debian_base(
    lock: DebianLock, *, cache: Path, platform: Platform | None = None, mirrors: Mirrors | None = None
) -> Base:
    """Return the base that a lock describes; nothing is fetched until its layer is made.

    Args:
        lock: See `bedside.package.base.lock.read_debian_lock`.
        cache: bedside's cache folder.
        platform: What it shall run on; linux/amd64 if not said.
        mirrors: Archives to ask before the snapshot archive; those of this machine's apt if not said.

    Raises:
        ConfigError: the lock has no packages for the platform.
    """
    platform = platform or Platform()
    packages = lock.for_architecture(platform.architecture)
    interpreter = debian_interpreter(lock, cache=cache, mirrors=mirrors)
    comment = f"Debian {lock.suite}, {len(packages)} packages"
    recipe = Recipe(
        key=_key("base", packages, interpreter.bytecode),
        comment=comment,
        entries=partial(_base_entries, lock, packages, interpreter, cache, mirrors),
    )
    return Base(
        name=f"debian {lock.suite} at {lock.snapshot}",
        digest=lock.digest,
        platform=platform,
        layers=(recipe,),
        config={"Env": list(ENVIRONMENT)},
        packages=packages,
    )


def debian_interpreter(lock: DebianLock, *, cache: Path, mirrors: Mirrors | None = None) -> Interpreter:
    """Return the lock's Python for this machine; it is fetched and unpacked when it is first used.

    Raises:
        ConfigError: bedside cannot run a Python of the lock on this machine.
    """
    architecture = this_machine()
    packages = lock.for_architecture(architecture)
    return Interpreter(
        key=_key("interpreter", packages),
        version=PYTHON,
        bytecode=_python_version(packages),
        architecture=architecture,
        cache=cache / "interpreters",
        entries=partial(_entries, lock, packages, cache, mirrors),
    )


def _base_entries(
    lock: DebianLock,
    packages: Sequence[DebianPackage],
    interpreter: Interpreter,
    cache: Path,
    mirrors: Mirrors | None,
) -> Iterator[Entry]:
    """Yield the root file system with the bytecode of its standard library."""
    entries = _entries(lock, packages, cache, mirrors)
    yield from entries
    sources = [
        entry for entry in entries if entry.path.startswith(_STANDARD_LIBRARY) and entry.path.endswith(".py")
    ]
    with TemporaryDirectory() as folder:
        write_entries(sources, Path(folder))
        interpreter.compile(Path(folder) / _STANDARD_LIBRARY, shown=f"/{_STANDARD_LIBRARY}")
        for path in sorted(Path(folder).rglob("*.pyc")):
            yield Entry(path=path.relative_to(folder).as_posix(), content=path.read_bytes())


def _entries(
    lock: DebianLock, packages: Sequence[DebianPackage], cache: Path, mirrors: Mirrors | None
) -> list[Entry]:
    places = (apt_mirrors() if mirrors is None else mirrors).and_snapshot(lock.snapshot)
    wanted = [
        Wanted(
            name=f"{package.name} {package.version} ({package.architecture})",
            addresses=tuple(f"{root}/{package.path}" for root in places.of(package.archive)),
            size_bytes=package.size_bytes,
            sha256=package.sha256,
        )
        for package in packages
    ]
    paths = fetch_all(wanted, cache=cache / "debs")
    debs = [read_deb(path.read_bytes(), name=item.name) for path, item in zip(paths, wanted, strict=True)]
    return root_entries(debs, python=PYTHON)


def _python_version(packages: Sequence[DebianPackage]) -> str:
    name = f"python{PYTHON}-minimal"
    for package in packages:
        if package.name == name:
            return package.version
    raise ConfigError(f"Debian lock: lacks {name}", hint="bedside package --refresh-base FILE")


def _key(kind: str, packages: Sequence[DebianPackage], *more: str) -> str:
    hashes = [package.sha256 for package in packages]
    return sha256_digest(json.dumps([kind, RULES, hashes, *more]).encode())
