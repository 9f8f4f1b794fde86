"""``bedside job watch``: follows jobs until they ended, live on a terminal, as lines elsewhere."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, tenant_option
from bedside.cli.deployment import Opened, opened
from bedside.cli.job.shapes import doing, state_cell, worst
from bedside.cli.output import ProgressLine, note
from bedside.domain.job import ENDED, Job, JobState
from bedside.ports import JobFilter

POLL_S = 0.3
ACTIVE = frozenset(JobState) - ENDED


@click.command(cls=Command, examples=["bedside job watch 3f2a81c0", "bedside job watch"])
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@tenant_option
@config_option
def watch(job_ids: tuple[str, ...], tenant: str, config_path: Path | None) -> int:
    """Follow jobs until they ended; all that are queued or running where none is named.

    Exits with 0 when all succeeded, 4 when one was rejected, 6 when one is dead, 1 when one was
    cancelled. Ctrl-C stops watching, not the jobs.
    """
    with opened(config_path, tenant) as deployment:
        if job_ids:
            wanted = [deployment.job(text).id for text in job_ids]
        else:
            found = deployment.ledger.jobs(deployment.tenant, JobFilter(states=ACTIVE), limit=1000)
            wanted = [job.id for job in found]
        if not wanted:
            note("nothing is queued or running")
            return 0

        def look() -> Sequence[Job]:
            return [deployment.ledger.job(deployment.tenant, job_id) for job_id in wanted]

        return worst([job.state for job in follow(deployment, look)])


def follow(deployment: Opened, look: Callable[[], Sequence[Job]]) -> Sequence[Job]:
    """Show jobs until all that ``look`` returns have ended, and return them as they then are.

    Args:
        deployment: Gives the pauses.
        look: Reads the jobs anew. Returning none means that they are still to come.
    """
    told: set[str] = set()
    with ProgressLine() as line:
        while True:
            jobs = look()
            for job in jobs:
                if job.state in ENDED and job.id not in told:
                    told.add(job.id)
                    line.finish()
                    note(f"{job.id}  {state_cell(job)}  {job.pipeline.name}  {doing(job)}".rstrip())
            left = [job for job in jobs if job.state not in ENDED]
            if jobs and not left:
                return jobs
            line.update(*_now(jobs, left))
            deployment.clock.sleep(POLL_S)


def _now(jobs: Sequence[Job], left: Sequence[Job]) -> tuple[str, float | None]:
    running = next((job for job in left if job.state is JobState.RUNNING), None)
    of = f"{len(jobs) - len(left) + 1} of {len(jobs)}: " if len(jobs) > 1 else ""
    if running:
        return f"{of}{running.pipeline.name}: {running.doing or 'started'}", running.progress
    if left:
        return f"{of}{left[0].pipeline.name}: {doing(left[0])}", None
    return "waiting for intake", None
