"""The application of a MAP, run as the entry program runs it, in a folder that mimics the root."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bedside.cli.main import main
from bedside.oci.map import MapSpec
from map_root import root_environment, write_root
from nothing_bundle import write_bundle, write_study

AT = 1_700_000_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, MapSpec]:
    """A bundle, and the root of a MAP made of it."""
    folder = tmp_path_factory.mktemp("map")
    write_bundle(folder / "bundle")
    return folder / "bundle", folder / "root", write_root(folder / "root", folder / "bundle")


@pytest.fixture
def map_of(place: tuple[Path, Path, MapSpec], tmp_path: Path) -> "Map":
    return Map(*place[1:], tmp_path)


class Map:
    def __init__(self, root: Path, spec: MapSpec, folder: Path) -> None:
        self.root, self.spec = root, spec
        self.input, self.output = folder / "input", folder / "output"

    def study(self, behaviour: str = "works") -> Path:
        write_study(self.input, behaviour=behaviour)
        for path in self.input.iterdir():
            os.utime(path, (AT, AT))
        return self.input

    def run(
        self, variables: Mapping[str, str] | None = None, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        environment = root_environment(self.root, self.spec) | {
            "HOLOSCAN_INPUT_PATH": str(self.input),
            "HOLOSCAN_OUTPUT_PATH": str(self.output),
            **(variables or {}),
        }
        return subprocess.run(
            [sys.executable, str(self.root / "opt/holoscan/app"), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def report(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.output / "report.json").read_text())
        return found


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "result.json"
    }


def test_it_writes_the_same_bytes_as_bedside_run(
    map_of: Map, place: tuple[Path, Path, MapSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = map_of.study()
    assert main(["run", str(place[0]), str(study), "-o", str(tmp_path / "run"), "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    done = map_of.run()
    assert done.returncode == 0, done.stderr
    assert hashes(map_of.output) == hashes(tmp_path / "run") != {}
    other = json.loads((map_of.output / "result.json").read_text())
    for document in (one, other):
        for name in ("created_at", "timings_s", "peak_memory_bytes"):
            document.pop(name)
    assert one == other
    assert not list(map_of.output.glob(".bedside*"))


def test_lines_say_how_far_it_is_and_nothing_goes_to_stdout(map_of: Map) -> None:
    map_of.study()
    done = map_of.run()
    assert done.stdout == ""
    assert done.stderr.startswith("bedside: load 0%\n")
    assert done.stderr.endswith(f"bedside: result in {map_of.output}\n")


def test_a_later_result_replaces_an_earlier_one(map_of: Map) -> None:
    map_of.study()
    map_of.output.mkdir()
    (map_of.output / "report.json").write_text("{}")
    (map_of.output / "theirs.txt").write_text("kept")
    (map_of.output / ".bedside-run-killed").mkdir()
    assert map_of.run({"BEDSIDE_OUTPUTS": "seg"}).returncode == 0
    assert sorted(p.name for p in map_of.output.iterdir()) == ["dicom", "result.json", "theirs.txt"]


def test_a_rejected_study_is_status_4_with_its_reason(map_of: Map) -> None:
    map_of.study()
    map_of.output.mkdir()
    (map_of.output / "result.json").write_text("an earlier one")
    done = map_of.run({"BEDSIDE_SELECT": "Modality == 'MR'"})
    assert done.returncode == 4
    assert map_of.report()["error"] == "InputRejected"
    assert map_of.report()["reason"] in done.stderr
    assert not (map_of.output / "result.json").exists()


def test_an_empty_folder_is_rejected_and_a_missing_one_is_a_wrong_call(map_of: Map) -> None:
    map_of.input.mkdir()
    assert map_of.run().returncode == 4
    map_of.input.rmdir()
    done = map_of.run()
    assert done.returncode == 2
    assert "hint: " in done.stderr


def test_a_bundle_that_fails_is_status_6_and_its_traceback_is_for_those_who_ask(map_of: Map) -> None:
    map_of.study("fails")
    done = map_of.run()
    assert done.returncode == 6
    assert map_of.report()["error"] == "ModelFailed"
    assert "ValueError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "in behave\n" in map_of.run({"BEDSIDE_DEBUG": "1"}).stderr


def test_what_a_bundle_prints_is_not_shown(map_of: Map) -> None:
    map_of.study("prints")
    done = map_of.run()
    assert done.returncode == 0
    assert "a bundle prints" not in done.stdout + done.stderr


def test_an_output_that_cannot_be_written_is_told_at_once(map_of: Map) -> None:
    map_of.study()
    map_of.output.write_text("a file")
    done = map_of.run()
    assert done.returncode == 5
    assert "load" not in done.stderr


def test_a_wrong_setting_is_status_3(map_of: Map) -> None:
    map_of.study()
    assert map_of.run({"BEDSIDE_PRECISION": "fp8"}).returncode == 3
    assert map_of.run({"BEDSIDE_MODEL": "other"}).returncode == 3


def test_flat_puts_the_objects_at_the_top(map_of: Map) -> None:
    map_of.study()
    assert map_of.run({"BEDSIDE_LAYOUT": "flat"}).returncode == 0
    found = sorted(path.name for path in map_of.output.glob("*.dcm"))
    assert found == ["seg.dcm", "sr.dcm"]
    listed = json.loads((map_of.output / "result.json").read_text())["files"]
    for file in listed:
        assert hashlib.sha256((map_of.output / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert {file["path"] for file in listed} >= set(found)


def test_a_release_that_the_host_names_is_recorded(map_of: Map) -> None:
    map_of.study()
    digest = f"sha256:{'a' * 64}"
    assert map_of.run({"BEDSIDE_RELEASE": digest}).returncode == 0
    assert json.loads((map_of.output / "result.json").read_text())["release"]["digest"] == digest


def test_without_a_home_it_makes_one(map_of: Map) -> None:
    map_of.study()
    assert map_of.run({"HOME": "/nonexistent", "TMPDIR": "/nonexistent"}).returncode == 0
