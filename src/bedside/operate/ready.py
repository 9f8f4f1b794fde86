"""Whether a deployment can answer: its ledger and its store are asked, and say so.

Owns what "ready" means to a load balancer; says nothing of what is kept, since whoever may ask need not
be allowed to know. Asked anew at most every few seconds, however often probes come.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import BedsideError, Unavailable
from bedside.ports import BlobStore, Clock, Ledger

FRESH_S = 2.0
#: A key that there never is: asking for it reaches the store and finds nothing.
_NO_KEY = "ready/none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Which parts answer."""

    ledger: bool
    store: bool

    @property
    def ok(self) -> bool:
        """Whether all do."""
        return self.ledger and self.store


class Readiness:
    """Asks ledger and store. Safe between threads.

    Args:
        ledger: The ledger.
        blobs: The store.
        tenants: Who is served; the first one's store is asked.
        root: Folder of a store here; None where it is elsewhere.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        blobs: BlobStore,
        tenants: Sequence[str],
        root: Path | None,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._tenants = tenants
        self._root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._found: Ready | None = None
        self._asked_at = float("-inf")

    def look(self) -> Ready:
        """Return which parts answer just now."""
        with self._lock:  # one asks, the others wait for its answer
            now = self._clock.monotonic()
            if self._found is None or now - self._asked_at >= FRESH_S:
                self._found = Ready(ledger=_answers(self._ask_ledger), store=_answers(self._ask_store))
                self._asked_at = self._clock.monotonic()
            return self._found

    def _ask_ledger(self) -> None:
        self._ledger.release_names()

    def _ask_store(self) -> None:
        if self._root is not None and not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise Unavailable(f"store: {self._root} cannot be used")
        for tenant in list(self._tenants)[:1]:
            self._blobs.tenant(tenant).stat(_NO_KEY)


def _answers(ask: Callable[[], None]) -> bool:
    try:
        ask()
    except BedsideError:
        return False
    return True
