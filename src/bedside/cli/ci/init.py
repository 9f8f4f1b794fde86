"""``bedside ci init``: an action and two workflows in the user's repository, and what to set on GitHub."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside import __version__
from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import note, write_json, write_table
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.config import Loaded
    from bedside.deploy.workflows import Written

#: How GitHub names this repository in its tokens, with the numbers that tokens carry since July 2026.
ASK_REPOSITORY = "gh api 'repos/{owner}/{repo}' --jq '\"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)\"'"


@click.command(
    cls=Command, examples=["bedside ci init --dry-run", "bedside ci init --branch release --force"]
)
@click.option("--branch", default="main", help="A push to it publishes the model.")
@click.option("--environment", default="production", help="GitHub's environment in which is deployed.")
@click.option("--force", is_flag=True, help="Replace files that are there and say something else.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@config_option
@json_option
def init(
    branch: str, environment: str, force: bool, dry_run: bool, config_path: Path | None, as_json: bool
) -> None:
    """Write an action and workflows that package and deploy into this git repository.

    GitHub proves to AWS which repository and branch a job belongs to, and gets a role for an hour: there is
    no key to keep, and two variables are all that is set.
    """
    from bedside.deploy.workflows import Answers, plan, repository_root, write

    root = repository_root(Path.cwd())
    loaded = load_settings(config_path)
    files = plan(
        root,
        Answers(
            version=__version__,
            config=_in_repository(loaded, root),
            repository=loaded.settings.deploy.name,
            branch=branch,
            environment=environment,
        ),
    )
    if not dry_run:
        write(root, files, force=force)
    _show(files, as_json=as_json)
    if dry_run:
        note("nothing was written: --dry-run")
    else:
        _say_next(loaded.settings.deploy.region, environment)


def _in_repository(loaded: "Loaded", root: Path) -> str:
    """Return where the configuration is, as the workflows will find it."""
    if loaded.path is None:
        raise UsageError("no bedside.toml here: the workflows need one", hint="bedside init ./my_bundle")
    path = loaded.path.resolve()
    if not path.is_relative_to(root):
        raise UsageError(
            f"{loaded.path}: is outside the repository, where no workflow finds it",
            hint=f"move it below {root}",
        )
    return path.relative_to(root).as_posix()


def _show(files: "tuple[Written, ...]", *, as_json: bool) -> None:
    if as_json:
        write_json([{"path": one.path.as_posix(), "change": str(one.change)} for one in files])
        return
    write_table(("file", "change"), [(one.path.as_posix(), one.change) for one in files])


def _say_next(region: str, environment: str) -> None:
    note("next, once:")
    note(f"  on GitHub, an environment {environment!r} with its reviewers (Settings, Environments)")
    note("  on AWS, by an administrator: bedside ci template > administrator.yaml, launched in the console;")
    note(f"    its Repository is what this prints: {ASK_REPOSITORY}")
    note("  in bedside.toml, [deploy] boundary_arn = the stack's output Boundary")
    note("  gh variable set BEDSIDE_ROLE --body ROLE-ARN, the stack's output Role")
    note(f"  gh variable set BEDSIDE_REGION --body {region or 'REGION, the output Region'}")
