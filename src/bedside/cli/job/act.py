"""``bedside job retry``, ``cancel`` and ``priority``: what a person may do to a job.

All jobs named are found before the first is changed.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, confirm, json_option, tenant_option, yes_option
from bedside.cli.deployment import Opened, opened
from bedside.cli.job.shapes import job_json, state_cell
from bedside.cli.output import note, write_json
from bedside.domain.job import ENDED, Job, JobState
from bedside.errors import UsageError
from bedside.ports import JobFilter

#: States from which the same run is queued again; from other ended states a new run is made.
REDRIVEN = frozenset({JobState.DEAD, JobState.CANCELLED})


@click.command(cls=Command, examples=["bedside job retry 3f2a81c0", "bedside job retry --all-dead --yes"])
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@click.option("--all-dead", is_flag=True, help="All jobs in the dead letter.")
@yes_option
@tenant_option
@config_option
@json_option
def retry(
    job_ids: tuple[str, ...], all_dead: bool, yes: bool, tenant: str, config_path: Path | None, as_json: bool
) -> None:
    """Send dead or cancelled jobs again with fresh attempts, or re-run jobs that ended otherwise.

    A re-run is a new run of the same job: it asks first, writes the same bytes again, and its
    result supersedes the one before. What never became a job on AWS is in bedside deploy dead list.
    """
    if bool(job_ids) == all_dead:
        raise UsageError("name jobs, or --all-dead, not both", hint="bedside job list --state dead")
    with opened(config_path, tenant) as deployment:
        deployment.must_be_served()
        jobs = _dead(deployment) if all_dead else [deployment.job(text) for text in job_ids]
        running = [job.id for job in jobs if job.state not in ENDED]
        if running:
            raise UsageError(f"job {running[0]} has not ended", hint=f"bedside job watch {running[0]}")
        again = [job for job in jobs if job.state not in REDRIVEN]
        if again:
            confirm(
                f"{len(again)} of {len(jobs)} jobs ended with a result or a rejection. Run them anew?",
                yes=yes,
            )
        ledger, now = deployment.ledger, deployment.clock.now()
        queued = [
            ledger.redrive(deployment.tenant, job.id, now)
            if job.state in REDRIVEN
            else ledger.rerun(deployment.tenant, job.id, now)
            for job in jobs
        ]
    _say(queued, as_json=as_json)


def _dead(deployment: Opened) -> list[Job]:
    where = JobFilter(states=frozenset({JobState.DEAD}))
    found: list[Job] = []
    while page := deployment.ledger.jobs(deployment.tenant, where, limit=500, offset=len(found)):
        found += page
    return found


@click.command(
    cls=Command, examples=["bedside job cancel 3f2a81c0", "bedside job cancel 3f2a81c0 9b1c --yes"]
)
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@yes_option
@tenant_option
@config_option
@json_option
def cancel(job_ids: tuple[str, ...], yes: bool, tenant: str, config_path: Path | None, as_json: bool) -> None:
    """Stop queued or running jobs; what a running one wrote so far is thrown away."""
    with opened(config_path, tenant) as deployment:
        jobs = [deployment.job(text) for text in job_ids]
        ended = [job for job in jobs if job.state in ENDED]
        if ended:
            raise UsageError(
                f"job {ended[0].id} has ended: {ended[0].state.value}", hint=f"bedside job show {ended[0].id}"
            )
        confirm(f"Cancel {', '.join(job.id for job in jobs)}?", yes=yes)
        now = deployment.clock.now()
        cancelled = [deployment.ledger.cancel(deployment.tenant, job.id, now) for job in jobs]
    _say(cancelled, as_json=as_json)


@click.command(
    cls=Command, examples=["bedside job priority 3f2a81c0 10", "bedside job priority 3f2a81c0 -- -5"]
)
@click.argument("job_id", metavar="JOB")
@click.argument("value", metavar="PRIORITY", type=int)
@tenant_option
@config_option
@json_option
def priority(job_id: str, value: int, tenant: str, config_path: Path | None, as_json: bool) -> None:
    """Change the priority of a queued job; higher runs first, 0 is usual."""
    with opened(config_path, tenant) as deployment:
        job = deployment.job(job_id)
        changed = deployment.ledger.set_priority(deployment.tenant, job.id, value, deployment.clock.now())
    _say([changed], as_json=as_json)


def _say(jobs: Sequence[Job], *, as_json: bool) -> None:
    if as_json:
        write_json({"jobs": [job_json(job) for job in jobs]})
        return
    for job in jobs:
        note(f"{job.id}  {state_cell(job)}  priority {job.priority}")
    if not jobs:
        note("no jobs")
