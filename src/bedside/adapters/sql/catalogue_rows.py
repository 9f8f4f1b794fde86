"""From instances to rows of the catalogue and back."""

import json
from typing import Any

import zstandard
from sqlalchemy import Row as Found

from bedside.adapters.sql.types import Row
from bedside.domain.catalogue import (
    Attributes,
    Bulk,
    Catalogued,
    Extent,
    Instance,
    Layout,
    Series,
    Source,
    SourceKind,
    Study,
    text_of,
)
from bedside.domain.matching import kept
from bedside.domain.searchable import FIELDS, Level

#: Numbers beyond a column's are sorted as the last.
_LAST = 2**31 - 1
#: No metadata is longer, functional groups of many frames included.
_MAX_BYTES = 2**30


def study_row(source: Source, instance: Catalogued) -> Row:
    """Return the row of an instance's study; counts are made when all is in."""
    attributes = instance.described.study
    return {
        "tenant": source.tenant,
        "study_uid": source.study_uid,
        **_fields(Level.STUDY, attributes),
        "attributes": attributes,
        "rank": source.rank,
    }


def series_row(source: Source, instance: Catalogued) -> Row:
    """Return the row of an instance's series."""
    attributes = instance.described.series
    return {
        "tenant": source.tenant,
        "study_uid": source.study_uid,
        "series_uid": instance.described.series_uid,
        **_fields(Level.SERIES, attributes),
        "attributes": attributes,
        "number": _number(attributes, "00200011"),
        "rank": source.rank,
        "instances": 0,
    }


def instance_row(source: Source, instance: Catalogued) -> Row:
    """Return the row of an instance."""
    described = instance.described
    return {
        "tenant": source.tenant,
        "study_uid": source.study_uid,
        "series_uid": described.series_uid,
        "sop_instance_uid": described.sop_instance_uid,
        "sop_class_uid": described.sop_class_uid,
        "transfer_syntax_uid": described.transfer_syntax_uid,
        **_fields(Level.INSTANCE, described.instance),
        "attributes": described.instance,
        "number": _number(described.instance, "00200013"),
        "rank": source.rank,
        "kind": source.kind.value,
        "source_id": source.id,
        "key": instance.key,
        "size_bytes": instance.size_bytes,
        "metadata": _packed(described.metadata),
        "layout": _packed(json.dumps(_layout_json(described.layout), separators=(",", ":")).encode()),
    }


def study(row: Found[Any]) -> Study:
    """Return a study from its row."""
    values = row._mapping
    return Study(
        tenant=values["tenant"],
        study_uid=values["study_uid"],
        attributes=values["attributes"],
        modalities=tuple(values["modalities"]),
        series=values["series"],
        instances=values["instances"],
        revision=values["revision"],
    )


def series(row: Found[Any]) -> Series:
    """Return a series from its row."""
    values = row._mapping
    return Series(
        tenant=values["tenant"],
        study_uid=values["study_uid"],
        series_uid=values["series_uid"],
        attributes=values["attributes"],
        instances=values["instances"],
    )


def instance(row: Found[Any]) -> Instance:
    """Return an instance from its row."""
    values = row._mapping
    names = ("tenant", "study_uid", "series_uid", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid")
    more = ("attributes", "key", "size_bytes", "source_id")
    return Instance(
        **{name: values[name] for name in (*names, *more)},
        kind=SourceKind(values["kind"]),
    )


def unpacked(data: bytes) -> bytes:
    """Return what was compressed."""
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=_MAX_BYTES)


def layout(data: bytes) -> Layout:
    """Return a layout as it was kept."""
    value = json.loads(unpacked(data))
    return Layout(
        count=value["count"],
        frames=tuple(tuple(Extent(*some) for some in frame) for frame in value["frames"]),
        bulk={
            path: Bulk(vr=vr, extent=Extent(*where) if where else None)
            for path, (vr, where) in value["bulk"].items()
        },
        problem=value["problem"],
    )


def _layout_json(value: Layout) -> dict[str, object]:
    return {
        "count": value.count,
        "frames": [[[some.offset, some.length] for some in frame] for frame in value.frames],
        "bulk": {
            path: [bulk.vr, [bulk.extent.offset, bulk.extent.length] if bulk.extent else None]
            for path, bulk in value.bulk.items()
        },
        "problem": value.problem,
    }


def _fields(level: Level, attributes: Attributes) -> dict[str, str]:
    return {
        field.name: kept(field, attributes)
        for field in FIELDS
        if field.level is level and not field.name.endswith("_uid")
    }


def _packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def _number(attributes: Attributes, tag: str) -> int:
    text = text_of(attributes, tag)
    return max(-_LAST, min(int(text), _LAST)) if text.lstrip("-").isdecimal() else _LAST
