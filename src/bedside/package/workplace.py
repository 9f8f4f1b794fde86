"""Where a MAP is made, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bedside.oci.cache import LayerCache
from bedside.oci.parts import Part

#: Told what is done now, and its share of the whole where that is known.
Saying = Callable[[str, float | None], None]


def _nobody(*_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a MAP is made, and who hears of it.

    Attributes:
        cache: Holds layers from one build to the next.
        scratch: Folder for archives that must be unpacked.
        say: Told what is done now.
        take: Given each blob as soon as it is made.
    """

    cache: LayerCache
    scratch: Path
    say: Saying = _nobody
    take: Callable[[Part], None] = _nobody
