"""What a repository on GitHub needs to package its model and to deploy it: an action and two workflows.

Owns their text, which is package data in ``github/``, and how it comes into a repository: all files or
none, and what somebody changed only where that was asked for. The few values are checked against what
may stand in YAML and in a shell, because they are put in before GitHub reads either.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bedside.errors import UsageError

SOURCES = Path(__file__).parent / "github"
#: What an administrator who has no Terraform launches once.
ADMINISTRATOR = SOURCES / "administrator.yaml"
#: Where each file goes in the repository.
PLACES = {
    "action.yml": Path(".github/actions/bedside/action.yml"),
    "package.yml": Path(".github/workflows/bedside-package.yml"),
    "deploy.yml": Path(".github/workflows/bedside-deploy.yml"),
}
#: Neither YAML nor a shell gives these characters a meaning within quotes; no branch pattern either.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_VALUE = re.compile(r"@([A-Z]+)@")


class Change(StrEnum):
    """What becomes of a file in the repository."""

    MAKE = "make"
    REPLACE = "replace"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the files say of one repository.

    Attributes:
        version: Of bedside, which the workflows install.
        config: Path of bedside.toml in the repository.
        repository: Name of the deployment's registry repository in ECR.
        branch: A push to it publishes.
        environment: GitHub's environment in which is deployed.
    """

    version: str
    config: str
    repository: str
    branch: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file: where it goes in the repository, its text, and what becomes of what is there."""

    path: Path
    text: str
    change: Change


def plan(root: Path, answers: Answers) -> tuple[Written, ...]:
    """Return the files for a repository and what each would change there; nothing is written.

    Raises:
        UsageError: An answer has a character with a meaning in YAML or in a shell.
    """
    values = {
        "VERSION": answers.version,
        "CONFIG": _checked("path of the configuration", answers.config),
        "REPOSITORY": answers.repository,
        "BRANCH": _checked("branch", answers.branch),
        "ENVIRONMENT": _checked("environment", answers.environment),
    }
    return tuple(_planned(root, path, _filled(source, values)) for source, path in PLACES.items())


def write(root: Path, files: Sequence[Written], *, force: bool = False) -> None:
    """Bring the files into a repository, all or none.

    Raises:
        UsageError: A file is there with another text, and ``force`` was not given.
    """
    changed = [str(one.path) for one in files if one.change is Change.REPLACE]
    if changed and not force:
        raise UsageError(
            f"{', '.join(changed)}: there already, and not as it would be written",
            hint="bedside ci init --force replaces it; git diff then shows what was yours",
        )
    for one in files:
        if one.change is not Change.KEEP:
            place = root / one.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(one.text, encoding="utf-8")


def repository_root(start: Path) -> Path:
    """Return the root of the git repository that a folder is in.

    Raises:
        UsageError: It is in none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / ".git").exists():  # a file in a worktree and in a submodule
            return folder
    raise UsageError(f"{start}: is in no git repository", hint="git init, or cd to your repository")


def _planned(root: Path, path: Path, text: str) -> Written:
    place = root / path
    if not place.exists():
        change = Change.MAKE
    elif place.is_file() and place.read_bytes() == text.encode():
        change = Change.KEEP
    else:
        change = Change.REPLACE
    return Written(path=path, text=text, change=change)


def _filled(source: str, values: Mapping[str, str]) -> str:
    text = (SOURCES / source).read_text(encoding="utf-8")
    return _VALUE.sub(lambda found: values[found[1]], text)


def _checked(what: str, value: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise UsageError(
            f"{what} {value!r}: letters, digits, '.', '_', '/' and '-' only, as it goes into a workflow",
            hint="bedside ci init --help",
        )
    return value
