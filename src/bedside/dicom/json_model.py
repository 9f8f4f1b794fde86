"""From a data set to the DICOM JSON Model. See PS3.18 F.

Owns what each value becomes: numbers where they are numbers, names in their groups, short bytes inline and
long ones by address. A value that is not what its VR says is told as text instead of dropped or guessed:
the header of an old scanner must not hide a whole study.
"""

import base64
import math
from collections.abc import Callable, Iterator
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from bedside.dicom.vendor import VENDOR_ERRORS
from bedside.domain.catalogue import BULK_MARK

#: Bytes as they are. See PS3.18 F.2.7.
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_FLOATS = frozenset({"DS", "FD", "FL"})
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
#: Longer values are told by address.
INLINE_BYTES = 1024
#: Whole numbers up to here are told without a fraction.
_EXACT = 2**53
_TEXT = "latin-1"

#: Is told of each value that stands by address: path, VR, and the element (raw where it was not parsed).
Told = Callable[[str, str, Any], None]


def to_json(dataset: Dataset, told: Told, *, path: str = "") -> dict[str, dict[str, Any]]:
    """Return a data set's attributes by tag, in order of tags; group lengths are left out.

    Args:
        dataset: Without pixel data.
        told: Hears of values that are told by address.
        path: Of the data set in the instance: tags and numbers of items, with a slash after each.
    """
    found = {}
    for tag in sorted(dataset.keys()):
        if tag.element == 0:
            continue
        name = f"{int(tag):08X}"
        found[name] = _element(dataset, tag, f"{path}{name}", told)
    return found


def _element(dataset: Dataset, tag: Any, path: str, told: Told) -> dict[str, Any]:
    raw = dataset.get_item(tag)
    try:
        element = dataset[tag]
        vr, value = str(element.VR), element.value
    except VENDOR_ERRORS:
        return _as_text(raw)
    if vr == "SQ":
        items = [to_json(item, told, path=f"{path}/{n}/") for n, item in enumerate(value or ())]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    if vr in BINARY or isinstance(value, bytes):
        return _binary(vr if vr in BINARY else "UN", value, path, raw, told)
    values = [_value(vr, each) for each in _each(value)]
    if all(each is None for each in values):
        return {"vr": vr}
    if vr in {"FL", "FD"} and any(isinstance(each, str) for each in values):
        told(path, vr, raw)  # JSON has no infinity
        return {"vr": vr, "BulkDataURI": BULK_MARK + path}
    return {"vr": vr, "Value": values}


def _binary(vr: str, value: Any, path: str, raw: Any, told: Told) -> dict[str, Any]:
    data = value if isinstance(value, bytes) else b""
    if not data:
        return {"vr": vr}
    if len(data) > INLINE_BYTES:
        told(path, vr, raw)
        return {"vr": vr, "BulkDataURI": BULK_MARK + path}
    return {"vr": vr, "InlineBinary": base64.b64encode(data).decode("ascii")}


def _each(value: Any) -> Iterator[Any]:
    if isinstance(value, (MultiValue, list, tuple)):
        yield from value
    elif value is not None:
        yield value


def _value(vr: str, value: Any) -> Any:
    """Return one value as JSON has it; None for an empty one. See PS3.18 Table F.2.3-1, F.2.5."""
    if value is None or (isinstance(value, str) and not value):
        return None
    if vr == "PN":
        return _name(value)
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in _FLOATS or vr in _INTEGERS:
        return _number(vr, value)
    return str(value)


def _number(vr: str, value: Any) -> int | float | str:
    """Return a number; what is none, or none that JSON has, as text. See PS3.18 Table F.2.3-1."""
    try:
        number = int(value) if vr in _INTEGERS else float(value)
    except ValueError:
        return str(value)
    if isinstance(number, int) or not math.isfinite(number):
        return number if isinstance(number, int) else str(value)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _name(value: Any) -> dict[str, str] | None:
    groups = {
        "Alphabetic": value.alphabetic,
        "Ideographic": value.ideographic,
        "Phonetic": value.phonetic,
    }
    return {group: str(text) for group, text in groups.items() if text} or None


def _as_text(raw: Any) -> dict[str, Any]:
    """Return an element that pydicom cannot make sense of: its text, or its bytes as of unknown kind."""
    data = raw.value if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes) else b""
    vr = str(getattr(raw, "VR", None) or "UN")
    if not data:
        return {"vr": vr}
    if vr in BINARY or vr in {"SQ", "AT", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "PN"}:
        return {"vr": "UN", "InlineBinary": base64.b64encode(data[:INLINE_BYTES]).decode("ascii")}
    return {"vr": vr, "Value": [part.strip("\0 ") or None for part in data.decode(_TEXT).split("\\")]}
