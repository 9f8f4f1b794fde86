"""pip fetches exactly what a lock names, with the settings of its user."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.package.wheels.lock import Variant, Wheel, WheelFile, WheelLock
from bedside.package.wheels.pip import Pinned, download
from bedside.package.wheels.resolve import bundle_requirements, completed, further_wheels
from package_samples import wheel_in


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place this user's pip looks at."""
    folder = tmp_path / "index"
    folder.mkdir()
    (tmp_path / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {folder}\n")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    return folder


def pinned(wheel: Path, *, sha256: str = "") -> Pinned:
    digest = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Pinned(name=wheel.name.partition("-")[0], version="1.0", sha256=digest)


def lock_of(*names: str) -> WheelLock:
    wheels = tuple(Wheel(name=name, version="1.0", licence="", files={}) for name in names)
    return WheelLock(variant=Variant.CPU, python="3.11", wheels=wheels)


def test_wheels_come_by_their_hash_and_without_dependencies(index: Path, tmp_path: Path) -> None:
    wheel = wheel_in(index, "sample", {"sample.py": b""}, requires=("absent",))
    wanted = pinned(wheel)
    (tmp_path / "to").mkdir()

    found = download([wanted], architecture="arm64", folder=tmp_path / "to")

    assert found[wanted.sha256].read_bytes() == wheel.read_bytes()


def test_another_file_of_the_same_version_is_refused(index: Path, tmp_path: Path) -> None:
    wanted = pinned(wheel_in(index, "sample", {"sample.py": b""}), sha256="0" * 64)

    with pytest.raises(ConfigError, match="DO NOT MATCH THE HASHES"):
        download([wanted], architecture="amd64", folder=tmp_path)


def test_what_no_index_has_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No matching distribution found for absent==1\.0") as raised:
        download(
            [Pinned(name="absent", version="1.0", sha256="0" * 64)], architecture="amd64", folder=tmp_path
        )
    assert raised.value.hint == "pip config list"


def test_requirements_add_what_the_lock_does_not_have(index: Path) -> None:
    wheel_in(index, "extra", {"extra.py": b""}, requires=("there", "deeper"))
    wheel_in(index, "deeper", {"deeper.py": b""})
    wheel_in(index, "there", {"there.py": b""})

    found = further_wheels(["# a comment", "extra"], lock_of("there"), architecture="amd64")

    assert [(wheel.name, wheel.version, wheel.licence, set(wheel.files)) for wheel in found] == [
        ("deeper", "1.0", "MIT", {"any"}),
        ("extra", "1.0", "MIT", {"any"}),
    ]
    assert further_wheels(["", "# nothing"], lock_of("there"), architecture="amd64") == ()


def test_requirements_that_contradict_the_lock_are_refused(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_QUIET", "1")
    wheel_in(index, "extra", {"extra.py": b""}, requires=("there>=2",))
    wheel_in(index, "there", {"there.py": b""})

    with pytest.raises(
        ConfigError, match=r"contradict.*extra 1\.0 depends on there>=2.*constraint.*there==1\.0"
    ):
        further_wheels(["extra"], lock_of("there"), architecture="amd64")


def test_a_lock_is_completed_for_a_machine_in_its_own_versions(index: Path) -> None:
    for machine in ("x86_64", "aarch64"):
        wheel_in(index, "bound", {"bound.py": b""}, tag=f"cp311-cp311-manylinux_2_28_{machine}")
    file = WheelFile(filename="bound.whl", sha256="0" * 64)
    wheel = Wheel(name="bound", version="1.0", licence="MIT", files={"amd64": file})
    lock = replace(lock_of(), wheels=(wheel,))

    (found,) = completed(lock, "arm64").wheels

    assert found.files["amd64"] == file
    assert found.files["arm64"].filename == "bound-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"
    assert completed(lock, "amd64") is lock
    with pytest.raises(ConfigError, match=r"bound===2\.0"):
        completed(replace(lock, wheels=(replace(wheel, version="2.0"),)), "arm64")


def test_a_bundle_asks_for_what_is_not_there_anyway() -> None:
    metadata = {
        "required_packages_version": {"There": "0.1", "einops": "0.7.0", "tensorboard": "2.0"},
        "optional_packages_version": {"my_package": "", "pip": "20"},
    }

    assert bundle_requirements(metadata, lock_of("there")) == ("einops==0.7.0", "my-package")
    assert bundle_requirements({"required_packages_version": "none"}, lock_of()) == ()
