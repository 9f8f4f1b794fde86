"""How much keeps this machine: one number for each line that it is asked with, until it is asked no more.

Counts what its pool has to do, in the queue and in the ledger, delayed work included, what this machine
does just now, results that wait for the archive (the waker starts no machine for those), and a command that
a person runs here. Publishes the number of queued jobs, which is what step scaling looks at. Ends where a
count fails: a machine that cannot know whether there is work stays. It stays loaded between two counts,
because a machine that counts often would spend two seconds of each on beginning.
"""

import fcntl
import os
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedside.adapters.sql import SqlLedger
    from bedside.config import Settings

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

#: A result that is archived later than this waits for the next machine: the archive is out of reach.
ARCHIVED_SOON = timedelta(minutes=10)

#: The alarm looks at minutes: a metric each second says nothing more, and costs.
PUBLISHED_S = 45.0

#: Held by each command of `bedside deploy run` while it runs.
LOCK = Path("/run/bedside-asked")


def main(deployment: str, pool: str, configuration: str) -> None:
    """Answer each line of standard input with how much there is to do."""
    import boto3  # noqa: PLC0415 - only here, after the cheap part of a test's import

    from bedside.adapters.sql import SqlLedger  # noqa: PLC0415
    from bedside.config import load  # noqa: PLC0415

    settings = load(Path(configuration), environment=os.environ, flags={}).settings
    sqs, cloudwatch = boto3.client("sqs"), boto3.client("cloudwatch")
    ledger = SqlLedger(settings.ledger.url)
    dimensions = [{"Name": "Deployment", "Value": deployment}, {"Name": "Pool", "Value": pool}]
    metric: dict[str, Any] = {"MetricName": "QueuedJobs", "Dimensions": dimensions, "Unit": "Count"}
    published, told = float("-inf"), 0
    try:
        for _ in sys.stdin:
            left, queued = count(sqs, ledger, settings, pool)
            # More at once, so that a list of studies need not wait for another minute.
            if queued > told or time.monotonic() - published >= PUBLISHED_S:
                metric = {
                    "MetricName": "QueuedJobs",
                    "Dimensions": dimensions,
                    "Value": queued,
                    "Unit": "Count",
                }
                cloudwatch.put_metric_data(Namespace="bedside", MetricData=[metric])
                published, told = time.monotonic(), queued
            print(left, flush=True)  # noqa: T201 - the answer
    finally:
        ledger.close()


def count(sqs: Any, ledger: "SqlLedger", settings: "Settings", pool: str) -> tuple[int, int]:
    """Return messages in any state, queued jobs of the pool, jobs that run here, and exports due soon.

    The second number is of the queued jobs alone.
    """
    from bedside.domain.job import JobState  # noqa: PLC0415
    from bedside.ports import JobFilter  # noqa: PLC0415

    ours = settings.queue.pools.get(pool, settings.queue.url)
    held = sqs.get_queue_attributes(QueueUrl=ours, AttributeNames=list(COUNTS))
    visible, in_flight, delayed = (int(held["Attributes"][name]) for name in COUNTS)
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
    # A hint is held, by whichever machine received it, while its job waits or runs: not a reason to stay
    # for those that run elsewhere. What is held besides is an arrival on its way into the ledger.
    held_for_jobs = queued + sum(job.stage.pool == pool for job in running)
    messages = visible + delayed + max(0, in_flight - held_for_jobs)
    return messages + queued + here + exports + asked(), queued


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
    main(*sys.argv[1:])
