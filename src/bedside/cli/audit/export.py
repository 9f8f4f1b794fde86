"""``bedside audit export``."""

from datetime import datetime
from pathlib import Path

import click

from bedside.cli.audit.wishes import wanted, wishes
from bedside.cli.base import Command, config_option
from bedside.cli.deployment import whole
from bedside.cli.output import note
from bedside.domain.audit_lines import csv_lines, json_lines
from bedside.ports.audit import AuditFilter


@click.command(
    cls=Command,
    examples=[
        "bedside audit export > trail.jsonl",
        "bedside audit export --format csv --since 2026-03-01 --until 2026-04-01 > march.csv",
    ],
)
@wishes
@click.option(
    "--format",
    "kind",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    help="JSON Lines hold what each hash covers; CSV is for spreadsheets.",
)
@config_option
def export(
    tenant: str,
    person: str,
    action: str,
    what: str,
    since: datetime | None,
    until: datetime | None,
    kind: str,
    config_path: Path | None,
) -> None:
    """Write the trail to standard output, oldest first.

    The whole of it as JSON Lines can be checked anywhere: by bedside audit verify FILE, or by a few lines
    of Python (docs/audit.md). Of a part each record can be checked, and not that none is missing.
    """
    wish = wanted(tenant, person, action, what, since, until)
    with whole(config_path) as deployment:
        trail = deployment.records.audit
        head = trail.head()
        lines = json_lines if kind == "jsonl" else csv_lines
        for line in lines(trail.walk(wish)):
            click.echo(line, nl=False)
    if wish == AuditFilter() and head is not None:
        note(f"head {head.hash} of {head.number} records, when this began")
