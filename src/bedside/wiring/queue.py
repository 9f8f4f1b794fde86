"""What tells that something came and that a job waits: a look at the drop-box, or queues of SQS."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bedside.domain.job import ENDED
from bedside.errors import ConfigError, NotFound
from bedside.log import Log
from bedside.ports import ArrivalFeed, BlobStore, Clock, Ledger
from bedside.ports.hints import Hints
from bedside.worker.dropbox import DropboxWatch

if TYPE_CHECKING:
    from bedside.adapters.aws.events import JobHint
    from bedside.config import Settings
    from bedside.tenants.directory import TenantDirectory


def open_feed(
    settings: "Settings",
    *,
    blobs: BlobStore,
    ledger: Ledger,
    clock: Clock,
    log: Log,
    tenants: "TenantDirectory",
    woken: Callable[[], None] = lambda: None,
) -> ArrivalFeed:
    """Return the feed of some settings; nothing is asked of a queue yet.

    Args:
        settings: What is in force.
        blobs: The store.
        ledger: Says when a hint is done with.
        clock: The time.
        log: Takes notes.
        tenants: Who is served, and whose buckets are whose.
        woken: Called when a hint came of a job that waits.

    Raises:
        ConfigError: A queue is named, and no bucket whose events it could bring; or boto3 is missing.
    """
    watch = DropboxWatch(blobs, settings.intake.quiet_s, clock, settings.intake.file_set)
    if not _has_queue(settings):
        return watch
    try:
        from bedside.adapters.aws.feed import FeedOptions, SqsFeed
        from bedside.adapters.aws.places import Bucket
        from bedside.adapters.aws.queue import SqsQueue
    except ImportError as exc:
        raise _no_boto(exc) from exc

    def hint_done(hint: "JobHint") -> bool:
        try:
            job = ledger.job(hint.tenant, hint.job)
        except NotFound:
            return True
        # Of a job that went on to another pool, that pool has a hint of its own.
        return job.state in ENDED or job.stage.pool != hint.pool

    return SqsFeed(
        queues=[SqsQueue(url, log=log) for url in listened(settings)],
        bucket=Bucket.of(settings.store.url),
        watch=watch,
        tenants=tenants,
        hint_done=hint_done,
        clock=clock,
        options=FeedOptions(poll_s=settings.intake.poll_s),
        drop_boxes=takes_in(settings),
        owner=tenants.owner,
        woken=woken,
        log=log,
    )


def open_hints(settings: "Settings", *, log: Log) -> Hints | None:
    """Return what tells pools of waiting jobs, or None where there is no queue; nothing is asked yet.

    Raises:
        ConfigError: See `open_feed`.
    """
    if not _has_queue(settings):
        return None
    try:
        from bedside.adapters.aws.hints import SqsHints
    except ImportError as exc:
        raise _no_boto(exc) from exc
    return SqsHints(settings.queue.url, settings.queue.pools, log=log)


def queues_state(settings: "Settings") -> str:
    """Return what a check says of the queues that this machine listens to: whose, and how much is in each.

    Raises:
        ConfigError: See `open_feed`.
        Unavailable: A queue is not there, out of reach, or not permitted.
    """
    _has_queue(settings)
    try:
        from bedside.adapters.aws.queue import SqsQueue
    except ImportError as exc:
        raise _no_boto(exc) from exc
    counts = {url.rpartition("/")[2]: SqsQueue(url).count() for url in listened(settings)}
    held = ", ".join(f"{name} holds {count} messages" for name, count in counts.items())
    return f"{held}; {'takes in what arrives' if takes_in(settings) else 'listens for jobs only'}"


def takes_in(settings: "Settings") -> bool:
    """Whether this machine watches drop-boxes: one that works for other pools than the events' does not."""
    pools, queue = settings.worker.pools, settings.queue
    return not pools or any(queue.pools.get(pool, queue.url) == queue.url for pool in pools)


def listened(settings: "Settings") -> Sequence[str]:
    """Return the URLs of the queues that this machine receives from, the events' first.

    Without a worker here nobody would do what the other pools' hints tell of.
    """
    queue, worker = settings.queue, settings.worker
    pools = worker.pools or (tuple(queue.pools) if worker.count else ())
    urls = [queue.url] if takes_in(settings) else []
    return list(dict.fromkeys([*urls, *(queue.pools.get(pool, queue.url) for pool in pools)]))


def _has_queue(settings: "Settings") -> bool:
    queue = settings.queue
    if not queue.url and queue.pools:
        raise ConfigError(
            "queue.pools: says where hints go, and queue.url names no queue of events",
            hint="bedside config show",
        )
    if queue.url and not settings.store.url:
        raise ConfigError(
            "queue.url: brings events of a bucket, and store.url names none", hint="bedside config show"
        )
    return bool(queue.url)


def _no_boto(exc: ImportError) -> ConfigError:
    return ConfigError(
        f"queue.url: a queue needs the Python package {exc.name}", hint="pip install 'bedside[aws]'"
    )
