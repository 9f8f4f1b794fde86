"""``bedside release rerun``: past studies under a release."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, confirm, json_option, yes_option
from bedside.cli.deployment import checked_tenant, whole
from bedside.cli.job.shapes import job_json
from bedside.cli.output import note, write_json
from bedside.cli.release.shared import chosen_place, named_release, place_options
from bedside.errors import NotFound

if TYPE_CHECKING:
    from bedside.domain.job import Job
    from bedside.domain.pipeline import Release
    from bedside.domain.release import Role
    from bedside.ports import Ledger
    from bedside.worker.promote import Place


@click.command(
    cls=Command,
    examples=[
        "bedside release rerun spleen:2.0 --last 50 --shadow",
        "bedside release rerun spleen:2.0 --study 1.2.840.1 --yes",
    ],
)
@click.argument("release", metavar="RELEASE")
@click.option("--last", type=click.IntRange(1), default=20, help="How many studies, the newest first.")
@click.option("--study", "studies", multiple=True, help="Only this Study Instance UID; may be repeated.")
@click.option("--shadow", is_flag=True, help="Compare with what was delivered, and deliver nothing.")
@place_options
@yes_option
@click.option("--tenant", default="", show_default="first of system.tenants", help="Whose studies.")
@config_option
@json_option
def rerun(
    release: str,
    last: int,
    studies: tuple[str, ...],
    shadow: bool,
    pipeline: str,
    stage: str,
    yes: bool,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Run studies that a pipeline has read before under another release.

    The newest version of each study is read. Results are delivered beside the earlier ones and
    supersede none of them; with --shadow they are compared instead, as those of a shadow are.
    """
    from bedside.domain.release import Role

    role = Role.SHADOW if shadow else Role.RERUN
    with whole(config_path) as deployment:
        owner = checked_tenant(tenant, deployment.tenants.served)
        place = chosen_place(deployment.settings, pipeline, stage)
        found = named_release(deployment, release)
        past = list(_past(deployment.ledger, owner, place.pipeline, studies, last))
        if not past:
            raise NotFound(f"pipeline {place.pipeline} has read no such study", hint="bedside job list")
        what = "compared" if shadow else "delivered"
        confirm(f"Run {len(past)} studies under {found.name} {found.version}, to be {what}?", yes=yes)
        again = [_again(deployment.ledger, job, place, found, role, deployment.clock.now()) for job in past]
        queued = [deployment.ledger.enqueue(job) for job in again if job is not None]
    new = [job for job, is_new in queued if is_new]
    if as_json:
        write_json({"jobs": [job_json(job) for job, _ in queued], "new": [job.id for job in new]})
        return
    for job in new:
        click.echo(job.id)
    known = len(past) - len(new)
    note(f"{len(new)} queued" + (f"; {known} were read by this release before" if known else ""))


def _again(
    ledger: "Ledger", job: "Job", place: "Place", release: "Release", role: "Role", now: datetime
) -> "Job | None":
    """Return the job that runs the newest version of a job's study under another release.

    None where a shadow would be compared with the same release.
    """
    from bedside.domain.release import Role, with_release
    from bedside.worker.rules import new_job

    stages = tuple(
        with_release(stage, release.digest, release.kind) if stage.name == place.stage else stage
        for stage in job.pipeline.stages
    )
    pipeline = replace(job.pipeline, stages=stages)
    if role is Role.SHADOW and pipeline.version == job.pipeline.version:
        return None
    arrival = ledger.newest_arrival(job.tenant, job.subject) or ledger.arrival(job.tenant, job.arrival_id)
    return new_job(arrival, pipeline, rule=job.rule, priority=job.priority, now=now, role=role)


def _past(ledger: "Ledger", tenant: str, pipeline: str, studies: Sequence[str], last: int) -> "Iterator[Job]":
    """Yield a delivered job of the newest version of each study, the newest first."""
    from bedside.ports import JobFilter
    from bedside.worker.admit import BY_RULE

    seen: set[str] = set()
    offset = 0
    while page := ledger.jobs(tenant, JobFilter(pipeline=pipeline, roles=BY_RULE), limit=500, offset=offset):
        offset += len(page)
        for job in page:
            if job.subject in seen or (studies and job.subject not in studies):
                continue
            seen.add(job.subject)
            yield job
            if len(seen) == last:
                return
