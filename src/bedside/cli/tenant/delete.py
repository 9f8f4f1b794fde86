"""``bedside tenant delete``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, yes_option
from bedside.cli.deployment import checked_tenant, noted, whole
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.cli.tenant.shapes import inventory_json, inventory_rows
from bedside.domain.tenant import STORAGE_CLASSES, Ending, unrecorded
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.domain.tenant import Tenant
    from bedside.tenants.end import Ender
    from bedside.wiring import Deployment


@click.command(
    cls=Command,
    examples=[
        "bedside tenant delete ward-3 --archive s3://our-archive/bedside --storage-class GLACIER_IR",
        "bedside tenant delete ward-3 --remove --dry-run",
    ],
)
@click.argument("path", metavar="TENANT")
@click.option(
    "--archive", "place", metavar="PLACE", help="Copy to a folder or s3://BUCKET/PREFIX, then close."
)
@click.option("--remove", is_flag=True, help="Remove objects, jobs, buckets, groups; only the record stays.")
@click.option(
    "--storage-class",
    type=click.Choice(STORAGE_CLASSES),
    show_default="STANDARD",
    help="Of the copies in S3; from the last two nothing is read before it is restored.",
)
@click.option("--keep-archived", is_flag=True, help="With --remove: leave what went into the image archive.")
@click.option("--dry-run", is_flag=True, help="Only list what would be archived or removed.")
@yes_option
@config_option
@json_option
def delete(
    path: str,
    place: str | None,
    remove: bool,
    storage_class: str | None,
    keep_archived: bool,
    dry_run: bool,
    yes: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Archive or remove everything of a tenant, after listing it and asking for the tenant's name.

    An archived tenant takes no new studies, and what it has stays readable; it can be removed later. Of a
    removed one only the record stays, with its date. Image sets that bedside sent for it go too, unless they
    hold instances of others. What broke off is finished by the same command.
    """
    _check(place, remove=remove, storage_class=storage_class, keep_archived=keep_archived)
    with whole(config_path) as deployment:
        tenant, ender = _found(deployment, path, unarchive=remove and not keep_archived)
        if remove:
            tenant.closing(Ending.REMOVE)
        else:
            tenant.closing(Ending.ARCHIVE, place or "")
        inventory = ender.inventory(tenant)
        if not as_json:
            write_table(("what", "number", "bytes"), inventory_rows(inventory))
        stay = inventory.archived.words if inventory.archived else ()
        for words in stay:
            note(words)
        if keep_archived:
            note("what went into the image archive stays there, and nothing here will tell whose it is")
        if dry_run:
            _say(
                {"tenant": tenant.path, "has": inventory_json(inventory)},
                "nothing was changed",
                as_json=as_json,
            )
            return
        _ask(tenant.path, "removed" if remove else "archived", yes=yes)
        noted(
            deployment,
            "tenant.closing",
            tenant=tenant.name,
            detail={"ending": "remove" if remove else "archive"},
        )
        deployment.ledger.put_tenant(tenant, over=None)  # one from before there were records
        with ProgressLine() as progress:
            done = _end(deployment, tenant, ender, place, storage_class or "", progress)
        noted(deployment, "tenant.closed", tenant=tenant.name)
        configured = tenant.name in deployment.settings.system.tenants
    _say({"tenant": tenant.path, "done": done, "stay": list(stay)}, "\n".join(done), as_json=as_json)
    if configured:
        note(f"take {tenant.name} out of system.tenants: it is not served any more, whatever stands there")


def _check(place: str | None, *, remove: bool, storage_class: str | None, keep_archived: bool) -> None:
    if bool(place) == remove:
        raise UsageError("say --archive PLACE or --remove, and not both", hint="bedside tenant delete --help")
    if keep_archived and not remove:
        raise UsageError(
            "--keep-archived: without --remove nothing is taken out of the image archive",
            hint="bedside tenant delete --help",
        )
    if storage_class and remove:
        raise UsageError(
            "--storage-class: nothing is kept with --remove", hint="bedside tenant delete --help"
        )


def _found(deployment: "Deployment", path: str, *, unarchive: bool) -> "tuple[Tenant, Ender]":
    """Return the tenant, recorded or not, and what ends it."""
    from bedside.wiring.endings import open_ender

    ledger = deployment.ledger
    name = checked_tenant(path, sorted({*deployment.tenants.known, *ledger.tenants_with_data()}))
    tenant = ledger.tenant(name) or unrecorded(name, deployment.clock.now())
    return tenant, open_ender(deployment, name, unarchive=unarchive)


def _end(
    deployment: "Deployment",
    tenant: "Tenant",
    ender: "Ender",
    place: str | None,
    storage_class: str,
    progress: ProgressLine,
) -> list[str]:
    from bedside.wiring.endings import archive_tenant

    if not place:
        gone = ender.remove(tenant, progress.update)
        return [*(f"removed: {thing}" for thing in gone), f"tenant {tenant.path} is closed; its record stays"]
    copied = archive_tenant(deployment, ender, tenant, place, storage_class, progress.update)
    return [
        f"{copied} objects copied to {place}",
        f"tenant {tenant.path} is closed; what it has stays readable",
    ]


def _ask(path: str, what: str, *, yes: bool) -> None:
    """Ask for the tenant's name: a yes is typed too easily for what cannot be taken back."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "this asks for the tenant's name, and standard input is not a terminal", hint="add --yes"
        )
    if click.prompt(f"Type the tenant's name, {path}; it will be {what}", default="", err=True) != path:
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


def _say(document: dict[str, object], words: str, *, as_json: bool) -> None:
    if as_json:
        write_json(document)
    else:
        note(words)
