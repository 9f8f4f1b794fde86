"""The order in which a series lists its instances, whatever order its files came in.

Owns only that: "the first instance" must be the same one in rules, in selection and in references of
derived objects, or a re-run would write other bytes.
"""

from collections.abc import Iterable

from bedside.dicom.header import InstanceHeader


def in_order(headers: Iterable[InstanceHeader]) -> list[InstanceHeader]:
    """Return instances by position along the first one's normal, then by SOP Instance UID."""
    known = sorted(headers, key=lambda header: header.sop_instance_uid)
    reference = known[0].orientation
    if reference is None or any(header.position is None for header in known):
        return known
    (a, b, c), (d, e, f) = reference[:3], reference[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)

    def height(header: InstanceHeader) -> float:
        assert header.position is not None
        return sum(n * p for n, p in zip(normal, header.position, strict=True))

    return sorted(known, key=height)  # stable: equal heights stay in order of UID
