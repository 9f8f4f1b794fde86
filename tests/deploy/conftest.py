"""A whole deployment where policies are checked, once for the tests of this folder."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from clouds import REGION, Cloud
from guarded_site import Guarded, Guarding, Told, run_guarded
from terraform import Terraform, Underway, copy_of_modules, environment, mirror


@pytest.fixture(scope="session")
def guarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarding]:
    """Begin to apply it; most of that is waiting, which other tests can use."""
    with run_guarded(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(autouse=True)
def _early(request: pytest.FixtureRequest) -> None:
    """Begin with the first test of this folder that shares a process with those that look at it."""
    needed = any("guarding" in getattr(item, "fixturenames", ()) for item in request.session.items)
    here = request.path.name != "test_terraform.py"  # by `TOGETHER` another deployment's
    if needed and here and shutil.which("terraform") and mirror():
        request.getfixturevalue("guarding")


@pytest.fixture(scope="session")
def guarded(guarding: Guarding) -> Guarded:
    """Return what was applied, once it is whole."""
    return guarding.end()


@pytest.fixture(scope="session")
def standing(guarded: Guarded) -> Told:
    """Return what is told of it while it stands."""
    return guarded.told()


@pytest.fixture(scope="session")
def destroying(guarded: Guarded, standing: Told) -> Iterator[Underway]:
    """Begin to destroy it; most of that too is waiting, for a minute for the database alone."""
    underway = guarded.destroy()
    try:
        yield underway
    finally:
        underway.stop()


@pytest.fixture(scope="session")
def run_document(tmp_path_factory: pytest.TempPathFactory, moto: Cloud) -> dict[str, Any]:
    """Apply the module once; return what the emulator keeps of the document."""
    folder = tmp_path_factory.mktemp("commands")
    source = copy_of_modules(folder / "modules") / "modules" / "commands"
    root = folder / "root"
    root.mkdir()
    said = {
        "provider": {"aws": {"region": REGION, "skip_metadata_api_check": True}},
        "module": {"it": {"source": str(source), "name": "asked"}},
        "output": {"document": {"value": "${module.it.document}"}},
    }
    (root / "main.tf.json").write_text(json.dumps(said))
    terraform = Terraform(folder=root, environment=environment(root, moto.environment))
    terraform.run("init", "-input=false")
    terraform.run("apply", "-input=false", "-auto-approve")
    name = terraform.outputs()["document"]
    assert name == "asked-run"
    kept = moto.client("ssm").get_document(Name=name)
    assert kept["DocumentType"] == "Command"
    found: dict[str, Any] = json.loads(kept["Content"])
    return found
