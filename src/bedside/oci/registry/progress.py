"""What is told while blobs move: which one, what is happening to it, and how far it is.

Owns the values. They are told from several threads, one call at a time, so that whoever draws them
needs no lock.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bedside.oci.descriptor import Descriptor


class Step(StrEnum):
    """What happens to a blob or manifest."""

    PRESENT = "present"  # was there already
    MOUNTED = "mounted"  # taken over from another repository of the registry
    MOVING = "moving"  # bytes are under way
    RETRYING = "retrying"  # from the beginning, or from where it was cut
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One thing to tell.

    Attributes:
        descriptor: Of what.
        step: What happens to it.
        done_bytes: Of ``descriptor.size_bytes``; starts again after a cut upload.
    """

    descriptor: Descriptor
    step: Step
    done_bytes: int = 0


Tell = Callable[[Progress], None]


def quiet(progress: Progress) -> None:
    """Tell nobody."""


def one_at_a_time(tell: Tell) -> Tell:
    """Return the same, safe to call from several threads."""
    lock = threading.Lock()

    def told(progress: Progress) -> None:
        with lock:
            tell(progress)

    return told
