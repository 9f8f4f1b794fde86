"""``bedside tenant create``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import noted, whole
from bedside.cli.output import note, write_json
from bedside.cli.tenant.shapes import tenant_json
from bedside.domain.tenant import check_new, name_of


@click.command(
    cls=Command,
    examples=[
        "bedside tenant create hospital/radiology/ct",
        "bedside tenant create practice-7 --own-buckets",
    ],
)
@click.argument("path", metavar="TENANT")
@click.option(
    "--own-buckets", is_flag=True, help="On AWS: an input and an output bucket for this tenant alone."
)
@config_option
@json_option
def create(path: str, own_buckets: bool, config_path: Path | None, as_json: bool) -> None:
    """Make a tenant: its record, its drop-box, on AWS also its Cognito groups and perhaps its own buckets.

    TENANT is a path in the tree of tenants. Running machines serve it within seconds. A tenant that has
    data from before is recorded as it is. What broke off is finished by the same command.
    """
    name = check_new(name_of(path))
    with whole(config_path) as deployment:
        from bedside.wiring.endings import open_maker

        configured = deployment.settings.system.tenants
        made = open_maker(deployment).create(name, own_buckets=own_buckets)
        noted(deployment, "tenant.adopted" if made.adopted else "tenant.made", tenant=name)
    if as_json:
        write_json(
            {
                **tenant_json(name, made.tenant, configured),
                "things": list(made.things),
                "adopted": made.adopted,
            }
        )
        return
    for thing in made.things:
        click.echo(thing)
    note(f"tenant {made.tenant.path} {'was there and is recorded now' if made.adopted else 'is served'}")
