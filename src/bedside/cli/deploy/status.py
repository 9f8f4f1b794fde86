"""``bedside deploy status``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.deploy.shared import site_of, state_option
from bedside.cli.output import write_json, write_table

if TYPE_CHECKING:
    from bedside.deploy.overview import Overview


@click.command(
    cls=Command,
    examples=[
        "bedside deploy status",
        "bedside deploy status --json | jq .alarms",
    ],
)
@state_option
@config_option
@json_option
def status(state: str | None, config_path: Path | None, as_json: bool) -> None:
    """Say how the deployment does: what waits, who works, what failed, which alarms ring, what was read.

    What needs a person stands first, with the command that shows more of it.
    """
    from bedside.deploy.logs import Part, groups_of
    from bedside.deploy.overview import Parts, look
    from bedside.deploy.signing_in import signing_in
    from bedside.deploy.site import ids
    from bedside.wiring.cloud import open_clock, open_logs

    site = site_of(config_path, state)
    terraform = site.applied()
    held, outputs = terraform.held(), terraform.outputs()
    logs = open_logs(site.cloud.region)
    control = str((outputs.get("control") or {}).get("group", ""))
    parts = Parts(
        name=site.settings.name,
        queues=ids(held, "aws_sqs_queue"),
        groups=[name for name in ids(held, "aws_autoscaling_group") if name != control],
        control=control,
        registries=ids(held, "aws_ecr_repository"),
        registry=str(outputs.get("repository_url", "")),
        logs=list(groups_of(logs, site.settings.name, [Part.WORKERS])),
    )
    found = look(site.cloud, logs, parts, open_clock().now())
    sentences = [*found.sentences(), *signing_in(outputs, load_settings(config_path).settings.identity)]
    if as_json:
        write_json(
            {
                "name": site.settings.name,
                "region": site.cloud.region,
                "resources": len(held),
                **_shape(found, sentences),
                "outputs": outputs,
            }
        )
        return
    click.echo(f"{site.settings.name} in {site.cloud.region}: {len(held)} resources")
    for sentence in sentences:
        click.echo(f"- {sentence}")
    _tables(found)
    if outputs:
        click.echo()
        write_table(("output", "value"), list(_flat(outputs)))


def _tables(found: "Overview") -> None:
    from bedside.deploy.overview import SHOWN

    queues = {**found.queues, **found.dead}
    if queues:
        click.echo()
        write_table(
            ("queue", "waiting", "in work", "delayed"),
            [(name, d.visible, d.in_flight, d.delayed) for name, d in queues.items()],
        )
    groups = {**found.groups, **({"control machine": found.control} if found.control else {})}
    if groups:
        click.echo()
        write_table(
            ("machines", "working", "wanted", "most"),
            [(name, g.in_service, g.desired, g.max) for name, g in groups.items()],
        )
    if found.releases:
        click.echo()
        write_table(
            ("release", "digest", "pushed"),
            [(" ".join(r.tags), r.digest[:19], r.at) for r in found.releases[:SHOWN]],
        )
    if found.jobs:
        click.echo()
        write_table(
            ("job", "tenant", "ended", "at"), [(j.job, j.tenant, j.how, j.at) for j in found.jobs[:SHOWN]]
        )


def _shape(found: "Overview", sentences: list[str]) -> dict[str, object]:
    depths = {**found.queues, **found.dead}
    return {
        "sentences": sentences,
        "queues": [
            {
                "name": name,
                "url": found.urls[name],
                "visible": depth.visible,
                "in_flight": depth.in_flight,
                "delayed": depth.delayed,
                "dead": name in found.dead,
            }
            for name, depth in depths.items()
        ],
        "groups": [
            {"name": name, "desired": g.desired, "in_service": g.in_service, "max": g.max}
            for name, g in found.groups.items()
        ],
        "control": {"in_service": found.control.in_service} if found.control else None,
        "alarms": [
            {"name": a.name, "rings": a.rings, "since": a.since, "text": a.text} for a in found.alarms
        ],
        "releases": [{"digest": r.digest, "tags": list(r.tags), "at": r.at} for r in found.releases or ()],
        "jobs": [{"job": j.job, "tenant": j.tenant, "ended": j.how, "at": j.at} for j in found.jobs],
    }


def _flat(outputs: dict[str, object], before: str = "") -> list[tuple[str, object]]:
    """Return nested outputs as dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in outputs.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}.")
        elif value not in ("", None, [], {}):
            rows.append((f"{before}{name}", value))
    return rows
