"""Whether `serve` does its rounds: what a load balancer, a watchdog or a person asks.

Owns the verdict. Says nothing of what is worked on, since whoever may ask need not be allowed to know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: A round takes this long at most: the largest study is unpacked within one.
STUCK_S = 300.0


class Condition(StrEnum):
    """How it is with the rounds."""

    STARTING = "starting"  # none was finished yet
    OK = "ok"
    WAITING = "waiting"  # the ledger or the store is out of reach
    STUCK = "stuck"
    DEAF = "deaf"  # the DICOM receiver does not listen


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """An answer.

    Attributes:
        condition: How it is.
        round_s: Seconds since a round ended well; None where none did.
        listening: Whether the DICOM receiver listens; None where there is none.
    """

    condition: Condition
    round_s: float | None
    listening: bool | None = None

    @property
    def ok(self) -> bool:
        """Whether what arrives now is taken in."""
        return self.condition is Condition.OK

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        seconds = None if self.round_s is None else round(self.round_s, 1)
        dicom = {} if self.listening is None else {"dicom": "listening" if self.listening else "deaf"}
        return {"status": self.condition.value, "last_round_s": seconds, **dicom}


class Pulse:
    """Remembers how the rounds went. One thread writes, others read.

    Args:
        monotonic: A clock that never goes back, in seconds.
        stuck_s: After so long without a round something hangs.
    """

    def __init__(self, monotonic: Callable[[], float], *, stuck_s: float = STUCK_S) -> None:
        self._monotonic = monotonic
        self._stuck_s = stuck_s
        self._tried_at = monotonic()
        self._done_at: float | None = None
        self._missed = False
        self._listens: Callable[[], bool] | None = None

    def include(self, listens: Callable[[], bool]) -> None:
        """Ask, from now on, whether the DICOM receiver listens; called from other threads."""
        self._listens = listens

    def beat(self) -> None:
        """A round ended well."""
        self._tried_at = self._done_at = self._monotonic()
        self._missed = False

    def miss(self) -> None:
        """A round ended because something is out of reach."""
        self._tried_at = self._monotonic()
        self._missed = True

    def look(self) -> Health:
        """Return how it is now."""
        now = self._monotonic()
        round_s = None if self._done_at is None else now - self._done_at
        listening = None if self._listens is None else self._listens()
        if now - self._tried_at > self._stuck_s:
            condition = Condition.STUCK
        elif self._missed:
            condition = Condition.WAITING
        elif round_s is None:
            condition = Condition.STARTING
        elif listening is False:
            condition = Condition.DEAF
        else:
            condition = Condition.OK
        return Health(condition=condition, round_s=round_s, listening=listening)
