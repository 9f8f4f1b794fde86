"""The built-in base from today's archive: it is whole, its Python runs here, and it is the same twice."""

import json
import subprocess
from pathlib import Path

import pytest

from bedside.errors import ConfigError, Unavailable
from bedside.oci.descriptor import Platform
from bedside.oci.parts import Entry, EntryKind, Recipe
from bedside.oci.tar import tar
from bedside.package.base.debian import debian_base, debian_interpreter
from bedside.package.base.interpreter import Interpreter, this_machine
from bedside.package.base.lock import DebianLock, read_debian_lock
from bedside.package.base.unpacked import write_entries
from bedside.package.base.values import Base
from map_samples import fresh_lock, packaging_cache

_MACHINE_OF_ELF = {"amd64": 62, "arm64": 183}


@pytest.fixture(scope="module")
def lock() -> DebianLock:
    return read_debian_lock(fresh_lock())


@pytest.fixture(scope="module")
def interpreter(lock: DebianLock) -> Interpreter:
    return debian_interpreter(lock, cache=packaging_cache())


def entries_of(base: Base) -> list[Entry]:
    (recipe,) = base.layers
    assert isinstance(recipe, Recipe)
    return list(recipe.entries())


def test_its_python_finds_its_libraries_certificates_and_bytecode(lock: DebianLock, tmp_path: Path) -> None:
    base = debian_base(lock, cache=packaging_cache(), platform=Platform(architecture=this_machine()))
    write_entries(entries_of(base), tmp_path)
    libraries = next((tmp_path / "usr/lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*"))
    program = (
        "import bz2, ctypes, hashlib, json, lzma, multiprocessing, pathlib, sqlite3, ssl, sys, uuid, zlib\n"
        "context = ssl.create_default_context(cafile=sys.argv[1])\n"
        "found = context.cert_store_stats()['x509_ca'], json.__cached__, sys.version_info[:2]\n"
        "print(json.dumps(found))\n"
    )
    command = [loader, "--library-path", libraries, tmp_path / "usr/bin/python3.11", "-v", "-c", program]
    done = subprocess.run(
        [*map(str, command), str(tmp_path / "etc/ssl/certs/ca-certificates.crt")],
        env={"PYTHONHOME": str(tmp_path / "usr")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    authorities, cached, version = json.loads(done.stdout)
    assert authorities > 100
    assert version == [3, 11]
    assert Path(cached).is_relative_to(tmp_path)
    # Bytecode of another time stamp would be made anew, and -v would say so.
    assert f"matches {tmp_path / 'usr/lib/python3.11/json/__init__.py'}" in done.stderr
    assert "wrote" not in done.stderr


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_every_library_is_for_the_platform_and_no_link_leads_nowhere(
    lock: DebianLock, architecture: str, tmp_path: Path
) -> None:
    base = debian_base(lock, cache=packaging_cache(), platform=Platform(architecture=architecture))
    entries = entries_of(base)
    machines = {
        int.from_bytes(entry.content[18:20], "little")
        for entry in entries
        if isinstance(entry.content, bytes) and entry.content.startswith(b"\x7fELF")
    }
    assert machines == {_MACHINE_OF_ELF[architecture]}

    write_entries(entries, tmp_path)
    # Copyright notes may point at those of packages that are not there; nothing runs them.
    dangling = [
        entry.path
        for entry in entries
        if entry.kind is EntryKind.SYMLINK
        and not entry.path.startswith(("usr/share/", "var/"))
        and not leads_somewhere(tmp_path, entry)
    ]
    assert dangling == []


def leads_somewhere(root: Path, entry: Entry) -> bool:
    place = root / entry.target.lstrip("/") if entry.target.startswith("/") else root / entry.path
    return place.exists()


def test_two_makings_give_the_same_bytes(lock: DebianLock) -> None:
    base = debian_base(lock, cache=packaging_cache())

    first, second = (b"".join(tar(entries_of(base))) for _ in range(2))

    assert first == second
    assert first.count(b".cpython-311.pyc") > 400


def test_bytecode_does_not_depend_on_the_python_that_runs_bedside(
    interpreter: Interpreter, tmp_path: Path
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("def f():\n    return __file__\n")
    (tmp_path / "package" / "template.py").write_text("class {{ name }}:\n")
    (tmp_path / "package" / "seldom.py").write_text("pass\n")

    interpreter.compile(tmp_path, shown="/opt/there", left_out=["package/seldom"])

    made = list((tmp_path / "package" / "__pycache__").iterdir())
    assert [path.name for path in made] == ["module.cpython-311.pyc"]
    data = made[0].read_bytes()
    assert data[4:8] == b"\x01\x00\x00\x00", "hash-based and never checked"
    assert b"/opt/there/package/module.py" in data
    assert str(tmp_path).encode() not in data


def test_a_base_is_known_without_fetching_anything(tmp_path: Path) -> None:
    lock = read_debian_lock()

    base = debian_base(lock, cache=tmp_path / "cache")
    other = debian_base(lock, cache=tmp_path / "cache", platform=Platform(architecture="arm64"))

    assert not (tmp_path / "cache").exists()
    assert isinstance(base.layers[0], Recipe)
    assert isinstance(other.layers[0], Recipe)
    assert base.layers[0].key != other.layers[0].key
    assert base.name.startswith("debian bookworm at 2")
    assert base.environment["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert {"libc6", "python3.11-minimal"} <= {package.name for package in base.packages}


def test_a_platform_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="riscv64"):
        debian_base(read_debian_lock(), cache=tmp_path, platform=Platform(architecture="riscv64"))


def test_the_committed_lock_can_still_be_built_from() -> None:
    """Mirrors forget old versions; where the snapshot archive is out of reach too, nothing is proved."""
    base = debian_base(read_debian_lock(), cache=packaging_cache())
    try:
        entries = entries_of(base)
    except Unavailable as exc:
        pytest.skip(f"no mirror has the lock's packages any more: {exc.message[:200]}")
    assert any(entry.path == "usr/bin/python3.11" for entry in entries)
