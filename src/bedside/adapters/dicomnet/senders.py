"""One association from our side: what came of it, and what of its proposals we take."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pynetdicom import AllStoragePresentationContexts, build_context
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from bedside.dicom.received import TAKEN

#: Storage SOP Classes that are taken, by UID: all of the standard.
STORAGE = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)


@dataclass(slots=True, kw_only=True)
class Sender:
    """A sender while it is connected. Not frozen: it counts.

    Attributes:
        address: Where it is.
        began_s: When it came, of a clock that only grows.
        tenant: Whose drop-box it fills; empty until it was let in.
        calling: Its AE title.
        held_bytes: Of its data, in memory just now.
        instances: How many were stored, or were there already.
        size_bytes: Of these.
        refused: How many were not stored.
        reasons: Why, each once.
        broken_off: It was refused, or we end it.
    """

    address: str
    began_s: float
    tenant: str = ""
    calling: str = ""
    held_bytes: int = 0
    instances: int = 0
    size_bytes: int = 0
    refused: int = 0
    reasons: set[str] = field(default_factory=set)
    broken_off: bool = False


def contexts_for(proposed: Iterable[PresentationContext]) -> list[PresentationContext]:
    """Return what we take of what a sender proposes, in the order in which it would send it.

    Its own order says what it has: in ours, it might have to compress or to decompress first.
    """
    wanted: dict[str, dict[str, None]] = {}
    for context in proposed:
        syntaxes = wanted.setdefault(str(context.abstract_syntax), {})
        syntaxes.update(dict.fromkeys(map(str, context.transfer_syntax)))
    taken = [build_context(Verification)]
    for kind, syntaxes in wanted.items():
        ours = [syntax for syntax in syntaxes if syntax in TAKEN]
        if kind in STORAGE and ours:
            taken.append(build_context(kind, ours))
    return taken


def data_bytes(fragment: bytes | None) -> int:
    """Return the bytes of a data set in a fragment; its first byte tells it from a command. See PS3.8 E.2."""
    return len(fragment) - 1 if fragment and not fragment[0] & 1 else 0
