"""What a person may do to a job, by what it needs: retry, cancel, change its place in line."""

from datetime import datetime

from bedside.domain.job import ENDED, REDRIVABLE, Job, JobState
from bedside.ports import Ledger


def can_retry(job: Job) -> bool:
    """Whether a job has ended, so that it may be sent again or run anew."""
    return job.state in ENDED


def can_cancel(job: Job) -> bool:
    """Whether there is something to stop."""
    return job.state not in ENDED


def can_prioritise(job: Job) -> bool:
    """Whether it has a place in line."""
    return job.state is JobState.QUEUED


def retry(ledger: Ledger, job: Job, now: datetime) -> Job:
    """Send a dead or cancelled job again with fresh attempts; run one that ended otherwise anew.

    Raises:
        UsageError: It has not ended, or a newer run of it has not.
    """
    if job.state in REDRIVABLE:
        return ledger.redrive(job.tenant, job.id, now)
    return ledger.rerun(job.tenant, job.id, now)
