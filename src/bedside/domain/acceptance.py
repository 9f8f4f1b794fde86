"""What a model accepts, and the reason when a series is not of that kind (no garbage masks)."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """Why a series was or was not what a model reads; numbers and values stand in the sentence beside it."""

    MODEL = "model"  # it is what the model reads
    SELECTED = "selected"  # the configured `select` chose it
    NOT_SELECTED = "not_selected"  # it chose others
    LOCALIZER = "localizer"  # it only shows where others were planned
    REFUSED = "refused"  # another modality, body part, spacing, or too few slices
    UNREADABLE = "unreadable"  # its slices make no volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The input guard of a model, from its metadata and the deployment's overrides.

    Attributes:
        modalities: Accepted Modality (0008,0060) values; empty accepts every image modality.
        body_parts: Accepted Body Part Examined (0018,0015) values, upper case; empty accepts all. A
            series that states none is accepted.
        min_slices: Fewest slices.
        spacing_mm: Least and most spacing along any axis, or None.
    """

    modalities: frozenset[str] = frozenset()
    body_parts: frozenset[str] = frozenset()
    min_slices: int = 1
    spacing_mm: tuple[float, float] | None = None

    def refusal(
        self, *, modality: str, body_part: str, slices: int, spacing_mm: tuple[float, float, float]
    ) -> str:
        """Return why a series is not accepted, with the numbers, or ``""`` where it is.

        Args:
            modality: Of the series.
            body_part: Of the series, or ``""``.
            slices: Number of slices.
            spacing_mm: (slice, row, column) spacing.
        """
        if self.modalities and modality not in self.modalities:
            accepted = ", ".join(sorted(self.modalities))
            return f"modality {_shown(modality)} is not what the model reads ({accepted})"
        if self.body_parts and body_part and body_part.upper() not in self.body_parts:
            accepted = ", ".join(sorted(self.body_parts))
            return f"body part {_shown(body_part)} is not what the model reads ({accepted})"
        if slices < self.min_slices:
            counted = "1 slice" if slices == 1 else f"{slices} slices"
            return f"{counted}, the model needs at least {self.min_slices}"
        if self.spacing_mm:
            least, most = self.spacing_mm
            for axis, value in zip(("slice", "row", "column"), spacing_mm, strict=True):
                if not least <= value <= most:
                    return (
                        f"{axis} spacing {value:.3f} mm is outside {least:g}–{most:g} mm that the model reads"
                    )
        return ""


def _shown(value: str) -> str:
    """Return a header's code as a reason may repeat it: what is no code may be anything, a name too.

    See PS3.5 6.2, VR CS.
    """
    return value if _CODE.fullmatch(value) else "(not a code)" if value else "(none)"


_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
