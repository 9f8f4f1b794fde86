"""Where a deployment's dead letters are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bedside.errors import ConfigError

if TYPE_CHECKING:
    from bedside.config import Settings
    from bedside.ports.letters import DeadLetters


def open_dead_letters(settings: "Settings") -> "DeadLetters | None":
    """Return the dead letters of the queues that a configuration names, or None where it names none.

    Raises:
        ConfigError: SQS buries nothing of these queues, or no bucket is named.
    """
    queue = settings.queue
    if not queue.url and not queue.dead_url:
        return None
    from bedside.adapters.aws.letters import dead_letter_queues

    # The queue whose dead letters are named need not be asked for them.
    others = [url for url in queue.pools.values() if url != queue.url]
    named, asked = ([queue.dead_url], others) if queue.dead_url else ([], [queue.url, *others])
    urls = list(dict.fromkeys([*named, *dead_letter_queues(asked)]))
    if not urls:
        raise ConfigError(
            "queue.url: SQS has no dead-letter queue for it, so that nothing is ever given up",
            hint="bedside config show",
        )
    return dead_letters(urls, settings.store.url)


def dead_letters(urls: Sequence[str], store_url: str, region: str = "") -> "DeadLetters":
    """Return the dead letters of some queues.

    Args:
        urls: Of the dead-letter queues.
        store_url: ``s3://BUCKET``, whose drop-boxes the events are of.
        region: Of the queues; empty is the environment's.
    """
    from bedside.adapters.aws.letters import SqsDeadLetters
    from bedside.adapters.aws.places import Bucket

    return SqsDeadLetters(urls, Bucket.of(store_url), region=region)
