"""Content items of a structured report, one function per value type (PS3.3 C.17.3).

Owns their encoding only: which items a report has is `bedside.dicom.sr`'s. Written by hand because
a report is a few dozen items, and importing a library for them costs a worker's start more than
writing them.
"""

import math
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from bedside.dicom.derived import Reference, code_item
from bedside.domain.volume import Code

CONTAINS = "CONTAINS"
CONTEXT = "HAS OBS CONTEXT"
MODIFIER = "HAS CONCEPT MOD"

_NOT_A_NUMBER = Code(value="114000", scheme="DCM", meaning="Not a number")


def _item(relation: str, value_type: str, name: Code, children: Sequence[Dataset] = ()) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [code_item(name)]
    if children:
        item.ContentSequence = list(children)
    return item


def container(relation: str, name: Code, children: Sequence[Dataset], *, template: str = "") -> Dataset:
    """Return a CONTAINER; ``relation`` is empty for the root, ``template`` names a TID of PS3.16."""
    item = _item(relation, "CONTAINER", name, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        used = Dataset()
        used.MappingResource = "DCMR"
        used.TemplateIdentifier = template
        item.ContentTemplateSequence = [used]
    return item


def code(relation: str, name: Code, value: Code, children: Sequence[Dataset] = ()) -> Dataset:
    """Return a CODE item."""
    item = _item(relation, "CODE", name, children)
    item.ConceptCodeSequence = [code_item(value)]
    return item


def text(relation: str, name: Code, value: str) -> Dataset:
    """Return a TEXT item."""
    item = _item(relation, "TEXT", name)
    item.TextValue = value
    return item


def uid(relation: str, name: Code, value: str) -> Dataset:
    """Return a UIDREF item."""
    item = _item(relation, "UIDREF", name)
    item.UID = value
    return item


def number(name: Code, value: float, unit: Code, children: Sequence[Dataset] = ()) -> Dataset:
    """Return a NUM item; a value that is not finite is sent as absent, with the reason (C.18.1)."""
    item = _item(CONTAINS, "NUM", name, children)
    if not math.isfinite(value):
        item.MeasuredValueSequence = []
        item.NumericValueQualifierCodeSequence = [code_item(_NOT_A_NUMBER)]
        return item
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [code_item(unit)]
    measured.FloatingPointValue = float(value)
    measured.NumericValue = DSfloat(float(value), auto_format=True)
    item.MeasuredValueSequence = [measured]
    return item


def image(name: Code, reference: Reference) -> Dataset:
    """Return an IMAGE item."""
    item = _item(CONTAINS, "IMAGE", name)
    item.ReferencedSOPSequence = [reference.item()]
    return item
