"""``bedside archive retry``."""

from pathlib import Path

import click

from bedside.cli.archive.shapes import export_cell, export_json
from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import Opened, opened
from bedside.cli.output import note, write_json
from bedside.domain.export import Export, ExportState, retried
from bedside.errors import NotFound, Unavailable, UsageError

_FAILED = frozenset({ExportState.FAILED})
_MOST = 10_000


@click.command(cls=Command, examples=["bedside archive retry 3f2a81c0", "bedside archive retry --all-failed"])
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all-failed", is_flag=True, help="All results that the archive did not take.")
@tenant_option
@config_option
@json_option
def retry(
    job_ids: tuple[str, ...], all_failed: bool, tenant: str, config_path: Path | None, as_json: bool
) -> None:
    """Send results again that the archive did not take; what it has already is not kept twice.

    A worker does it next. All jobs named are looked at before the first is changed.
    """
    if bool(job_ids) == all_failed:
        raise UsageError("name jobs, or --all-failed, not both", hint="bedside archive list --state failed")
    with opened(config_path, tenant) as deployment:
        ledger, now = deployment.ledger, deployment.clock.now()
        if all_failed:
            before = list(ledger.exports(deployment.tenant, states=_FAILED, limit=_MOST))
        else:
            before = [_export(deployment, text) for text in job_ids]
        queued = [retried(export, now) for export in before]
        for export in queued:
            if not ledger.put_export(export):
                raise Unavailable(
                    f"archive: the result of job {export.job_id} changed meanwhile",
                    hint="bedside archive list",
                )
    if as_json:
        write_json({"exports": [export_json(export) for export in queued]})
        return
    for export in queued:
        click.echo(f"{export.job_id} {export_cell(export)}")
    if not queued:
        note("none failed")


def _export(deployment: Opened, text: str) -> Export:
    job = deployment.job(text)
    found = deployment.ledger.export(deployment.tenant, job.id)
    if found is None:
        raise NotFound(f"job {job.id}: its result does not go into an archive", hint="bedside archive list")
    return found
