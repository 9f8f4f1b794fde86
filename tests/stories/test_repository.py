"""The repository's face: what is said there is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def run_tool(repository: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "tools" / name), *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_generated_documents_are_those_of_the_code(repository: Path) -> None:
    done = run_tool(repository, "generate_docs.py", "--check")
    assert done.returncode == 0, f"{done.stderr}run .venv/bin/python tools/generate_docs.py"


@pytest.mark.parametrize("name", ["demo", "test"])
def test_the_readme_has_its_two_commands(repository: Path, name: str) -> None:
    done = run_tool(repository, "readme_command.py", name)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    for part in (
        " -m venv .venv ",
        " install -c constraints.txt -e ",
        " tools/browser_assets.py --if-reachable",
    ):
        assert part in done.stdout
    ending = {"demo": "bedside demo", "test": "-m pytest -n 3 --dist loadfile"}[name]
    assert done.stdout.strip().endswith(ending)


def test_ci_runs_what_the_readme_says(repository: Path) -> None:
    assert "readme_command.py test" in (repository / ".ci" / "run").read_text()
    assert "run: .ci/run" in (repository / ".github" / "workflows" / "ci.yml").read_text()
    assert run_tool(repository, "readme_command.py", "--torch-cpu-index").stdout.startswith("https://")


def test_every_dependency_is_pinned_within_its_bounds(repository: Path) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = {}
    for line in (repository / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = version
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(line for lines in extras for line in lines)]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name != "bedside":
            assert name in pins, f"{text} is not pinned: .venv/bin/python tools/pin_constraints.py"
            assert requirement.specifier.contains(pins[name]), f"{text}, pinned to {pins[name]}"
    assert pins["torch"] == "2.13.0"


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        (".secrets", True),
        ("deploy/.env.production", True),
        ("keys/id_ed25519", True),
        ("main.tfstate", True),
        ("tests/scan.dcm", True),
        ("studies/liver.nii.gz", True),
        ("src/bedside/secrets_of_the_trade.md", False),
        (".secrets.baseline", False),
        ("README.md", False),
    ],
)
def test_credentials_and_studies_are_refused_by_name(repository: Path, name: str, refused: bool) -> None:
    done = run_tool(repository, "check_file_names.py", name)
    assert bool(done.returncode) is refused
    assert (name in done.stderr) is refused


def test_credentials_are_refused_by_content(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("detect_secrets")
    (tmp_path / "settings.py").write_text('aws_key = "AKIA' + 'IOSFODNN7ABCDEFG"\n')
    done = run_tool(repository, "check_secrets.py", str(tmp_path / "settings.py"))
    assert done.returncode == 1
    assert "settings.py:1" in done.stderr
    (tmp_path / "settings.py").write_text("region = 'eu-central-1'\n")
    assert run_tool(repository, "check_secrets.py", str(tmp_path / "settings.py")).returncode == 0


def test_every_page_is_in_the_navigation(repository: Path) -> None:
    text = (repository / "mkdocs.yml").read_text()
    docs = repository / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    listed = re.findall(r"[\w./-]+\.md", text.partition("\nnav:")[2])
    assert pages == set(listed)
    assert len(listed) == len(set(listed))


def test_links_of_the_repository_lead_somewhere(repository: Path) -> None:
    for page in [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_decisions_are_numbered_once_and_say_problem_choice_price(repository: Path) -> None:
    pages = sorted((repository / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:3] for page in pages]
    assert len(numbers) == len(set(numbers))
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {page.name[:3]} "), page.name
        for word in ("Problem", "Choice", "Price"):
            assert f"**{word}" in text, f"{page.name} says nothing about {word}"
