"""Work that a second process does while this one goes on.

Owns that process. What it leaves (a layer in the cache, under that cache's lock) is found by whoever needs
it, and made by them where it failed or never began, so nothing depends on it: it can only save time.
A thread would not: while Python imports what comes next, the two would wait for one another (see
docs/decisions/188-the-models-layer-is-made-by-a-second-process.md).
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ahead(work: Callable[[], object]) -> Iterator[None]:
    """Do some work in a copy of this process while the block runs; wait for it at the end.

    Its errors are nobody's: whoever needs what it should have left meets them again. Nothing is begun where
    processes cannot be copied: other systems, no memory, or threads, which a copy would lack.

    Args:
        work: Must leave no more than files that are whole or not there.
    """
    child = _copied()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)  # not by an exception: what the original has open and is to say is not the copy's
    try:
        yield
    except BaseException:
        if child:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGINT)  # as Ctrl-C does: it tidies up
        raise
    finally:
        if child:
            os.waitpid(child, 0)


def _copied() -> int | None:
    """Return the id of a copy of this process, 0 in the copy itself, None where there is none."""
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return None
    try:
        return os.fork()
    except OSError:
        return None
