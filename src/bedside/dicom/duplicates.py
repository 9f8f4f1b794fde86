"""Instances that came more than once: one is kept where they agree, the series is refused where not.

Owns what "the same instance" means: equal UID, equal place and equal decoded pixels, whatever the
transfer syntax. Two contents under one UID have no right answer, so no guess is made.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from bedside.dicom.header import InstanceHeader
from bedside.dicom.pixels import stored_frames
from bedside.errors import InputRejected


def without_duplicates(
    headers: Iterable[InstanceHeader],
) -> tuple[list[InstanceHeader], list[InstanceHeader], str]:
    """Keep one instance per SOP Instance UID.

    Returns:
        Kept instances, repeated ones, and why the series cannot be read, or ``""``.
    """
    by_uid: dict[str, list[InstanceHeader]] = defaultdict(list)
    for header in headers:
        by_uid[header.sop_instance_uid].append(header)
    kept: list[InstanceHeader] = []
    repeated: list[InstanceHeader] = []
    problem = ""
    for uid, same in by_uid.items():
        # A whole copy beside a broken one is the better of two, not a conflict.
        whole = [header for header in same if not header.problem] or same
        first = whole[0]
        kept.append(first)
        repeated.extend(header for header in same if header is not first)
        differing = sum(not _agree(first, other) for other in whole[1:])
        if differing and not problem:
            problem = f"instance {uid} came {len(same)} times, {differing} with other content"
    return kept, repeated, problem


def _agree(one: InstanceHeader, other: InstanceHeader) -> bool:
    fields = (
        "study_uid",
        "position",
        "orientation",
        "spacing",
        "rows",
        "columns",
        "frames",
        "slope",
        "intercept",
    )
    if any(getattr(one, name) != getattr(other, name) for name in fields):
        return False
    if one.problem or other.problem:
        return one.path.read_bytes() == other.path.read_bytes()
    try:
        pairs = zip(stored_frames(one), stored_frames(other), strict=True)
        return all(np.array_equal(a, b) for a, b in pairs)
    except InputRejected:
        return False
