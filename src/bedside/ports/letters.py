"""Dead letters of queues: what was received too often and never done with, and the way back."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

#: Hears how many were sent back so far, and of how many, where that is known.
Tell = Callable[[int, int | None], None]


class LetterKind(StrEnum):
    """What a message was."""

    ARRIVAL = "arrival"  # tells of objects that came
    HINT = "hint"  # tells of a job that waits
    UNKNOWN = "unknown"  # of no form we know


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter, without what it says: the key of an object may be a patient's name.

    Attributes:
        id: The message's, until it is sent back.
        queue: Name of the dead-letter queue.
        kind: What it was.
        sent_at: When it was sent first.
        received: How often it was received, looks at it included.
        tenants: Whose; empty where it is of no form we know, or of no drop-box of ours.
        objects: Ids of the objects it tells of, which are hashes of tenant and key.
        job: The job it tells of, or ``""``.
        pool: Of that job, or ``""``.
    """

    id: str
    queue: str
    kind: LetterKind
    sent_at: datetime
    received: int
    tenants: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    job: str = ""
    pool: str = ""


class DeadLetters(Protocol):
    """The dead-letter queues of one deployment.

    A call that is not permitted raises `ConfigError` with the missing action, a queue that is gone
    `NotFound`, and what does not answer `Unavailable`.
    """

    def count(self) -> int:
        """Return how many there are, about."""
        ...

    def look(self, *, limit: int) -> Sequence[Letter]:
        """Return some, oldest first; they stay where they are."""
        ...

    def send_back(self, tell: Tell) -> int:
        """Send all back to the queues they came from; return how many, about.

        Raises:
            Unavailable: It broke off; what was sent back until then is.
        """
        ...

    def send_back_these(self, ids: Collection[str]) -> int:
        """Send some back to the queues they came from; return how many of them were there."""
        ...
