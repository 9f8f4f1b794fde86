"""``bedside job watch``: follows jobs until they ended, live on a terminal, as lines elsewhere."""

from collections.abc import Sequence
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, tenant_option
from bedside.cli.deployment import opened
from bedside.cli.job.shapes import doing, state_cell, worst
from bedside.cli.output import ProgressLine, note
from bedside.cli.words import said
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
    with opened(config_path, tenant) as deployment, Follower() as follower:
        if job_ids:
            wanted = [deployment.job(text).id for text in job_ids]
        else:
            found = deployment.ledger.jobs(deployment.tenant, JobFilter(states=ACTIVE), limit=1000)
            wanted = [job.id for job in found]
        if not wanted:
            note("nothing is queued or running")
            return 0
        while True:
            jobs = [deployment.ledger.job(deployment.tenant, job_id) for job_id in wanted]
            follower.tell(jobs)
            if all(job.state in ENDED for job in jobs):
                return worst([job.state for job in jobs])
            deployment.clock.sleep(POLL_S)


class Follower:
    """Tells what is new about some jobs, each time it is shown them: one line per job that ended."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._line = ProgressLine()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self._line.finish()

    def say(self, text: str) -> None:
        """Say something that stays, above the live line."""
        self._line.finish()
        note(text)

    def tell(self, jobs: Sequence[Job]) -> None:
        """Show how the jobs stand now."""
        for job in jobs:
            if job.state in ENDED and job.id not in self._told:
                self._told.add(job.id)
                self.say(f"{job.id}  {state_cell(job)}  {job.pipeline.name}  {doing(job)}".rstrip())
        left = [job for job in jobs if job.state not in ENDED]
        if left or not jobs:
            self._line.update(*_now(jobs, left))


def _now(jobs: Sequence[Job], left: Sequence[Job]) -> tuple[str, float | None]:
    running = next((job for job in left if job.state is JobState.RUNNING), None)
    of = f"{len(jobs) - len(left) + 1} of {len(jobs)}: " if len(jobs) > 1 else ""
    if running:
        return f"{of}{running.pipeline.name}: {said(running.doing or 'start')}", running.progress
    if left:
        return f"{of}{left[0].pipeline.name}: {doing(left[0])}", None
    return "waiting for intake", None
