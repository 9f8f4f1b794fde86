"""DICOM attributes as the values that expressions compare, and the check of expressions against them.

Owns the way from VRs to Python values and the dictionary's word on keywords and types (PS3.6). It
refuses sequences and binary attributes: there is nothing to compare, and a silent false would read
like an answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from bedside.dicom.header import InstanceHeader, read_header
from bedside.dicom.order import in_order
from bedside.dicom.source import read_dataset
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.domain.expression import Comparison, Expression, Value
from bedside.domain.expression.tokens import nearest
from bedside.errors import ConfigError, InputRejected

_DECIMAL = frozenset(("DS", "FL", "FD"))
_WHOLE = frozenset(("IS", "SL", "SS", "SV", "UL", "US", "UV"))
_TEXT = frozenset(["AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"])
_COMPARED = _DECIMAL | _WHOLE | _TEXT
#: Not in the header of a stored instance; counted from what is there, for rules like "at least 20".
COUNTED = "NumberOfSeriesRelatedInstances"


def check_expression(expression: Expression) -> None:
    """Check an expression's keywords and literals against the DICOM dictionary.

    Raises:
        ConfigError: An unknown keyword (the nearest is named), one that holds nothing to compare, or a
            literal of another type than the attribute's VR.
    See PS3.6 chapter 6.
    """
    for comparison in expression.comparisons:
        tag = tag_for_keyword(comparison.keyword)
        if tag is None:
            known = (entry[4] for entry in DicomDictionary.values() if entry[4])
            raise ConfigError(
                f"expression: {comparison.keyword!r} is no DICOM attribute"
                f"{nearest(comparison.keyword, known)}",
                hint="bedside config check",
            )
        _check_type(comparison, dictionary_VR(tag))


def _check_type(comparison: Comparison, vr: str) -> None:
    kinds = set(vr.split(" or "))
    number, text = bool(kinds & (_DECIMAL | _WHOLE)), bool(kinds & _TEXT)
    name = f"{comparison.keyword} ({vr})"
    if not number and not text:
        raise ConfigError(f"expression: {name} holds nothing to compare", hint="bedside config check")
    if comparison.operator == "matches" and not text:
        raise ConfigError(
            f"expression: {name} is a number, 'matches' is for text", hint="bedside config check"
        )
    for literal in comparison.literals:
        wants_text = isinstance(literal, (bool, str))
        if (wants_text and not text) or (not wants_text and not number):
            has, given = ("text", "a number") if text else ("a number", "text")
            raise ConfigError(
                f"expression: {name} is {has}, {literal!r} is {given}", hint="bedside config check"
            )


def dataset_attributes(dataset: Dataset, *, instances: int) -> Mapping[str, Value]:
    """Return a header's top-level attributes by keyword; multi-valued ones as tuples.

    Args:
        dataset: Header of one instance.
        instances: Number of instances of its series, given as Number of Series Related Instances.
    """
    values: dict[str, Value] = {}
    with quiet():
        for tag in dataset.keys():  # noqa: SIM118 - iterating the data set itself would parse every element
            keyword = keyword_for_tag(tag)
            if not keyword or tag > 0x7FE00000:
                continue
            try:
                element = dataset[tag]
                value = _value(element.VR, element.value)
            except VENDOR_ERRORS:  # a malformed value is a missing one
                continue
            if value is not None:
                values[keyword] = value
    values[COUNTED] = instances
    return values


def _value(vr: str, value: object) -> "Value | None":
    several: list[Any] = list(value) if isinstance(value, (list, tuple, MultiValue)) else [value]
    convert = float if vr in _DECIMAL else int if vr in _WHOLE else _stripped if vr in _TEXT else None
    if convert is None:
        return None
    values: tuple[str | float | int, ...] = tuple(convert(v) for v in several if v not in (None, ""))
    if len(values) > 1:
        return values
    return values[0] if values and values[0] != "" else None


def _stripped(value: object) -> str:
    return str(value).strip()


def typed_attributes(given: Mapping[str, object]) -> Mapping[str, Value]:
    """Return attributes that a person wrote, as a header would give them.

    Args:
        given: By keyword: a number, a text, or several of them; in a text a backslash divides values.

    Raises:
        ConfigError: A keyword is no attribute (the nearest is named), holds nothing to compare, or its
            value is not of its type.
    See PS3.5 6.2 and 6.4.
    """
    values: dict[str, Value] = {}
    for keyword, written in given.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            known = (entry[4] for entry in DicomDictionary.values() if entry[4])
            raise ConfigError(f"{keyword!r} is no DICOM attribute{nearest(keyword, known)}")
        vr = next((kind for kind in dictionary_VR(tag).split(" or ") if kind in _COMPARED), "")
        if not vr:
            raise ConfigError(f"{keyword} ({dictionary_VR(tag)}) holds nothing to compare")
        parts = written.split("\\") if isinstance(written, str) else written
        try:
            value = _value(vr, parts)
        except (TypeError, ValueError) as exc:
            raise ConfigError(f"{keyword} ({vr}) is a number, and what is given is none") from exc
        if value is not None:
            values[keyword] = value
    return values


def series_attributes(paths: Iterable[Path]) -> Mapping[str, Mapping[str, Value]]:
    """Return the attributes of each series among some files, images or not, for rules.

    Files that are not DICOM or are broken are passed over; reading the study will say why.

    Returns:
        Series Instance UID to keyword to value, of the series' first instance.
    """
    series: dict[str, list[InstanceHeader]] = defaultdict(list)
    for path in sorted(paths):
        try:
            header = read_header(path)
        except InputRejected:
            continue
        if header is not None:
            series[header.series_uid].append(header)
    found: dict[str, Mapping[str, Value]] = {}
    for uid, headers in sorted(series.items()):
        first = in_order(headers)[0]
        try:
            dataset = read_dataset(first.path, deflated=first.deflated, end=first.pixel_offset)
        except InputRejected:
            continue
        found[uid] = dataset_attributes(dataset, instances=len({h.sop_instance_uid for h in headers}))
    return found
