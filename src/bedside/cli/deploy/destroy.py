"""``bedside deploy destroy``."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, yes_option
from bedside.cli.deploy.shared import as_json as plan_json
from bedside.cli.deploy.shared import forget_plan, show, site_of, state_option, telling
from bedside.cli.output import ProgressLine, note, write_json
from bedside.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedside.deploy.runner import Held
    from bedside.deploy.site import Site
    from bedside.deploy.staying import Stays

#: Objects of a bucket are counted so far: a thousand take a request.
COUNTED = 10_000


@click.command(
    cls=Command,
    examples=["bedside deploy destroy --dry-run", "bedside deploy destroy"],
)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@state_option
@yes_option
@config_option
@json_option
def destroy(dry_run: bool, state: str | None, yes: bool, config_path: Path | None, as_json: bool) -> None:
    """Remove everything, studies and results included, and prove that nothing is left.

    Machines are sent home first, then buckets and registries emptied. After the removal AWS is asked, by tag
    and by bedside's own record of what it made; the exit code is 5 while anything is left. What stays on
    purpose is told, with the command that removes it.
    """
    from bedside.deploy.ending import remove_late_logs, send_home
    from bedside.deploy.record import proof
    from bedside.deploy.site import ids
    from bedside.deploy.staying import administrators
    from bedside.wiring.cloud import open_clock

    site = site_of(config_path, state)
    terraform = site.reopen()
    forget_plan(terraform)
    held = terraform.held()
    with ProgressLine() as progress:
        progress.update("comparing with what is there")
        planned = terraform.plan(telling(progress, 0), destroy=True)
        stores = {
            item.id: number
            for item in site.own_datastores()
            if (number := site.datastores.image_sets(item.id)) is not None
        }
        apart = site.tenant_buckets()
        objects = {
            bucket: site.cloud.count(bucket, COUNTED) for bucket in [*ids(held, "aws_s3_bucket"), *apart]
        }
    if not as_json:
        show(planned)
        for datastore, number in stores.items():
            click.echo(f"besides: HealthImaging\n  - datastore {datastore} with {number} image sets")
        if apart:
            click.echo("besides: tenants' own buckets")
        for bucket in apart:
            click.echo(f"  - bucket {bucket}")
        for bucket, number in objects.items():
            if number:
                click.echo(f"{'more than ' * (number == COUNTED)}{number} objects are in bucket {bucket}")
    if dry_run:
        if as_json:
            write_json(
                {**plan_json(planned), "datastores": stores, "tenant_buckets": apart, "objects": objects}
            )
        else:
            note("nothing was changed")
        return
    _ask(site.settings.name, yes=yes)
    record = site.record()
    record.add(held)
    with ProgressLine() as progress:
        if planned.changes:
            # Whoever still works would write into what is emptied next.
            send_home(site.cloud, open_clock(), ids(held, "aws_autoscaling_group"), progress.update)
            _empty(site, held, progress)
            terraform.apply(telling(progress, len(planned.changes)))
        for bucket in apart:  # after the machines, which could still write to them
            progress.update(f"removing the bucket {bucket}")
            progress.update(f"{site.cloud.remove_bucket(bucket)} versions deleted with {bucket}")
        for datastore in stores:  # after the machines, which could still archive into it
            progress.update(f"removing the datastore {datastore}, which takes minutes")
            progress.update(f"{site.datastores.remove(datastore)} image sets deleted with {datastore}")
    left = terraform.held()
    if late := remove_late_logs(site.cloud, record.made(), left):
        note(f"{late} groups of logs had come back, and are gone again")
    remote = site.remote()
    not_ours = administrators(
        site.settings.name, account=site.cloud.caller().account, bucket=remote.bucket if remote else ""
    )
    found = proof(site.cloud, site.settings.name, record.made(), but=not_ours)
    whole = not left and not found.left
    stays = _forget(site, held) if whole else ()
    if as_json:
        write_json(
            {
                **plan_json(planned),
                "left": found.left,
                "gone": found.gone,
                "by_tag_only": found.unasked,
                "stays": [one.to_json() for one in stays],
            }
        )
    for arn in found.left:
        note(f"left: {arn}")
    if not whole:
        raise Unavailable(found.summary, hint="bedside deploy destroy, once more")
    if not as_json:
        click.echo(found.summary)
    for one in stays:
        note(one.text)


def _ask(name: str, *, yes: bool) -> None:
    """Ask for the deployment's name: a yes is typed too easily for what cannot be taken back."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "destroying asks for the name, and standard input is not a terminal", hint="add --yes"
        )
    typed = click.prompt(f"Type the deployment's name, {name}, to destroy all this", default="", err=True)
    if typed != name:
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def _empty(site: "Site", held: "list[Held]", progress: ProgressLine) -> None:
    from bedside.deploy.site import ids

    for bucket in ids(held, "aws_s3_bucket"):
        progress.update(f"emptying the bucket {bucket}")
        progress.update(f"{site.cloud.empty_bucket(bucket)} versions deleted from {bucket}")
    for registry in ids(held, "aws_ecr_repository"):
        progress.update(f"emptying the registry {registry}")
        progress.update(f"{site.cloud.empty_registry(registry)} manifests deleted from {registry}")


def _forget(site: "Site", held: "list[Held]") -> "Sequence[Stays]":
    """Remove the state and the working copy, which describe nothing any more; return what stays."""
    from bedside.deploy.site import ids
    from bedside.deploy.staying import staying
    from bedside.deploy.variables import state_folder

    remote = site.remote()
    folder = state_folder(site.settings.name)  # the record lies beside the state
    gone = remote is not None and site.cloud.remove_state(remote.bucket, folder)
    if remote is not None and gone:
        note(f"the bucket {remote.bucket} is gone too: no other deployment kept its state there")
    shutil.rmtree(site.folder)
    return staying(
        site.cloud,
        site.settings.name,
        bucket=remote.bucket if remote else "",
        bucket_is_gone=gone,
        shares_layers=site.settings.blob_mounting and bool(ids(held, "aws_ecr_repository")),
    )
