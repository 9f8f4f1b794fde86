"""``bedside deploy plan``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deploy.shared import as_json as plan_json
from bedside.cli.deploy.shared import check, compare, lost_words, show, site_of, state_option
from bedside.cli.output import note, write_json


@click.command(cls=Command, examples=["bedside deploy plan", "bedside deploy plan --json | jq .summary"])
@state_option
@config_option
@json_option
def plan(state: str | None, config_path: Path | None, as_json: bool) -> None:
    """Check the account and show what an apply would do, and change nothing but the state's bucket."""
    from bedside.deploy.estimated import cost_line

    site = site_of(config_path, state)
    check(site)
    found = compare(site)
    planned = found.planned
    if as_json:
        write_json({**plan_json(planned), "makes_datastore": found.lacks_datastore})
        return
    show(planned, datastore=site.settings.name if found.lacks_datastore else "")
    click.echo(cost_line(site.settings, site.cloud.region))
    if planned.lost:
        note(f"all that is in {lost_words(planned)} would be lost: bedside deploy apply asks for --lose-data")
    elif planned.changes:
        note("bedside deploy apply does this")
