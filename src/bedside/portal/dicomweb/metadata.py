"""WADO-RS metadata: all attributes of a study, a series or an instance as JSON. See PS3.18 10.4.

The JSON was made when the instance was catalogued; here the addresses of long values are put in.
"""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Depends
from isal import igzip
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.catalogue import BULK_MARK, Instance
from bedside.errors import NotFound
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import chosen_json
from bedside.portal.dicomweb.answer import address_of
from bedside.portal.dicomweb.cached import PRIVATE, tag_of, unchanged
from bedside.portal.dicomweb.described import SeriesUid, SopInstanceUid, StudyUid
from bedside.portal.dicomweb.desk import base_of, desk_of
from bedside.portal.dicomweb.need import reading

_MARK: Final = b'"BulkDataURI":"' + BULK_MARK.replace("\0", "\\u0000").encode()
#: Below this many bytes packing costs more than it saves.
_WORTH_PACKING = 1400
#: Longer answers are put together each time.
_KEPT_BYTES = 16 * 2**20

router = APIRouter(prefix="/dicomweb/{tenant}/studies")
_READ = Depends(reading())


@router.get(
    "/{study_uid}/metadata", **described.metadata("RetrieveStudyMetadata", "Retrieve metadata of a study")
)
async def of_study(request: Request, study_uid: StudyUid, place: Place = _READ) -> Response:
    """Return the attributes of all instances of a study."""
    return await _answer(request, place, study_uid)


@router.get(
    "/{study_uid}/series/{series_uid}/metadata",
    **described.metadata("RetrieveSeriesMetadata", "Retrieve metadata of a series"),
)
async def of_series(
    request: Request, study_uid: StudyUid, series_uid: SeriesUid, place: Place = _READ
) -> Response:
    """Return the attributes of all instances of a series."""
    return await _answer(request, place, study_uid, series_uid)


@router.get(
    "/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}/metadata",
    **described.metadata("RetrieveInstanceMetadata", "Retrieve metadata of an instance"),
)
async def of_instance(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    place: Place = _READ,
) -> Response:
    """Return the attributes of one instance."""
    return await _answer(request, place, study_uid, series_uid, sop_instance_uid)


async def _answer(
    request: Request,
    place: Place,
    study_uid: str,
    series_uid: str = "",
    sop_instance_uid: str = "",
) -> Response:
    media_type = chosen_json(request)
    base = base_of(request, place.tenant)
    packed = "gzip" in request.headers.get("accept-encoding", "")

    def make() -> Response:
        desk = desk_of(request)
        study = desk.study(place.tenant, study_uid)
        desk.seen(place, study_uid)
        tag = tag_of(base, study_uid, series_uid, sop_instance_uid, study.revision, packed)
        known = unchanged(request, tag)
        if known is not None:
            return known
        key = (place.tenant, tag)
        content = desk.metadata.get(key)
        if content is None:
            told = place.here.deployment.records.catalogue.metadata(
                place.tenant, study_uid, series_uid, sop_instance_uid
            )
            if not told:
                raise NotFound("no such instances in this study")
            content = put_together(told, base)
            if packed and len(content) > _WORTH_PACKING:
                content = igzip.compress(content, compresslevel=1)
            if len(content) <= _KEPT_BYTES:
                desk.metadata.put(key, content)
        headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept-Encoding"}
        if content[:2] == b"\x1f\x8b":
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type=media_type, headers=headers)

    return await run_in_threadpool(make)


def put_together(told: Sequence[tuple[Instance, bytes]], base: str) -> bytes:
    """Return the JSON of several instances, with the addresses of their long values."""
    return b"[" + b",".join(_addressed(instance, text, base) for instance, text in told) + b"]"


def _addressed(instance: Instance, text: bytes, base: str) -> bytes:
    address = f'"BulkDataURI":"{address_of(instance, base)}/bulkdata/'
    return text.replace(_MARK, address.encode())
