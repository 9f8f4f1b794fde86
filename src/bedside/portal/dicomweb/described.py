"""What the API's document says of DICOMweb: resources, parameters, media types and statuses of PS3.18.

Owns the words alone. The routes read their requests themselves, since their parameters are attributes and
their answers are parts, for which the framework has no form; tests ask each route for what is promised here.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import Path
from starlette.responses import Response

from bedside.dicom.render import FORMATS
from bedside.domain.searchable import Level
from bedside.portal.dicomweb.accept import DICOM, FRAME_TYPES, JSON, OCTETS
from bedside.portal.dicomweb.parameters import ACCEPT, IF_NONE_MATCH, RANGE, look, searching

TAG: Final = "dicomweb"

StudyUid = Annotated[str, Path(description="Study Instance UID (0020,000D).")]
SeriesUid = Annotated[str, Path(description="Series Instance UID (0020,000E).")]
SopInstanceUid = Annotated[str, Path(description="SOP Instance UID (0008,0018).")]
FrameList = Annotated[
    str, Path(description="Numbers of frames, from 1, with commas between.", examples=["1", "3,1,7"])
]
BulkPath = Annotated[
    str, Path(description="Which value, as `BulkDataURI` of the metadata names it.", examples=["7FE00010"])
]

#: The DICOM JSON Model. See PS3.18 F.2.
SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "DicomDataSet": {
        "type": "object",
        "description": "Attributes by their tags (DICOM JSON Model, PS3.18 F.2).",
        "patternProperties": {"^[0-9A-F]{8}$": {"$ref": "#/components/schemas/DicomAttribute"}},
        "additionalProperties": False,
    },
    "DicomAttribute": {
        "type": "object",
        "description": "An attribute: its value representation, and its values where it has some.",
        "required": ["vr"],
        "properties": {
            "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "Value": {"type": "array", "minItems": 1},
            "BulkDataURI": {"type": "string", "description": "Where a long value is retrieved."},
            "InlineBinary": {"type": "string", "description": "A short binary value, as Base64."},
        },
        "additionalProperties": False,
    },
}
_SET: Final = {"$ref": "#/components/schemas/DicomDataSet"}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_REFUSALS: Final[Mapping[int, str]] = {
    400: "A parameter or the Accept header is no such thing; detail says which and why.",
    401: "Nobody is signed in, or the token is expired, ended or made up.",
    403: "Whoever asks has no right to do that in this tenant, whether there is one of that name or not.",
    404: "There is no such tenant, study, series, instance, frame or value.",
    406: "In none of the forms that are accepted can it be given; detail says in which it can.",
    415: 'What was sent is not multipart/related; type="application/dicom".',
    416: "The range lies outside of the value.",
    503: "The store or the ledger is out of reach just now.",
}
_UNCHANGED: Final = {304: {"description": "What If-None-Match names still holds."}}


def search(name: str, summary: str, asked: Level, *, below: Level | None = None) -> dict[str, Any]:
    """Return what is said of a search. See PS3.18 10.6.

    Args:
        name: Of the operation.
        summary: What it does.
        asked: What is listed.
        below: What the address names; None is nothing.
    """
    found: dict[int, dict[str, Any]] = {
        200: {
            "description": "What matches, newest study first. A Warning (299) says what of the query was not "
            "performed, and that there is more.",
            "content": _json({"type": "array", "items": _SET}),
            "headers": {"Warning": {"schema": {"type": "string"}}},
        },
        204: {"description": "Nothing matches."},
    }
    return _route(name, summary, found | _refused(400, 404, 406), searching(asked, below))


def metadata(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of metadata. See PS3.18 10.4.1.1.2."""
    found = {
        200: {
            "description": "All attributes of each instance; values of more than 1,024 bytes by BulkDataURI.",
            "content": _json({"type": "array", "items": _SET}),
        }
    }
    return _route(name, summary, found | _UNCHANGED | _refused(400, 404, 406), [ACCEPT, IF_NONE_MATCH])


