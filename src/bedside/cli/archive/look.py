"""``bedside archive list``."""

from pathlib import Path

import click

from bedside.cli.archive.shapes import export_cell, export_json, export_words
from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import opened
from bedside.cli.job.shapes import moment
from bedside.cli.output import note, write_json, write_table
from bedside.domain.export import ExportState


@click.command(
    "list", cls=Command, examples=["bedside archive list --state failed", "bedside archive list --json"]
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([s.value for s in ExportState]),
    help="May be repeated.",
)
@click.option("--limit", default=20, type=click.IntRange(1), help="How many.")
@tenant_option
@config_option
@json_option
def list_exports(
    states: tuple[str, ...], limit: int, tenant: str, config_path: Path | None, as_json: bool
) -> None:
    """List results that go into the archive, newest first: what it confirmed, refused or has not seen yet."""
    wanted = frozenset(ExportState(state) for state in states)
    with opened(config_path, tenant) as deployment:
        # One more than asked for, to know whether there are more.
        found = list(deployment.ledger.exports(deployment.tenant, states=wanted, limit=limit + 1))
    more, found = len(found) > limit, found[:limit]
    if as_json:
        write_json({"exports": [export_json(export) for export in found], "more": more})
        return
    write_table(
        ("job", "archive", "since", "stored", "refused", "what"),
        [
            (e.job_id, export_cell(e), moment(e.changed_at), e.stored, len(e.refused), export_words(e))
            for e in found
        ],
    )
    if not found:
        note("nothing; results of jobs that end while archive.datastore is set go into the archive")
    if more:
        note(f"there are more: --limit {2 * limit}")
