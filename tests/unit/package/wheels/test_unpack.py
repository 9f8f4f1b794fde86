"""A wheel is unpacked as it is installed, less what stays out, and never out of its folder."""

import ctypes
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from bedside.errors import ConfigError
from bedside.package.wheels.elf import blank_symbols
from bedside.package.wheels.unpack import unpack_wheel
from package_samples import wheel_in


@dataclass
class NoBytecode:
    """Stands for the target's Python; notes what it was asked."""

    asked: list[tuple[Path, str, Sequence[str]]] = field(default_factory=list)

    def compile(self, folder: Path, *, shown: str, left_out: Sequence[str] = ()) -> None:
        self.asked.append((folder, shown, left_out))


def unpacked(wheel: Path, place: Path, *, prune: bool = True) -> set[str]:
    compiler = NoBytecode()
    unpack_wheel(wheel, place, interpreter=compiler, prune=prune)  # type: ignore[arg-type]
    assert [shown for _, shown, _ in compiler.asked] == ["/opt/bedside/lib/python3.11/site-packages"]
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir()}


def test_modules_metadata_and_data_go_where_pip_puts_them(tmp_path: Path) -> None:
    files = {
        "sample/__init__.py": b"",
        "sample/tests/test_it.py": b"",
        "sample/old.pyc": b"",
        "sample-1.0.data/purelib/pure.py": b"",
        "sample-1.0.data/platlib/plat.py": b"",
        "sample-1.0.data/scripts/tool": b"#!python\n",
        "sample-1.0.data/headers/sample.h": b"",
        "sample-1.0.dist-info/LICENSE": b"terms",
    }
    wheel = wheel_in(tmp_path, "sample", files)

    assert unpacked(wheel, tmp_path / "pruned") == {
        *("sample/__init__.py", "pure.py", "plat.py"),
        *(f"sample-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "LICENSE")),
    }
    whole = unpacked(wheel, tmp_path / "whole", prune=False)
    assert "sample/tests/test_it.py" in whole
    assert "sample/old.pyc" not in whole


def test_equal_libraries_become_links_and_programs_stay_programs(tmp_path: Path) -> None:
    wheel = wheel_in(
        tmp_path, "sample", {f"sample/{name}": b"same" for name in ("a.so", "a.so.1", "a.so.1.2")}
    )
    with zipfile.ZipFile(wheel, "a") as archive:
        program = zipfile.ZipInfo("sample/run")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, b"#!/bin/true")

    unpacked(wheel, tmp_path / "out")

    found = {path.name: path for path in (tmp_path / "out" / "sample").iterdir()}
    assert {name for name, path in found.items() if path.is_symlink()} == {"a.so", "a.so.1"}
    assert found["a.so"].read_bytes() == b"same"
    assert found["run"].stat().st_mode & 0o777 == 0o755
    assert found["a.so.1.2"].stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["../outside.py", "/etc/outside.py", "sample/../../outside.py"])
def test_a_path_out_of_the_folder_is_refused_and_nothing_stays(tmp_path: Path, name: str) -> None:
    wheel = wheel_in(tmp_path, "sample", {name: b""})

    with pytest.raises(ConfigError, match="not a wheel"):
        unpacked(wheel, tmp_path / "out" / "there")

    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "outside.py").exists()


def test_a_file_cut_short_is_no_wheel(tmp_path: Path) -> None:
    wheel = wheel_in(tmp_path, "sample", {"sample.py": b"x" * 1000})
    wheel.write_bytes(wheel.read_bytes()[:-100])

    with pytest.raises(ConfigError, match=r"sample-1\.0-py3-none-any\.whl: not a wheel"):
        unpacked(wheel, tmp_path / "out")


def test_blanked_libraries_are_as_long_and_still_load(tmp_path: Path) -> None:
    source = next(Path(yaml.__file__).parent.glob("_yaml*.so"))
    library = Path(shutil.copy(source, tmp_path / "library.so"))

    blanked = blank_symbols(library)

    assert blanked > 100_000
    assert library.stat().st_size == source.stat().st_size
    assert library.read_bytes().count(0) >= source.read_bytes().count(0) + blanked // 2
    assert ctypes.PyDLL(str(library)).PyInit__yaml


@pytest.mark.parametrize("content", [b"", b"INPUT(libc.so)", b"\x7fELF\x02\x01" + b"\xff" * 58])
def test_what_is_no_library_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "script.so"
    path.write_bytes(content)

    assert blank_symbols(path) == 0
    assert path.read_bytes() == content
