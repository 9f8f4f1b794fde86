"""Segments of a corrected segmentation: which of them the model knows, and what they mean (PS3.3 C.8.20.4).

Owns the matching. A segment that both know has the model's meaning and says that a person edited it; one that
only the reviewer knows says that a person drew it.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydicom.dataset import Dataset, FileDataset

from bedside.dicom.derived import code_item, long_string
from bedside.domain.identity import derived_uid
from bedside.domain.volume import Code
from bedside.errors import ErrorCode, InputRejected, told

#: Of a segment that both know: what a viewer drops or makes up.
_MEANING = (
    "SegmentLabel", "SegmentDescription", "SegmentAlgorithmName",
    "SegmentationAlgorithmIdentificationSequence",
    "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence",
    "RecommendedDisplayCIELabValue", "TrackingID", "TrackingUID",
)  # fmt: skip
#: A segment that a reviewer added and named, without any code.
_FINDING = (
    Code(value="49755003", scheme="SCT", meaning="Morphologically Altered Structure"),
    Code(value="52988006", scheme="SCT", meaning="Lesion"),
)


def give_meaning(made: FileDataset, drawn: FileDataset, before: FileDataset) -> Mapping[int, int]:
    """Give segments their meaning back; return the number of each by the one it was drawn under."""
    known = {_plain(item): item for item in before.SegmentSequence}
    by_number = {int(item.SegmentNumber): item for item in before.SegmentSequence}
    taken: set[int] = set()
    numbers: dict[int, int] = {}
    items: list[tuple[int, Dataset]] = []
    for item in drawn.SegmentSequence:
        number = int(item.SegmentNumber)
        match = known.get(_plain(item)) or (by_number.get(number) if _is_unnamed(item) else None)
        if match is not None and int(match.SegmentNumber) not in taken:
            taken.add(int(match.SegmentNumber))
            numbers[number] = int(match.SegmentNumber)
            items.append((numbers[number], _matched(match)))
        else:
            numbers[number] = 0
            items.append((0, _added(item, made)))
    free = max([*by_number, 0])
    for drawn_number, (place, item) in zip(list(numbers), items, strict=True):
        if not place:
            free += 1
            numbers[drawn_number] = place = free
        item.SegmentNumber = place
    # Segment numbers count from 1 without gaps (PS3.3 C.8.20.2): what was removed leaves none.
    order = {old: new for new, old in enumerate(sorted(numbers.values()), start=1)}
    for _, item in items:
        item.SegmentNumber = order[int(item.SegmentNumber)]
    made.SegmentSequence = sorted((item for _, item in items), key=lambda item: int(item.SegmentNumber))
    return {old: order[new] for old, new in numbers.items()}


def _matched(original: Dataset) -> Dataset:
    item = Dataset()
    for keyword in _MEANING:
        if keyword in original:
            item[keyword] = deepcopy(original[keyword])
    item.SegmentAlgorithmType = "SEMIAUTOMATIC"
    return item


def _added(drawn: Dataset, made: FileDataset) -> Dataset:
    """Return a segment that the model does not know, with what an item must have."""
    item = deepcopy(drawn)
    item.SegmentLabel = long_string(str(drawn.get("SegmentLabel", "")), "added")
    item.SegmentAlgorithmType = "MANUAL"
    item.pop("SegmentAlgorithmName", None)
    for keyword, code in zip(
        ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"), _FINDING, strict=True
    ):
        if not drawn.get(keyword):
            setattr(item, keyword, [code_item(code)])
    item.TrackingID = item.SegmentLabel
    item.TrackingUID = derived_uid(str(made.SOPInstanceUID), "tracking", str(drawn.SegmentNumber))
    return item


def renumber(made: FileDataset, numbers: Mapping[int, int]) -> None:
    """Let frames name segments by their new numbers.

    Raises:
        InputRejected: A frame names none that is there.
    """
    try:
        for frame in made.PerFrameFunctionalGroupsSequence:
            named = frame.SegmentIdentificationSequence[0]
            number = numbers[int(named.ReferencedSegmentNumber)]
            named.ReferencedSegmentNumber = number
            content = frame.get("FrameContentSequence")
            if content and _first_index_is_segment(made) and content[0].get("DimensionIndexValues"):
                values: Any = content[0].DimensionIndexValues
                rest = [] if isinstance(values, int) else list(values)[1:]
                content[0].DimensionIndexValues = [number, *rest]
    except (AttributeError, IndexError, KeyError, TypeError) as exc:
        raise InputRejected(
            "correction: a frame names no segment that is there", told=told(ErrorCode.CORRECTION_KIND)
        ) from exc


def _first_index_is_segment(made: FileDataset) -> bool:
    indices = list(made.get("DimensionIndexSequence") or [])
    return bool(indices) and int(indices[0].get("DimensionIndexPointer", 0)) == 0x0062000B


def _plain(item: Dataset) -> str:
    return str(item.get("SegmentLabel", "")).strip().casefold()


def _is_unnamed(item: Dataset) -> bool:
    """Whether a viewer named it by itself."""
    name = _plain(item)
    return not name or name.startswith("segment") or name.isdecimal()
