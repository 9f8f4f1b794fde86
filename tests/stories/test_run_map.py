"""``bedside run MAP`` as a user types it: layout folder, tar, engine's own names, others' MAPs."""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_map
from bedside.cli.main import main
from engines import running_engine
from nothing_bundle import write_study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with others' MAPs of both generations, and studies."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"BEDSIDE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    write_study(tmp_path / "study")
    yield tmp_path


def run(*arguments: str) -> int:
    return main(["run", *arguments, "--container-engine", "none"])


def test_a_layout_folder_and_a_tar_of_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = foreign_map.write_map(here / "map", "monai")
    assert run("map", "-i", "study", "-o", "one", "--json") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document == json.loads((here / "one" / "result.json").read_text())
    assert document["map"]["digest"] == document["release"]["digest"] == written.digest
    assert document["release"]["name"] == "foreign"
    assert [file["path"] for file in document["files"]] == ["count.txt", "limits.json"]
    assert (here / "one" / "count.txt").read_text() == "6"
    with tarfile.open(here / "map.tar", "w") as tar:
        for path in sorted((here / "map").rglob("*")):
            tar.add(path, path.relative_to(here / "map"), recursive=False)
    assert run("map.tar", "study", "-o", "one") == 2
    assert "one is not empty" in capsys.readouterr().err
    assert run("map.tar", "study", "-o", "one", "--force", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["job"] == document["job"]
    assert sorted(path.name for path in (here / "one").iterdir()) == [
        "count.txt",
        "limits.json",
        "result.json",
    ]


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("rejects", 4, "two slices are missing"),
        ("fails", 6, "ValueError at behave.py"),
        ("dies", 6, "exit status 9"),
        ("sleeps", 6, "not done after 2 s"),
    ],
)
def test_what_went_wrong_is_said_and_nothing_is_left(
    here: Path, capsys: pytest.CaptureFixture[str], behaviour: str, code: int, words: str
) -> None:
    foreign_map.write_map(here / "map")
    write_study(here / "bad", behaviour=behaviour)
    assert run("map", "-i", "bad", "-o", "out", "--timeout", "2") == code
    said = capsys.readouterr()
    assert words in said.err
    assert "Doe" not in said.err
    assert said.out == ""
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["map", "-i", "absent"], 2, "absent does not exist"),
        (["map"], 2, "name one study"),
        (["map", "study", "-i", "study"], 2, "name one study"),
        (["map", "study", "--precision", "bf16"], 2, "was not made by bedside"),
        (["map", "study", "--memory", "much"], 2, "--memory much"),
        (["plain", "study"], 3, "is no MAP"),
        (["absent:1.0", "study"], 2, "neither a file nor a container image"),
        (["empty.tar", "study"], 3, "no tar of a container image"),
    ],
)
def test_what_was_typed_is_checked(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    foreign_map.write_map(here / "map")
    foreign_map.write_layout(here / "plain", [foreign_map.layer([])], {})
    (here / "empty.tar").write_bytes(b"not a tar")
    assert run(*arguments, "-o", "out") == code
    said = capsys.readouterr().err
    assert words in said
    assert "hint: " in said
    assert not (here / "out").exists()


@pytest.mark.needs("podman", "runc")
def test_a_name_that_podman_has(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = foreign_map.write_map(here / "map")
    with running_engine("podman") as (podman, environment):
        program = podman._program  # type: ignore[attr-defined]
        pulled = subprocess.run(
            [*program, "pull", "--quiet", f"oci:{written.path}"],
            env=environment,
            check=True,
            capture_output=True,
        )
        tag = [*program, "tag", pulled.stdout.decode().strip(), "localhost/foreign:1.0"]
        subprocess.run(tag, env=environment, check=True, capture_output=True)
        script = here / "bin" / "podman"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\nexec " + " ".join(program) + ' "$@"\n')
        script.chmod(0o755)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", f"{script.parent}:{environment['PATH']}")
        name = "localhost/foreign:1.0"
        assert main(["run", name, "-i", "study", "-o", "out", "--container-engine", "podman", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["map"]["engine"] == "podman"
    assert len(document["map"]["digest"].removeprefix("sha256:")) == 64


def test_files_that_are_links_reach_the_container(here: Path) -> None:
    foreign_map.write_map(here / "map")
    (here / "linked").mkdir()
    for path in (here / "study").iterdir():
        (here / "linked" / path.name).symlink_to(path)
    assert run("map", "-i", "linked", "-o", "out") == 0
    assert (here / "out" / "count.txt").read_text() == "6"
    one = next((here / "study").iterdir())
    assert run("map", "-i", str(one), "-o", "single") == 0
    assert (here / "single" / "count.txt").read_text() == "1"
