"""Sees a promotion coming: brings the release to this worker beside the one that works.

Owns when to look and that nobody waits: bringing happens in a thread, and the job in hand goes on. What
cannot be brought is told once and tried again later; the job that needs it will say why it fails.
"""

import threading
from collections.abc import Callable

from bedside.domain.release import Promotion
from bedside.errors import BedsideError
from bedside.log import Log, silent
from bedside.ports import Clock, Ledger

#: Between two looks at what is promoted, and before what failed is tried again.
LOOK_S, AGAIN_S = 2.0, 60.0


class Lookout:
    """Looks for releases that were promoted and are not here yet.

    Args:
        ledger: Says what is promoted.
        bring: Brings a release here; may take minutes, and be called from another thread.
        clock: The time.
        log: Takes notes.
    """

    def __init__(
        self, *, ledger: Ledger, bring: Callable[[Promotion], None], clock: Clock, log: Log = silent
    ) -> None:
        self._ledger = ledger
        self._bring = bring
        self._clock = clock
        self._log = log
        self._look_at = 0.0
        self._not_before: dict[str, float] = {}
        self._here: set[str] = set()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Look, where it is time to, and begin to bring what is new.

        Raises:
            Unavailable: The ledger is out of reach.
        """
        now = self._clock.monotonic()
        if now < self._look_at or (self._thread is not None and self._thread.is_alive()):
            return
        self._look_at = now + LOOK_S
        wanted = [
            promotion
            for promotion in self._ledger.standing()
            if promotion.digest
            and promotion.digest not in self._here
            and self._not_before.get(promotion.digest, 0.0) <= now
        ]
        if wanted:
            # A daemon: a worker that stops does not wait for a download.
            self._thread = threading.Thread(target=self._bring_all, args=(wanted,), daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for what is being brought; return whether it is here."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _bring_all(self, wanted: list[Promotion]) -> None:
        for promotion in {p.digest: p for p in wanted}.values():
            begun = self._clock.monotonic()
            try:
                self._bring(promotion)
            except BedsideError as failed:
                self._not_before[promotion.digest] = self._clock.monotonic() + AGAIN_S
                self._log("release.missing", release=promotion.digest, reason=failed.message)
                continue
            self._here.add(promotion.digest)
            self._log(
                "release.here",
                release=promotion.digest,
                role=promotion.role.value,
                pipeline=promotion.pipeline,
                seconds=self._clock.monotonic() - begun,
            )
