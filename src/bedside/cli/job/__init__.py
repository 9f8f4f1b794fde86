"""``bedside job``: what became of the studies, why, and what to do about it.

One module per kind of question: `look` (list, show), `watch`, `why`, `act` (retry, cancel,
priority). Everything is read through the ledger's port, so the words are the same on one machine and
in the cloud.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.job"

COMMANDS = {
    "list": (f"{_HERE}.look:list_jobs", "List jobs, newest first."),
    "show": (f"{_HERE}.look:show", "Show one job: history, stages, result files."),
    "watch": (f"{_HERE}.watch:watch", "Follow one job, or all, until they ended."),
    "why": (f"{_HERE}.why:why", "Explain why something ran, did not run, or was rejected."),
    "retry": (f"{_HERE}.act:retry", "Send dead or cancelled jobs again, or re-run others."),
    "cancel": (f"{_HERE}.act:cancel", "Stop queued or running jobs."),
    "priority": (f"{_HERE}.act:priority", "Change the priority of a queued job."),
}


@click.group(
    cls=Group, table=COMMANDS, examples=["bedside job list --state dead", "bedside job why 3f2a81c0"]
)
def job() -> None:
    """List, show, follow, explain, repeat and cancel jobs."""
