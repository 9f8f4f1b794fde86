"""``bedside job list`` and ``bedside job show``."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from bedside.cli.archive.shapes import export_cell, export_json, export_words
from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import Opened, opened
from bedside.cli.job.shapes import (
    doing,
    event_json,
    job_json,
    moment,
    pipeline_cell,
    role_words,
    seconds,
    state_cell,
)
from bedside.cli.output import coloured, note, write_json, write_table
from bedside.domain.export import Export
from bedside.domain.job import Job, JobState
from bedside.domain.result import RESULT_FILE, Result
from bedside.errors import NotFound
from bedside.ports import JobFilter

#: Enough of an id to type; commands take the beginning of one.
ID_SHOWN = 12

#: Columns of the table of measurements; ``--json`` has all there is.
MEASURED = {
    "label": "label",
    "volume_ml": "volume mL",
    "max_diameter_mm": "diameter mm",
    "mean": "mean",
    "standard_deviation": "deviation",
    "intensity_unit": "unit",
}


@click.command(
    "list",
    cls=Command,
    examples=["bedside job list --state running --state queued", "bedside job list --study 1.2.840.1 --json"],
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([s.value for s in JobState]),
    help="May be repeated.",
)
@click.option("--pipeline", default="", help="Only jobs of this pipeline.", show_default=False)
@click.option("--study", default="", help="Only jobs of this Study Instance UID.", show_default=False)
@click.option("--arrival", default="", help="Only jobs of this arrival id.", show_default=False)
@click.option("--limit", default=20, type=click.IntRange(1), help="How many.")
@click.option("--offset", default=0, type=click.IntRange(0), help="How many of the newest to leave out.")
@tenant_option
@config_option
@json_option
def list_jobs(
    states: tuple[str, ...],
    pipeline: str,
    study: str,
    arrival: str,
    limit: int,
    offset: int,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """List jobs, newest first."""
    where = JobFilter(
        states=frozenset(JobState(state) for state in states),
        arrival_id=arrival,
        subject=study,
        pipeline=pipeline,
    )
    with opened(config_path, tenant) as deployment:
        # One more than asked for, to know whether there are more.
        jobs = list(deployment.ledger.jobs(deployment.tenant, where, limit=limit + 1, offset=offset))
    more, jobs = len(jobs) > limit, jobs[:limit]
    if as_json:
        write_json({"jobs": [job_json(job) for job in jobs], "more": more})
        return
    write_table(
        ("job", "state", "pipeline", "created", "seconds", "what"),
        [_row(job) for job in jobs],
    )
    if not jobs:
        note("no jobs; bedside submit PATH puts a study into the drop-box, bedside job why explains the rest")
    if more:
        note(f"there are more: --offset {offset + limit}")


def _row(job: Job) -> tuple[object, ...]:
    run = f".r{job.run}" if job.run else ""
    return (
        job.identity[:ID_SHOWN] + run,
        state_cell(job),
        pipeline_cell(job),
        moment(job.created_at),
        seconds(job),
        doing(job),
    )


@click.command(cls=Command, examples=["bedside job show 3f2a81c0", "bedside job show --json"])
@click.argument("job_id", metavar="[JOB]", required=False, default="")
@tenant_option
@config_option
@json_option
def show(job_id: str, tenant: str, config_path: Path | None, as_json: bool) -> None:
    """Show one job: its state, history, stages, measurements, and where its result lies.

    JOB is a job's id, or the beginning of one; without it the newest is shown.
    """
    with opened(config_path, tenant) as deployment:
        job = deployment.job(job_id) if job_id else deployment.newest_job()
        events = deployment.ledger.events(deployment.tenant, job_id=job.id)
        result = deployment.ledger.result(deployment.tenant, job.id)
        export = deployment.ledger.export(deployment.tenant, job.id)
        document = result_document(deployment, result)
        place = deployment.place(job.prefix)
    if as_json:
        write_json(
            job_json(job)
            | {
                "history": [event_json(event) for event in events],
                "place": place if result else None,
                "superseded_by": result.superseded_by if result else None,
                "archive": export_json(export) if export else None,
                "document": document,
            }
        )
        return
    _show_job(job, export)
    click.echo()
    write_table(
        ("time", "what", "stage", "attempt", "detail"),
        [(moment(e.at), e.action, e.stage, e.attempt or None, e.detail) for e in events],
    )
    if result:
        _show_result(document or {}, result, place)


def result_document(deployment: Opened, result: Result | None) -> dict[str, object] | None:
    """Return a job's ``result.json``, or None where it has none."""
    if result is None:
        return None
    try:
        found = json.loads(deployment.blobs.get(f"{result.prefix}/{RESULT_FILE}"))
    except NotFound:
        return None
    assert isinstance(found, dict)
    return found


def _show_job(job: Job, export: Export | None) -> None:
    role = role_words(job)
    lines: list[tuple[str, object]] = [
        ("job", job.id),
        ("state", state_cell(job)),
        ("what", doing(job)),
        ("pipeline", f"{job.pipeline.name} ({job.pipeline.version})"),
        ("role", "phantom, sent by bedside deploy verify" if role == "phantom" else role),
        ("rule", job.rule),
        ("study", job.subject),
        ("arrival", f"{job.arrival_id}, version {job.arrival_version}"),
        ("stages", " > ".join(stage.name for stage in job.pipeline.stages)),
        ("priority", job.priority),
    ]
    if export:
        lines.append(("archive", f"{export_cell(export)} {export_words(export)}".rstrip()))
    if job.failure and job.failure.hint:
        lines.append(("hint", job.failure.hint))
    for name, value in lines:
        if value != "":
            click.echo(f"{coloured(f'{name:<9}', 'cyan')} {value}")


def _show_result(document: Mapping[str, object], result: Result, place: str) -> None:
    click.echo()
    write_measurements(document)
    write_files(document, place)
    if result.superseded_by:
        note(f"superseded by the result of job {result.superseded_by}")


def write_measurements(document: Mapping[str, object]) -> None:
    """Print what was measured, one row per label, and what a model without masks said."""
    measurements = document.get("measurements")
    rows = [row for row in measurements if isinstance(row, dict)] if isinstance(measurements, list) else []
    if rows:
        headings = [
            heading
            for key, heading in MEASURED.items()
            if any(row.get(key) not in (None, "") for row in rows)
        ]
        keys = [key for key, heading in MEASURED.items() if heading in headings]
        write_table(headings, [[row.get(key) for key in keys] for row in rows])
        click.echo()
    numbers = document.get("numbers")
    if isinstance(numbers, dict) and numbers:
        write_table(("output", "value"), list(numbers.items()))
        click.echo()


def write_files(document: Mapping[str, object], place: str) -> None:
    """Print a result's files and the folder they lie in."""
    files = document.get("files")
    rows = [row for row in files if isinstance(row, dict)] if isinstance(files, list) else []
    write_table(("file", "kB"), [(row.get("path"), int(row.get("size_bytes", 0)) / 1000) for row in rows])
    click.echo(f"\n{place}")
