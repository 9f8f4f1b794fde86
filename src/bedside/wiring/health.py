"""Who answers probes of `serve`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedside.worker.pulse import Pulse


@contextmanager
def answering(address: str, pulse: "Pulse") -> Iterator[None]:
    """Answer ``GET /health`` at an address for a while; nowhere if it is empty.

    Raises:
        ConfigError: Nothing can be listened to there.
    """
    if not address:
        yield
        return
    from bedside.adapters.local.health import HealthServer

    server = HealthServer(address, pulse.look)
    try:
        yield
    finally:
        server.close()
