"""Where an instance goes that was sent by STOW-RS: into the drop-box, unless somebody here takes it.

A corrected segmentation that a viewer sends back is no new input of a model: whoever keeps corrections adds
a taker. Takers are asked in order; what none of them takes is input.
"""

from pathlib import Path
from typing import Protocol

from bedside.dicom.identify import Identified
from bedside.portal.access.need import Place


class Taker(Protocol):
    """Takes some of the instances that are sent."""

    def __call__(self, place: Place, found: Identified, file: Path) -> bool:
        """Keep an instance and return True, or return False: it is not ours.

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
TAKERS: list[Taker] = []


def taken(place: Place, found: Identified, file: Path) -> bool:
    """Return whether somebody took an instance."""
    return any(taker(place, found, file) for taker in TAKERS)
