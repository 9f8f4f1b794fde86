"""``bedside audit list``."""

from datetime import datetime
from pathlib import Path

import click

from bedside.cli.audit.wishes import wanted, wishes
from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.output import note, write_json, write_table
from bedside.domain.audit_lines import as_json as record_json
from bedside.domain.tenant import path_of


@click.command(
    "list",
    cls=Command,
    examples=[
        "bedside audit list --since 24h",
        "bedside audit list --tenant hospital/radiology --action result",
    ],
)
@wishes
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many at most.")
@click.option("--before", type=click.IntRange(min=1), help="Only records before this number, to page on.")
@config_option
@json_option
def list_records(
    tenant: str,
    person: str,
    action: str,
    what: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: int | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """List who did what, newest first; people by the numbers of their accounts."""
    wish = wanted(tenant, person, action, what, since, until)
    with whole(config_path) as deployment:
        found = deployment.records.audit.records(wish, limit=limit, before=before)
    if as_json:
        write_json({"records": [record_json(record) for record in found]})
        return
    write_table(
        ("number", "at", "person", "from", "action", "tenant", "object", "detail"),
        [
            (
                str(record.number),
                record.deed.at,
                record.deed.person or "nobody known",
                record.deed.address,
                record.deed.action,
                path_of(record.deed.tenant),
                record.deed.object,
                " ".join(f"{name}={value}" for name, value in record.deed.detail.items()),
            )
            for record in found
        ],
    )
    if len(found) == limit:
        note(f"there may be more: bedside audit list --before {found[-1].number}")
