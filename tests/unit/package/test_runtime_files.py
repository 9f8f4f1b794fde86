"""Which of bedside's files travel: the same bytes from everywhere, and they suffice."""

import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import bedside
from bedside.model.bundle import open_bundle
from bedside.oci.map import MapSpec
from bedside.oci.parts import Entry
from bedside.oci.tar import arranged
from bedside.package.base.unpacked import write_entries
from bedside.package.models import model_recipe
from bedside.package.runtime_files import contract_recipe, runtime_recipe
from nothing_bundle import write_bundle

SPEC = MapSpec(title="t", version="1", bedside_version="1", bundle_digest="d", models=("m",))

DESCRIBE = """
import hashlib, json
from bedside.package.runtime_files import runtime_recipe
recipe = runtime_recipe()
entries = sorted([e.path, e.mode, hashlib.sha256(e.content).hexdigest()] for e in recipe.entries())
print(json.dumps([recipe.key, entries]))
"""

IMPORT_ALL = """
import importlib, pkgutil, sys

ABSENT = {"pydantic", "sqlalchemy", "click", "httpx", "isal", "zstandard", "alembic", "boto3", "cryptography"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ImportError(f"{name} is not in a MAP")

sys.meta_path.insert(0, Refuse())
import bedside
for module in pkgutil.walk_packages(bedside.__path__, "bedside."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
print(bedside.__file__)
"""


def described(pythonpath: Path | None) -> object:
    environment = {"PYTHONPATH": str(pythonpath)} if pythonpath else {}
    shown = subprocess.run(
        [sys.executable, "-c", DESCRIBE], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(shown.stdout)


def test_checkout_and_installed_wheel_give_the_same_layer(tmp_path: Path) -> None:
    source = Path(bedside.__file__).parent
    shutil.copytree(source, tmp_path / "bedside")
    installed = metadata.distribution("bedside")
    info = tmp_path / f"bedside-{bedside.__version__}.dist-info"
    for file in installed.files or ():
        if ".dist-info/" in str(file):
            target = info / str(file).split(".dist-info/", 1)[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)
    # What lies about in an installation, and in a checkout, is no part of it.
    (tmp_path / "bedside/model/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "bedside/model/__pycache__/stray.cpython-311.pyc").write_bytes(b"stray")
    (tmp_path / "bedside/dicom/notes.txt").write_text("stray")
    (tmp_path / "bedside/errors.py").chmod(0o755)
    assert described(tmp_path) == described(None)


def test_another_module_is_another_layer(tmp_path: Path) -> None:
    shutil.copytree(Path(bedside.__file__).parent, tmp_path / "bedside")
    with (tmp_path / "bedside/dicom/seg.py").open("a") as file:
        file.write("# changed\n")
    assert described(tmp_path) != described(None)


def test_the_rooms_that_travel_need_no_other(tmp_path: Path) -> None:
    write_entries(arranged(runtime_recipe().entries()), tmp_path)
    runtime = tmp_path / "opt/bedside/runtime"
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env={"PYTHONPATH": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(runtime) in done.stdout
    assert "bedside.runtime.application" in done.stdout
    assert "bedside.worker" not in done.stdout


def test_the_layer_names_its_version_and_licence() -> None:
    entries = {entry.path: entry for entry in runtime_recipe().entries()}
    folder = f"opt/bedside/runtime/bedside_runtime-{bedside.__version__}.dist-info"
    assert f"Version: {bedside.__version__}".encode() in bytes_of(entries[f"{folder}/METADATA"])
    assert b"Apache License" in bytes_of(entries[f"{folder}/licenses/LICENSE"])


def test_the_tools_start_with_the_bases_python() -> None:
    other = MapSpec(
        title="t",
        version="1",
        bedside_version="1",
        bundle_digest="d",
        models=("m",),
        python="/opt/py/bin/python",
    )
    assert tools_of(SPEC).startswith(b"#!/usr/bin/python3 -IS\n")
    assert tools_of(other).startswith(b"#!/opt/py/bin/python -IS\n")
    assert contract_recipe(SPEC).key != contract_recipe(other).key == contract_recipe(other).key


def test_a_model_is_what_matters_of_a_bundle_whatever_form_it_has(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    (tmp_path / "bundle/docs").mkdir(exist_ok=True)
    (tmp_path / "bundle/docs/README.md").write_text("for people")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "bundle")
    folder = model_recipe(open_bundle(tmp_path / "bundle"), tmp_path)
    archive = model_recipe(open_bundle(tmp_path / "packed.zip"), tmp_path / "scratch")
    assert folder.key == archive.key
    listed = {entry.path: bytes_of(entry) for entry in folder.entries()}
    assert listed == {entry.path: bytes_of(entry) for entry in archive.entries()}
    assert not [path for path in listed if "README" in path]
    assert all(path.startswith("opt/holoscan/models/") for path in listed)


@pytest.mark.parametrize("room", ["errors.py", "dicom"])
def test_an_installation_that_lacks_a_room_is_refused(tmp_path: Path, room: str) -> None:
    shutil.copytree(Path(bedside.__file__).parent, tmp_path / "bedside")
    code = (
        "import bedside.package.runtime_files as r, shutil, sys\n"
        f"p = r._package() / {room!r}\n"
        "shutil.rmtree(p) if p.is_dir() else p.unlink()\n"
        "try:\n    r.runtime_recipe()\nexcept Exception as exc:\n    print(type(exc).__name__, exc)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith(f"ConfigError runtime: bedside/{room}")


def tools_of(spec: MapSpec) -> bytes:
    return next(bytes_of(e) for e in contract_recipe(spec).entries() if e.path == "var/holoscan/tools")


def bytes_of(entry: Entry) -> bytes:
    return entry.content if isinstance(entry.content, bytes) else entry.content.read_bytes()
