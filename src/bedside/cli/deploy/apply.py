"""``bedside deploy apply``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, confirm, json_option, load_settings, yes_option
from bedside.cli.deploy.shared import as_json as plan_json
from bedside.cli.deploy.shared import check, compare, lost_words, show, site_of, state_option, telling
from bedside.cli.deploy.verify import PATIENCE_MIN, verified
from bedside.cli.output import ProgressLine, note, write_json
from bedside.errors import ConfigError


@click.command(cls=Command, examples=["bedside deploy apply", "bedside deploy apply --yes --no-verify"])
@click.option("--no-verify", is_flag=True, help="Send no phantom through it afterwards.")
@click.option(
    "--lose-data",
    is_flag=True,
    help="Do it also where a database, bucket, registry or user pool ends with all that is in it.",
)
@state_option
@yes_option
@config_option
@json_option
def apply(
    no_verify: bool, lose_data: bool, state: str | None, yes: bool, config_path: Path | None, as_json: bool
) -> None:
    """Make or change the deployment: checks, plan, question, progress.

    When it is cut off, what was made is remembered, and the next apply does the rest. What was made or
    changed is verified by a phantom study that is sent through it: see bedside deploy verify.
    """
    from bedside.deploy.estimated import cost_line
    from bedside.deploy.layers import share_layers

    site = site_of(config_path, state)
    check(site)
    found = compare(site)
    software, terraform, planned = found.software, found.terraform, found.planned
    if not as_json:
        show(planned, datastore=site.settings.name if found.lacks_datastore else "")
        click.echo(cost_line(site.settings, site.cloud.region))
    if planned.lost and not lose_data:
        raise ConfigError(
            f"nothing was changed: all that is in {lost_words(planned)} would be lost",
            hint="take the change in the configuration back, or save what is there and add --lose-data",
        )
    if planned.changes:
        confirm(f"Do this in account {site.cloud.caller().account}, {site.cloud.region}?", yes=yes)
        try:
            with ProgressLine() as progress:
                if found.lacks_datastore:
                    progress.update(f"making the datastore {site.settings.name}, which takes minutes")
                    site.make_datastore()
                    terraform = site.open(software)  # once more, with its id
                    planned = terraform.plan(telling(progress, 0))
                terraform.apply(telling(progress, len(planned.changes)))
        finally:
            # Also what a failed apply has made: it must be found again when all is removed.
            site.record().add(terraform.held())
        if said := share_layers(site.cloud, site.settings, terraform.held()):
            note(said)
    outputs = terraform.outputs()
    sent = False
    if software is not None:
        # After the bucket is there; machines start only when work arrives.
        with ProgressLine() as progress:
            progress.update("sending the software of the machines")
            sent = site.cloud.upload(outputs["bucket"], software.key, software.path)
    told = None
    if (planned.changes or sent) and not no_verify:
        settings = load_settings(config_path).settings
        first = settings.system.tenants[0]
        told = verified(site, settings, outputs, tenant=first, patience_s=60 * PATIENCE_MIN)
    if as_json:
        verification = told.document if told else None
        write_json({**plan_json(planned), "outputs": outputs, "verification": verification})
    elif planned.changes:
        note("done; bedside deploy status shows it")
        if control := outputs.get("control"):
            note(f"{control['url']} answers when its A record in DNS says {control['address']}")
    if told:
        told.say()
