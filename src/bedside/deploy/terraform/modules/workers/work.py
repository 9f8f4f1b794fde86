"""How much keeps this machine: runs on a worker's machine each minute and prints one number.

Counts what its pool has to do, in the queue and in the ledger, delayed work included, and what this
machine does just now; publishes the number of queued jobs, which is what step scaling looks at. Prints
nothing where a count fails: a machine that cannot know whether there is work stays.
"""

import os
import socket
import sys
from pathlib import Path

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def main(deployment: str, pool: str, configuration: str) -> int:
    """Return messages in any state, plus queued jobs of the pool, plus jobs that run on this machine."""
    import boto3  # noqa: PLC0415 - only here, after the cheap part of a test's import

    from bedside.adapters.sql import SqlLedger  # noqa: PLC0415
    from bedside.config import load  # noqa: PLC0415
    from bedside.domain.job import JobState  # noqa: PLC0415
    from bedside.ports import JobFilter  # noqa: PLC0415

    settings = load(Path(configuration), environment=os.environ, flags={}).settings
    ours = settings.queue.pools.get(pool, settings.queue.url)
    held = boto3.client("sqs").get_queue_attributes(QueueUrl=ours, AttributeNames=list(COUNTS))
    messages = sum(int(held["Attributes"][name]) for name in COUNTS)

    ledger = SqlLedger(settings.ledger.url)
    try:
        queued = ledger.depth().get(pool, 0)
        running = JobFilter(states=frozenset({JobState.RUNNING}))
        begin = f"{socket.gethostname()}-"  # how a worker's name begins
        here = sum(
            job.worker.startswith(begin)
            for tenant in {*settings.system.tenants, *(made.name for made in ledger.tenants())}
            for job in ledger.jobs(tenant, running, limit=1000)
        )
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
    return messages + queued + here


if __name__ == "__main__":
    print(main(*sys.argv[1:]))  # noqa: T201 - the answer
