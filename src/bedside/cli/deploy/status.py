"""``bedside deploy status``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deploy.shared import site_of, state_option
from bedside.cli.output import write_json, write_table


@click.command(cls=Command, examples=["bedside deploy status", "bedside deploy status --json | jq .queues"])
@state_option
@config_option
@json_option
def status(state: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show how much waits in each queue, how many machines work, and the deployment's outputs."""
    from bedside.deploy.site import ids

    site = site_of(config_path, state)
    terraform = site.reopen()
    held = terraform.held()
    queues = {url: site.cloud.depth(url) for url in ids(held, "aws_sqs_queue")}
    groups = {name: site.cloud.group(name) for name in ids(held, "aws_autoscaling_group")}
    outputs = terraform.outputs()
    if as_json:
        write_json(
            {
                "name": site.settings.name,
                "region": site.cloud.region,
                "resources": len(held),
                "queues": [
                    {"url": url, "visible": d.visible, "in_flight": d.in_flight, "delayed": d.delayed}
                    for url, d in queues.items()
                ],
                "groups": [
                    {"name": name, "desired": g.desired, "in_service": g.in_service, "max": g.max}
                    for name, g in groups.items()
                ],
                "outputs": outputs,
            }
        )
        return
    click.echo(f"{site.settings.name} in {site.cloud.region}: {len(held)} resources")
    if queues:
        click.echo()
        write_table(
            ("queue", "waiting", "in work", "delayed"),
            [(url.rpartition("/")[2], d.visible, d.in_flight, d.delayed) for url, d in queues.items()],
        )
    if groups:
        click.echo()
        write_table(
            ("machines", "working", "wanted", "most"),
            [(name, g.in_service, g.desired, g.max) for name, g in groups.items()],
        )
    if outputs:
        click.echo()
        write_table(("output", "value"), list(_flat(outputs)))


def _flat(outputs: dict[str, object], before: str = "") -> list[tuple[str, object]]:
    """Return nested outputs as dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in outputs.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}.")
        elif value not in ("", None, [], {}):
            rows.append((f"{before}{name}", value))
    return rows
