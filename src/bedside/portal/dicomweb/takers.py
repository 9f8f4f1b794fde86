"""Where an instance goes that was sent by STOW-RS: into the drop-box, unless somebody here takes it.

A corrected segmentation that a viewer sends back is no new input of a model: whoever keeps corrections adds
a taker. Takers are asked in order; what none of them takes is input.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bedside.dicom.identify import Identified
from bedside.portal.access.need import Place
from bedside.portal.judging.taking import take_correction


class Taker(Protocol):
    """Takes some of the instances that are sent."""

    def __call__(self, place: Place, found: Identified, file: Path) -> Identified | None:
        """Keep an instance and return what it is kept as, or return None: it is not ours.

        Args:
            place: The tenant, and who sends.
            found: What the instance says it is; its SOP Class decides mostly.
            file: The whole file, which is gone after the call.

        Raises:
            InputRejected: It is ours, and cannot be taken; the sender is told so.
            NotPermitted: It is ours, and the sender may not do that.
            Unavailable: It cannot be kept just now.
        """
        ...


#: Asked in this order.
TAKERS: Sequence[Taker] = (take_correction,)


def taken(place: Place, found: Identified, file: Path) -> Identified | None:
    """Return what an instance is kept as where somebody took it, else None."""
    return next((kept for taker in TAKERS if (kept := taker(place, found, file))), None)
