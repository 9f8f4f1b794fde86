"""How much keeps this machine: runs on a worker's machine each minute and prints one number.

Counts what its pool has to do, in the queue and in the ledger, delayed work included, what this machine
does just now, results that wait for the archive (the waker starts no machine for those), and a command that
a person runs here. Publishes the number of queued jobs, which is what step scaling looks at. Prints nothing
where a count fails: a machine that cannot know whether there is work stays.
"""

import fcntl
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

#: A result that is archived later than this waits for the next machine: the archive is out of reach.
ARCHIVED_SOON = timedelta(minutes=10)

#: Held by each command of `bedside deploy run` while it runs.
LOCK = Path("/run/bedside-asked")


def main(deployment: str, pool: str, configuration: str) -> int:
    """Return messages in any state, queued jobs of the pool, jobs that run here, and exports due soon."""
    import boto3  # noqa: PLC0415 - only here, after the cheap part of a test's import

    from bedside.adapters.sql import SqlLedger  # noqa: PLC0415
    from bedside.config import load  # noqa: PLC0415
    from bedside.domain.job import JobState  # noqa: PLC0415
    from bedside.ports import JobFilter  # noqa: PLC0415

    settings = load(Path(configuration), environment=os.environ, flags={}).settings
    ours = settings.queue.pools.get(pool, settings.queue.url)
    held = boto3.client("sqs").get_queue_attributes(QueueUrl=ours, AttributeNames=list(COUNTS))
    visible, in_flight, delayed = (int(held["Attributes"][name]) for name in COUNTS)

    ledger = SqlLedger(settings.ledger.url)
    try:
        queued = ledger.depth().get(pool, 0)
        running = [
            job
            for tenant in {*settings.system.tenants, *(made.name for made in ledger.tenants())}
            for job in ledger.jobs(tenant, JobFilter(states=frozenset({JobState.RUNNING})), limit=1000)
        ]
        begin = f"{socket.gethostname()}-"  # how a worker's name begins
        here = sum(job.worker.startswith(begin) for job in running)
        soon = datetime.now(UTC) + ARCHIVED_SOON
        exports = len(ledger.due_exports(soon)) if settings.archive.datastore else 0
    finally:
        ledger.close()

    boto3.client("cloudwatch").put_metric_data(
        Namespace="bedside",
        MetricData=[
            {
                "MetricName": "QueuedJobs",
                "Dimensions": [{"Name": "Deployment", "Value": deployment}, {"Name": "Pool", "Value": pool}],
                "Value": queued,
                "Unit": "Count",
            }
        ],
    )
    # A hint is held, by whichever machine received it, while its job waits or runs: not a reason to stay
    # for those that run elsewhere. What is held besides is an arrival on its way into the ledger.
    held_for_jobs = queued + sum(job.stage.pool == pool for job in running)
    messages = visible + delayed + max(0, in_flight - held_for_jobs)
    return messages + queued + here + exports + asked()


def asked() -> bool:
    """Whether somebody runs a command here just now."""
    try:
        with LOCK.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # nobody ever did
        return False
    except BlockingIOError:
        return True
    return False


if __name__ == "__main__":
    print(main(*sys.argv[1:]))  # noqa: T201 - the answer
