"""Kinds of reasons for which a study is not used, as people can be told them.

Owns the table from the reasons that intake and models give (for engineers, with numbers) to kinds, for each
of which the portal has plain words and what to do, in every language. A reason that no line knows is of kind
`Kind.OTHER`: its own words are shown, so nothing is hidden by a table that lags behind.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Why something was not used."""

    NOT_A_ZIP = "not_a_zip"
    DAMAGED = "damaged"
    SPLIT = "split"
    ENCRYPTED = "encrypted"
    PACKING = "packing"
    NESTED = "nested"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    BOMB = "bomb"
    NAMES = "names"
    NO_DICOM = "no_dicom"
    NO_IMAGES = "no_images"
    WRONG_KIND = "wrong_kind"
    SEVERAL = "several"
    TOO_FEW = "too_few"
    SLICE_MISSING = "slice_missing"
    UNEVEN = "uneven"
    PIXELS = "pixels"
    PARTLY = "partly"  # something was left aside, and the rest was used
    OTHER = "other"


#: The first that matches counts, so the special come before the general.
_TABLE: Sequence[tuple[str, Kind]] = (
    (r"ZIP: this is none", Kind.NOT_A_ZIP),
    (r"a part of several", Kind.SPLIT),
    (r"is encrypted", Kind.ENCRYPTED),
    (r"packed (by method|in a way)", Kind.PACKING),
    (r"is itself an archive", Kind.NESTED),
    (r"\d+ entries|\d+ files, at most", Kind.TOO_MANY),
    (r"grow more than", Kind.BOMB),
    (r"unpacks to more than|entry: more than \d+ bytes|voxels, more than", Kind.TOO_LARGE),
    (r"(an empty|an absolute|the) name|name that leads|is a link|a special file", Kind.NAMES),
    (r"ZIP: .*(cut off|broken|damaged|checksum|header says|shares bytes|reaches beyond)", Kind.DAMAGED),
    (r"no DICOM instance among|not a DICOM instance|holds no files", Kind.NO_DICOM),
    (r"no series of images among", Kind.NO_IMAGES),
    (r"series fit, a model reads one", Kind.SEVERAL),
    (r"slices? missing \(", Kind.SLICE_MISSING),
    (r"the model needs at least", Kind.TOO_FEW),
    (r"gap of|off an even grid|sideways|mm apart|face another way|slices (of|with|in) ", Kind.UNEVEN),
    (r"without Spacing|Image Orientation|Pixel Spacing", Kind.UNEVEN),
    (
        r"is not what the model reads|that the model reads|a localizer|none of \d+ series fits",
        Kind.WRONG_KIND,
    ),
    (r"truncated|malformed|cannot be (decoded|read)|decoder crashed|codestream|fragments?", Kind.PIXELS),
    (r"offset table|items in encapsulated|Rescale Slope|functional groups|deflated", Kind.PIXELS),
)
_PARTLY = re.compile(r"\d+ of \d+ files left aside")
_COMPILED = tuple((re.compile(pattern), kind) for pattern, kind in _TABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason, with its kind.

    Attributes:
        kind: Of it.
        detail: In the words of intake or of the model; numbers and UIDs, no names.
    """

    kind: Kind
    detail: str


def reason_of(detail: str) -> Reason | None:
    """Return what kind of reason some words are, or None for none."""
    if not detail:
        return None
    if _PARTLY.match(detail):
        return Reason(kind=Kind.PARTLY, detail=detail)
    kind = next((kind for pattern, kind in _COMPILED if pattern.search(detail)), Kind.OTHER)
    return Reason(kind=kind, detail=detail)
