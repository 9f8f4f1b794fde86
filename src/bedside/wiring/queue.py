"""What tells that something came: a look at the drop-box, or a queue of S3's events."""

from typing import TYPE_CHECKING

from bedside.errors import ConfigError, NotFound
from bedside.log import Log
from bedside.ports import ArrivalFeed, BlobStore, Clock, Ledger
from bedside.worker.dropbox import DropboxWatch

if TYPE_CHECKING:
    from bedside.config import Settings


def open_feed(
    settings: "Settings", *, blobs: BlobStore, ledger: Ledger, clock: Clock, log: Log
) -> ArrivalFeed:
    """Return the feed of some settings; nothing is asked of a queue yet.

    Raises:
        ConfigError: A queue is named, and no bucket whose events it could bring; or boto3 is missing.
    """
    watch = DropboxWatch(blobs, settings.intake.quiet_s, clock, settings.intake.file_set)
    url = settings.queue.url
    if not url:
        return watch
    if not settings.store.url:
        raise ConfigError(
            "queue.url: brings events of a bucket, and store.url names none", hint="bedside config show"
        )
    try:
        from bedside.adapters.aws.feed import FeedOptions, SqsFeed
        from bedside.adapters.aws.places import Bucket
        from bedside.adapters.aws.queue import SqsQueue
    except ImportError as exc:
        raise ConfigError(
            f"queue.url: a queue needs the Python package {exc.name}", hint="pip install 'bedside[aws]'"
        ) from exc
    from bedside.domain.job import ENDED

    def job_ended(tenant: str, job: str) -> bool:
        try:
            return ledger.job(tenant, job).state in ENDED
        except NotFound:
            return True

    return SqsFeed(
        queues=[SqsQueue(url, log=log)],
        bucket=Bucket.of(settings.store.url),
        watch=watch,
        tenants=settings.system.tenants,
        job_ended=job_ended,
        clock=clock,
        options=FeedOptions(poll_s=settings.intake.poll_s),
        log=log,
    )
