"""What the verbs of ``bedside deploy`` share: the opened site, its options, and its progress."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from bedside.cli.base import load_settings
from bedside.cli.output import ProgressLine, coloured, note
from bedside.errors import ConfigError

if TYPE_CHECKING:
    from bedside.deploy.plan import Planned
    from bedside.deploy.runner import Tell, Terraform
    from bedside.deploy.site import Site, State
    from bedside.deploy.software import Software

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def state_option(command: _Decorated) -> _Decorated:
    """Add ``--state``: where Terraform remembers what it made."""
    return click.option(
        "--state",
        type=click.Choice(["s3", "local"]),
        show_default="where it was before; s3 the first time",
        help="Keep the record of what was made in S3, for several people, or in this folder.",
    )(command)


def site_of(config_path: Path | None, state: str | None) -> "Site":
    """Open the deployment that the configuration describes.

    Raises:
        ConfigError: The configuration is wrong, there is no such region, or no credentials.
    """
    from bedside.deploy.readiness import only_here
    from bedside.deploy.site import Site
    from bedside.wiring.cloud import open_cloud, open_datastores

    loaded = load_settings(config_path)
    origins = loaded.settings.sending_origins
    cloud = open_cloud(loaded.settings.deploy.region)
    cloud.caller()  # the first thing that can be wrong is said first
    return Site(
        settings=loaded.settings.deploy.model_copy(update={"cors_origins": origins}),
        cloud=cloud,
        datastores=open_datastores(cloud.region),
        base=(loaded.path.parent if loaded.path else Path()).absolute(),
        environment=os.environ,
        state=cast("State | None", state),
        configuration=loaded.path.read_bytes() if loaded.path else b"",
        only_here=only_here(loaded.settings),
    )


def forget_plan(terraform: "Terraform") -> None:
    """See to it that no plan stays behind, however the command ends: a plan may hold a password."""
    click.get_current_context().call_on_close(terraform.forget)


def check(site: "Site") -> None:
    """Ask AWS whether this can work, and say every answer.

    Raises:
        ConfigError: It cannot.
    """
    failed = []
    for finding in site.checks():
        word, colour = {True: ("ok", "green"), False: ("fail", "red"), None: ("?", "yellow")}[finding.ok]
        note(f"{coloured(f'{word:<5}', colour)}{finding.text}")
        if finding.mend:
            note(f"     mend: {finding.mend}")
        if finding.ok is False:
            failed.append(finding)
    if failed:
        raise ConfigError(f"{len(failed)} checks failed: {failed[0].text}", hint=failed[0].mend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is wanted, compared with what is there.

    Attributes:
        software: That machines install; None where the settings or the modules bring another.
        terraform: Keeps the plan until the command ends.
        planned: What would be done.
        lacks_datastore: Whether the deployment's own datastore is to be made before.
    """

    software: "Software | None"
    terraform: "Terraform"
    planned: "Planned"
    lacks_datastore: bool


def compare(site: "Site") -> Compared:
    """Collect the software, and compare what the configuration wants with what is there."""
    with ProgressLine() as progress:
        progress.update("collecting the software of the machines")
        software = site.software()
        progress.update("comparing with what is there")
        terraform = site.open(software)
        forget_plan(terraform)
        return Compared(
            software=software,
            terraform=terraform,
            planned=terraform.plan(telling(progress, 0)),
            lacks_datastore=site.lacks_datastore(),
        )


def show(planned: "Planned", *, datastore: str = "") -> None:
    """Print a plan for a person.

    Args:
        planned: The plan.
        datastore: Name of the datastore that is made before the rest; empty is none.
    """
    for line in planned.lines():
        click.echo(line)
    if datastore:
        click.echo(f"before: HealthImaging, which Terraform cannot make\n  + datastore {datastore}")
    click.echo(planned.summary)


def lost_words(planned: "Planned") -> str:
    """Return what a plan ends with all its data, as words, e.g. "database clinic, bucket clinic-1a2b"."""
    return ", ".join(f"{change.kind} {change.called}" for change in planned.lost)


def as_json(planned: "Planned") -> dict[str, object]:
    """Return a plan for ``--json``."""
    return {
        "summary": {action.value: number for action, number in planned.count.items()},
        "changes": [
            {"address": c.address, "part": c.part, "type": c.type, "name": c.called, "action": c.action.value}
            for c in planned.changes
        ],
    }


def telling(progress: ProgressLine, total: int) -> "Tell":
    """Return what turns Terraform's events into progress, counted against the plan."""
    done = 0

    def tell(kind: str, event: Mapping[str, Any]) -> None:
        nonlocal done
        hook = event.get("hook", {})
        address = str(hook.get("resource", {}).get("addr", ""))
        verb = {"create": "making", "update": "changing", "delete": "destroying"}.get(
            str(hook.get("action", "")), "reading"
        )
        if kind in {"apply_start", "apply_progress"}:
            waited = f", {hook['elapsed_seconds']} s" if hook.get("elapsed_seconds") else ""
            progress.update(f"{verb} {address}{waited}", min(1.0, done / max(1, total)))
        elif kind == "apply_complete":
            done += verb != "reading"  # the plan counts no reading
            progress.update(f"{verb} {address}: done", min(1.0, done / max(1, total)))
        elif kind == "refresh_start":
            progress.update("asking AWS what is there")

    return tell
