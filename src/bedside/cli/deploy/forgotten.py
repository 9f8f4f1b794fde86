"""``bedside deploy forgotten``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.errors import BedsideError, Unavailable

if TYPE_CHECKING:
    from bedside.ports.cloud import Tagged


@click.command(
    cls=Command, examples=["bedside deploy forgotten", "bedside deploy forgotten --json | jq '.[].arn'"]
)
@config_option
@json_option
def forgotten(config_path: Path | None, as_json: bool) -> None:
    """Find every resource of every bedside deployment, in all regions the account may use.

    A machine left on in another region is found on the bill, weeks later; this asks AWS today.
    """
    from bedside.wiring.cloud import open_cloud

    cloud = open_cloud(load_settings(config_path).settings.deploy.region)
    cloud.caller()
    found: dict[str, Tagged] = {}
    unasked: dict[str, BedsideError] = {}
    with ProgressLine() as progress:
        regions = cloud.regions()
        for number, region in enumerate(regions):
            progress.update(f"asking {region}", number / len(regions))
            try:
                # By ARN: what is global answers in more than one region.
                found |= {item.arn: item for item in cloud.elsewhere(region).tagged()}
            except BedsideError as exc:  # an organisation may forbid a region: the others are told
                unasked[region] = exc
    items = sorted(found.values(), key=lambda item: (item.deployment, item.region, item.arn))
    if as_json:
        write_json([{"deployment": i.deployment, "region": i.region, "arn": i.arn} for i in items])
    else:
        _show(items, len(regions))
    for region, error in unasked.items():
        note(f"{region} was not asked: {error.message}")
    if unasked:
        raise Unavailable(f"{len(unasked)} of {len(regions)} regions were not asked", hint="try again")


def _show(items: "Sequence[Tagged]", regions: int) -> None:
    write_table(("deployment", "region", "resource"), [(i.deployment, i.region, i.arn) for i in items])
    note(f"{len(items)} resources in {len({i.region for i in items})} of {regions} regions")
