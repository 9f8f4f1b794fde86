"""The commands of docs/tutorial.md, typed as they stand there, with the example model."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bedside.errors import ConfigError
from bedside.phantom import example_bundle

#: The tutorial runs the example model three times; on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(900)


def commands(text: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder after the tutorial, and what was said."""
    try:
        example_bundle()
    except ConfigError as exc:
        pytest.fail(str(exc))
    folder = tmp_path_factory.mktemp("tutorial")
    text = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
    script = "set -euo pipefail\n" + commands(text)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BEDSIDE_")} | {"PATH": path}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return folder, done


def test_every_command_of_the_tutorial_works(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = typed
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_finds_the_spleen(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = typed
    row = re.search(r"^spleen +([\d.]+) +([\d.]+) +([\d.]+)$", done.stdout, re.MULTILINE)
    assert row, done.stdout
    found_ml, true_ml, dice = map(float, row.groups())
    assert dice >= 0.9
    assert found_ml == pytest.approx(true_ml, rel=0.15)


def test_run_and_demo_see_the_same_study_alike(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = typed
    by_hand = json.loads((folder / "result" / "result.json").read_text())
    (served,) = (folder / "bedside-demo" / "bedside-data" / "default" / "results").glob("*/*/result.json")
    by_queue = json.loads(served.read_text())
    assert by_hand["measurements"] == by_queue["measurements"]
    assert by_hand["job"]["arrival_id"] == by_queue["job"]["arrival_id"]
    assert by_hand["release"] == by_queue["release"]


@pytest.mark.slow
def test_the_demo_takes_less_than_a_minute(tmp_path: Path) -> None:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "bedside", "demo"], cwd=tmp_path, check=True, capture_output=True)
    assert time.monotonic() - began < 60
