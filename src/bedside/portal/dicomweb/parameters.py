"""The parameters of DICOMweb's requests as the API's document shows them. See PS3.18 8.3 and 10.6.

Those that match attributes are made from the catalogue's own list, so that the document names what is matched
and nothing else.
"""

from typing import Any, Final

from bedside.dicom.render import MAX_SIDE_PX
from bedside.domain.searchable import FIELDS, MODALITIES, Field, Level

_ORDER: Final = list(Level)
_DATE: Final = "[0-9]{8}"
_TIME: Final = r"[0-9]{2}([0-9]{2}([0-9]{2}(\.[0-9]{1,6})?)?)?"
_UID: Final = "[0-9.]{1,64}"
_NUMBER: Final = r"-?[0-9]{1,6}(\.[0-9]{1,6})?"


def _ranges(one: str) -> str:
    return f"^({one}|{one}-({one})?|-{one})$"


#: What a value looks like, by value representation; all others are text. See PS3.4 C.2.2.2.
_FORMS: Final = {
    "DA": (_ranges(_DATE), "a date or a range, e.g. 20260101-20260131"),
    "TM": (_ranges(_TIME), "a time or a range, e.g. 0800-0930"),
    "UI": (f"^{_UID}(,{_UID})*$", "a UID, or UIDs with commas between"),
    "IS": ("^[+-]?[0-9]{1,11}$", "a whole number"),
}
_TEXT: Final = "exactly, or with * for anything and ? for one character"
_NAME: Final = "whatever case and accents, or with * and ?"


def _query(name: str, description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


ACCEPT: Final = _query(
    "accept",
    "Media types that are welcome before those of the header Accept, in its form (PS3.18 8.3.3.1).",
    {"type": "string", "maxLength": 4096},
)
IF_NONE_MATCH: Final = _header("If-None-Match", "The ETag of an answer that is there already.")
RANGE: Final = _header(
    "Range",
    "Which bytes of the value; what is no such range is all of it.",
    pattern="^bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})$",
    examples=["bytes=0-1023"],
)


def searching(asked: Level, below: Level | None) -> list[dict[str, Any]]:
    """Return the parameters of a search.

    Args:
        asked: What is listed.
        below: What the address names; None is nothing.
    """
    first = _ORDER.index(below) + 1 if below else 0
    levels = _ORDER[first : _ORDER.index(asked) + 1]
    fields = [one for one in (*FIELDS, MODALITIES) if one.level in levels]
    return [
        *(_matching(one) for one in sorted(fields, key=lambda one: (_ORDER.index(one.level), one.tag))),
        _query(
            "attributes",
            "Any attributes more, by keyword or tag, e.g. `00100020=4711`: those above match by their tags "
            "too, others are answered without, and a Warning says so.",
            {"type": "object", "additionalProperties": {"type": "string"}},
            style="form",
            explode=True,
        ),
        _query(
            "includefield",
            "Attributes that are told besides the usual ones, by keyword or tag, or `all`.",
            {"type": "array", "items": {"type": "string"}},
            style="form",
            explode=True,
        ),
        _query("limit", "So many at most.", _number()),
        _query("offset", "After so many.", _number()),
        *(
            _query(name, "Not supported: answered without, and a Warning says so.", {"type": "boolean"})
            for name in ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
        ),
        ACCEPT,
    ]


def look() -> list[dict[str, Any]]:
    """Return the parameters of pictures. See PS3.18 8.3.5."""
    return [
        _query(
            "window",
            "CENTRE,WIDTH,FUNCTION of the grey values.",
            {
                "type": "string",
                "pattern": f"^{_NUMBER},{_NUMBER},(linear|linear-exact|sigmoid)$",
                "examples": ["40,400,linear"],
            },
        ),
        _query(
            "viewport",
            f"W,H or W,H,X,Y,W,H: how large the picture is at most, up to {MAX_SIDE_PX} pixels a side, and "
            "which region of the image it shows; negative sizes flip it.",
            {
                "type": "string",
                "pattern": f"^[0-9]{{1,4}},[0-9]{{1,4}}(,{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER})?$",
                "examples": ["256,256", "256,256,10,10,64,64"],
            },
        ),
        _query("quality", "Of a JPEG.", {"type": "integer", "minimum": 1, "maximum": 100}),
    ]


def _matching(field: Field) -> dict[str, Any]:
    pattern, words = _FORMS.get(field.vr, ("", _NAME if field.vr == "PN" else _TEXT))
    schema: dict[str, Any] = {"type": "string"}
    schema |= {"pattern": pattern} if pattern else {"maxLength": 1024}
    tags = "".join(f"({tag[:4]},{tag[4:]})" for tag in field.tag.split("."))
    return _query(field.keyword, f"Matches {tags} of the {field.level}: {words}.", schema)


def _number() -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 999_999_999}
