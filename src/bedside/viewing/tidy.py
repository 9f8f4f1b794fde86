"""Puts away images that nobody looks at any more, while the portal runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bedside.errors import BedsideError
from bedside.log import Log
from bedside.viewing.images import Images

#: A tenant that was removed leaves images for no longer than this.
EVERY_S = 300.0


@contextmanager
def tidying(images: Images, log: Log, *, every_s: float = EVERY_S) -> Iterator[None]:
    """Look through what is kept at once and then from time to time, in a thread, until this is left."""
    leaving = threading.Event()

    def run() -> None:
        while True:
            try:
                gone = images.tidy()
            except BedsideError as exc:  # the ledger is away, which knows the tenants; next time
                log("images.kept", reason=exc.message)
            else:
                if gone:
                    log("images.tidied", volumes=gone)
            if leaving.wait(every_s):
                return

    thread = threading.Thread(target=run, name="tidying", daemon=True)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join(timeout=5)