def instances(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of whole instances. See PS3.18 10.4.1.1.1."""
    content = {**_parts(DICOM), DICOM: {}}
    found = {
        200: {
            "description": "DICOM files (PS3.10), each a part; of one instance the file itself where that is "
            "accepted. As they are stored with transfer-syntax=*, else in Explicit VR Little Endian.",
            "content": content,
        },
        206: {
            "description": "Without those that cannot be given in the accepted transfer syntax.",
            "content": content,
        },
    }
    return _route(name, summary, found | _UNCHANGED | _refused(400, 404, 406), [ACCEPT, IF_NONE_MATCH])


def frames(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of frames. See PS3.18 10.4.1.1.6 and Table 8.7.3-5."""
    types = [OCTETS, *dict.fromkeys(FRAME_TYPES.values())]
    found = {
        200: {
            "description": "Frames in the order that was asked for, each a part; one frame itself where that "
            "is accepted. As they are stored with transfer-syntax=*, else in Explicit VR Little Endian.",
            "content": _parts(*types) | {each: {} for each in types},
        }
    }
    return _route(name, summary, found | _UNCHANGED | _refused(400, 404, 406), [ACCEPT, IF_NONE_MATCH])


def bulk_data(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of bulk data. See PS3.18 10.4.1.1.5."""
    types = [OCTETS, *dict.fromkeys(FRAME_TYPES.values())]
    content = {OCTETS: {}, **_parts(*types)} | {each: {} for each in types}
    found = {
        200: {
            "description": "The value; compressed pixels as frames are.",
            "content": content,
        },
        206: {
            "description": "The range of it that was asked for.",
            "content": {OCTETS: {}, **_parts(OCTETS)},
            "headers": {"Content-Range": {"schema": {"type": "string"}}},
        },
    }
    refused = _refused(400, 404, 406, 416)
    return _route(name, summary, found | _UNCHANGED | refused, [ACCEPT, IF_NONE_MATCH, RANGE])


def picture(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of rendered instances and thumbnails. See PS3.18 10.4.1.1.3."""
    found = {200: {"description": "A picture of 8 bits.", "content": {each: {} for each in FORMATS}}}
    refused = _refused(400, 404, 406)
    return _route(name, summary, found | _UNCHANGED | refused, [*look(), ACCEPT, IF_NONE_MATCH])


def store(name: str, summary: str) -> dict[str, Any]:
    """Return what is said of storing. See PS3.18 10.5 and I.1."""
    said = _json(_SET)
    found: dict[int, dict[str, Any]] = {
        200: {"description": "All instances are stored.", "content": said},
        202: {
            "description": "Some are stored; FailedSOPSequence (0008,1198) says why the others are not.",
            "content": said,
        },
    }
    refused = _refused(404, 406, 415)
    refused[400] = {
        "description": "It holds no instance, breaks off, has no boundary, or names no study by its UID.",
        "content": _PROBLEM,
    }
    none: dict[int, dict[str, Any]] = {
        409: {
            "description": "None is stored; FailedSOPSequence (0008,1198) says why.",
            "content": said,
        },
        503: {
            "description": "None is stored for lack of disk, or the store is out of reach; send again later.",
            "content": {**said, **_PROBLEM},
        },
    }
    made = _route(name, summary, found | refused | none, [ACCEPT])
    made["openapi_extra"]["requestBody"] = {
        "required": True,
        "description": "DICOM files (PS3.10), each a part.",
        "content": {f'multipart/related; type="{DICOM}"': {"schema": {"type": "string", "format": "binary"}}},
    }
    return made


def _route(
    name: str, summary: str, responses: Mapping[int, dict[str, Any]], parameters: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the arguments of a route."""
    return {
        "operation_id": name,
        "summary": summary,
        "tags": [TAG],
        "response_class": Response,
        "response_description": responses[200]["description"],
        "responses": dict(sorted(responses.items())),
        "openapi_extra": {"parameters": [*parameters]},
    }


def _refused(*statuses: int) -> dict[int, dict[str, Any]]:
    """Return why a request is refused; by all the same: nobody, without a right, out of reach."""
    return {
        status: {"description": _REFUSALS[status], "content": _PROBLEM}
        for status in {*statuses, 401, 403, 503}
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type in (JSON, "application/json")}


def _parts(*media_types: str) -> dict[str, Any]:
    return {f'multipart/related; type="{media_type}"': {} for media_type in media_types}
