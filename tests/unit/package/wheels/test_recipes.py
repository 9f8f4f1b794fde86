"""Layers of wheels: which wheel lies where, and what their keys depend on."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.oci.descriptor import Platform
from bedside.package.base.debian import debian_interpreter
from bedside.package.base.interpreter import Interpreter
from bedside.package.base.lock import read_debian_lock
from bedside.package.wheels.lock import Variant, Wheel, WheelFile, read_wheel_lock
from bedside.package.wheels.recipes import wheel_recipe, wheel_recipes
from map_samples import fresh_lock, packaging_cache
from package_samples import wheel_in


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    return debian_interpreter(read_debian_lock(), cache=tmp_path)


def test_layers_go_from_the_least_to_the_most_volatile(tmp_path: Path, interpreter: Interpreter) -> None:
    made = {
        variant: wheel_recipes(read_wheel_lock(variant), cache=tmp_path, interpreter=interpreter)
        for variant in Variant
    }

    assert [recipe.comment.partition(":")[0] for recipe in made[Variant.CPU]] == [
        "torch 2.13.0+cpu",
        "packages",
    ]
    assert [recipe.comment.partition(":")[0] for recipe in made[Variant.CUDA]] == [
        *("CUDA libraries", "torch 2.13.0", "packages"),
    ]
    # The other packages are the same, whatever computes.
    assert made[Variant.CPU][-1].key == made[Variant.CUDA][-1].key
    assert list(tmp_path.iterdir()) == []


def test_the_key_follows_the_files_and_the_target_python(tmp_path: Path, interpreter: Interpreter) -> None:
    lock = read_wheel_lock()
    changed = replace(
        lock,
        wheels=tuple(
            replace(wheel, files={"any": WheelFile(filename="f-1-py3-none-any.whl", sha256="0" * 64)})
            if wheel.name == "monai"
            else wheel
            for wheel in lock.wheels
        ),
    )
    newer = replace(interpreter, bytecode="3.11.2-6+deb12u99")

    torch, packages = wheel_recipes(lock, cache=tmp_path, interpreter=interpreter)
    other_torch, other_packages = wheel_recipes(changed, cache=tmp_path, interpreter=interpreter)
    newer_torch, _ = wheel_recipes(lock, cache=tmp_path, interpreter=newer)

    assert torch.key == other_torch.key
    assert packages.key != other_packages.key
    assert torch.key != newer_torch.key


def test_a_platform_that_a_wheel_is_not_made_for_is_refused(tmp_path: Path, interpreter: Interpreter) -> None:
    lock = read_wheel_lock()
    platform = Platform(architecture="riscv64")

    with pytest.raises(ConfigError, match="no wheel for riscv64, only for amd64"):
        wheel_recipes(lock, cache=tmp_path, interpreter=interpreter, platform=platform)


@pytest.mark.parametrize("variant", Variant)
def test_locks_are_as_they_would_be_written_and_for_every_platform(
    repository: Path, variant: Variant
) -> None:
    lock = read_wheel_lock(variant)
    text = (repository / f"src/bedside/package/locks/wheels-{variant}.json").read_text()
    lacking = {
        (wheel.name, architecture)
        for wheel in lock.wheels
        for architecture in ("amd64", "arm64")
        if not wheel.files.keys() & {"any", architecture}
    }

    assert lock.to_json() == text
    assert not lacking
    assert {"pip", "setuptools", "wheel", "triton"}.isdisjoint(wheel.name for wheel in lock.wheels)
    assert all(wheel.licence for wheel in lock.wheels)


def test_locked_versions_are_the_tested_ones(repository: Path) -> None:
    lines = (repository / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)

    for wheel in read_wheel_lock().wheels:
        assert wheel.version.removesuffix("+cpu") == tested[wheel.name], wheel.name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 9}, "format 9"),
        ({"variant": "tpu"}, "tpu"),
        ({"wheels": [{"name": "a"}]}, "version"),
        (
            {
                "wheels": [
                    {"name": "a", "version": "1", "licence": "", "files": {"any": {"filename": "../a.whl"}}}
                ]
            },
            "not a lock",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    document = {**json.loads(read_wheel_lock().to_json()), **change}
    path = tmp_path / "wheels.json"
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError, match=said):
        read_wheel_lock(Variant.CPU, path)


def test_a_layer_has_its_wheels_with_bytecode_and_shared_files_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    files = {"shared/__init__.py": b"", "shared/notes.txt": b"read me"}
    wheels = []
    for name in ("first", "second"):
        path = wheel_in(index, name, {**files, f"shared/{name}.py": b"x = 1\n"})
        file = WheelFile(filename=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        wheels.append(Wheel(name=name, version="1.0", licence="MIT", files={"any": file}))
    interpreter = debian_interpreter(read_debian_lock(fresh_lock()), cache=packaging_cache())
    recipe = wheel_recipe(
        wheels, "two", cache=tmp_path, interpreter=interpreter, platform=Platform(), prune=False
    )

    paths = [entry.path for entry in recipe.entries()]
    again = [entry.path for entry in recipe.entries()]

    site = "opt/bedside/lib/python3.11/site-packages/shared"
    assert len(paths) == len(set(paths))
    assert {f"{site}/first.py", f"{site}/second.py", f"{site}/notes.txt"} <= set(paths)
    assert f"{site}/__pycache__/second.cpython-311.pyc" in paths
    assert again == paths
