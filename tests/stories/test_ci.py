"""``bedside ci`` as a user types it, in a fresh git repository."""

import json
import subprocess
from pathlib import Path

import pytest

from bedside.cli.main import main
from nothing_bundle import write_bundle

FILES = [
    ".github/actions/bedside/action.yml",
    ".github/workflows/bedside-package.yml",
    ".github/workflows/bedside-deploy.yml",
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    subprocess.run(["git", "init", "-q", "."], check=True)
    write_bundle(tmp_path / "bundle")
    assert main(["init", "bundle"]) == 0
    return tmp_path


def git_status(folder: Path) -> str:
    return subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=folder, capture_output=True, text=True
    ).stdout


@pytest.mark.needs("git")
def test_a_repository_gets_its_workflows_and_says_what_is_left_to_do(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (repository / "bedside.toml").open("a") as file:
        file.write('[deploy]\nname = "lungs"\nregion = "eu-west-1"\n')
    capsys.readouterr()

    assert main(["ci", "init", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()[1:]] == [[file, "make"] for file in FILES]
    assert ".github" not in git_status(repository)

    assert main(["ci", "init"]) == 0
    said = capsys.readouterr()
    assert "gh variable set BEDSIDE_ROLE" in said.err
    assert "gh variable set BEDSIDE_REGION --body eu-west-1" in said.err
    assert all(f"?? {file}" in git_status(repository) for file in FILES)
    package = (repository / FILES[1]).read_text()
    assert 'BEDSIDE_CONFIG: "bedside.toml"' in package
    assert ".amazonaws.com/lungs" in package


@pytest.mark.needs("git")
def test_what_was_changed_by_hand_is_not_lost(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ci", "init"])
    (repository / FILES[2]).write_text("name: ours\n")
    (repository / FILES[0]).unlink()
    capsys.readouterr()

    assert main(["ci", "init"]) == 2
    said = capsys.readouterr()
    assert FILES[2] in said.err
    assert "--force" in said.err
    assert (repository / FILES[2]).read_text() == "name: ours\n"
    assert not (repository / FILES[0]).exists()

    assert main(["ci", "init", "--force", "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)
    assert [one["change"] for one in changes] == ["make", "keep", "replace"]
    assert "bedside deploy apply --yes" in (repository / FILES[2]).read_text()


@pytest.mark.needs("git")
def test_from_a_folder_below_the_root(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "models").mkdir()
    (repository / "bedside.toml").rename(repository / "models" / "bedside.toml")
    (repository / "bundle").rename(repository / "models" / "bundle")
    monkeypatch.chdir(repository / "models")
    assert main(["ci", "init"]) == 0
    assert 'BEDSIDE_CONFIG: "models/bedside.toml"' in (repository / FILES[1]).read_text()


def test_outside_a_repository_or_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ci", "init"]) == 2
    assert "no git repository" in capsys.readouterr().err
    (tmp_path / ".git").mkdir()
    assert main(["ci", "init"]) == 2
    assert "bedside init" in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


def test_the_template_for_the_administrator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "template"]) == 0
    assert capsys.readouterr().out.startswith("AWSTemplateFormatVersion:")
