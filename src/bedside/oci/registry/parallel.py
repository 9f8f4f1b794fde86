"""Several blobs at once: the first error stops the rest, and so does a person."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from bedside.errors import Cancelled
from bedside.oci.parts import Assembled, Part
from bedside.oci.registry.registries import Registries


def for_each_part(
    assembled: Assembled, registries: Registries, action: Callable[[Part], None], stop: threading.Event
) -> None:
    """Do something with every blob of a container image once, the longest first, several at once.

    Args:
        assembled: Its parts, and those of its members.
        registries: Say how many at once.
        action: Done with each; looks at ``stop`` now and then.
        stop: Set on an error, and when a person interrupts.
    """
    parts = {part.descriptor.digest: part for part in _parts(assembled)}
    order = sorted(parts.values(), key=lambda part: -part.descriptor.size_bytes)
    pool = ThreadPoolExecutor(registries.options.parallel, thread_name_prefix="bedside-registry")
    try:
        running = [pool.submit(action, part) for part in order]
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        failed = [error for future in done if (error := future.exception()) is not None]
        # Those that were stopped by another's error have no story of their own.
        for error in sorted(failed, key=lambda one: isinstance(one, Cancelled)):
            raise error
    except KeyboardInterrupt:
        registries.close()  # nobody waits for another try any more
        raise
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _parts(assembled: Assembled) -> Iterator[Part]:
    yield from assembled.parts
    for member in assembled.members:
        yield from _parts(member)
