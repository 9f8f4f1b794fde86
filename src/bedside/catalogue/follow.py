"""The thread that keeps the catalogue in step for as long as a portal answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bedside.catalogue.cataloguer import Cataloguer
from bedside.errors import BedsideError
from bedside.log import Log

#: Between two looks where nothing was new.
POLL_S = 2.0
#: Pause after a failure.
OUT_OF_REACH_S = 10.0
#: So often everything is looked at again, whenever it was recorded.
EVERYTHING_S = 900.0


@contextmanager
def following(cataloguer: Cataloguer, log: Log) -> Iterator[None]:
    """Keep the catalogue in step while the block lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(cataloguer, log, stop), name="catalogue", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=POLL_S)


def _follow(cataloguer: Cataloguer, log: Log, stop: threading.Event) -> None:
    pause, waited = 0.0, 0.0
    while not stop.wait(pause):
        waited += pause
        if waited >= EVERYTHING_S:
            cataloguer.start_over()
            waited = 0.0
        try:
            pause = 0.0 if cataloguer.step() else POLL_S
        except BedsideError as exc:
            log("catalogue.waits", reason=exc.message)
            pause = OUT_OF_REACH_S
        except Exception as exc:  # noqa: BLE001 - one file of one study must not end this for all others
            log("catalogue.failed", error=type(exc).__name__)
            pause = OUT_OF_REACH_S
