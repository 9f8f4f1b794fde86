"""WADO-RS bulk data: one long value of an instance, whole or in ranges. See PS3.18 10.4, 8.6.1."""

import re
from collections.abc import Iterator
from itertools import chain

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedside.dicom.bulk import value_bytes
from bedside.domain.catalogue import Bulk, Instance
from bedside.errors import NotFound
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import EXPLICIT_LITTLE, OCTETS, UNCOMPRESSED, refuse, wanted
from bedside.portal.dicomweb.cached import PRIVATE, tag_of, unchanged
from bedside.portal.dicomweb.described import BulkPath, SeriesUid, SopInstanceUid, StudyUid
from bedside.portal.dicomweb.desk import Desk, desk_of
from bedside.portal.dicomweb.frames import frames_of
from bedside.portal.dicomweb.multipart import Multipart
from bedside.portal.dicomweb.need import reading

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # nothing here is so long
_PIXELS = "7FE00010"
#: A long value is read and sent in pieces.
_PIECE_BYTES = 4 * 2**20

router = APIRouter(prefix="/dicomweb/{tenant}/studies")


@router.get(
    "/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}/bulkdata/{path:path}",
    **described.bulk_data("RetrieveBulkData", "Retrieve bulk data"),
)
async def bulk_data(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    path: BulkPath,
    place: Place = Depends(reading()),
) -> Response:
    """Return one value, by the address that the metadata names."""

    def make() -> Response:
        desk = desk_of(request)
        instance, layout = desk.instance(place.tenant, study_uid, series_uid, sop_instance_uid)
        desk.seen(place, study_uid)
        bulk = layout.bulk.get(path)
        if bulk is None:
            raise NotFound("no such bulk data in this instance")
        if path == _PIXELS and instance.transfer_syntax_uid not in UNCOMPRESSED:
            if layout.problem:
                raise NotFound(f"frames of this instance cannot be given: {layout.problem}")
            return frames_of(request, desk, instance, layout, range(layout.count))
        return _answer(request, desk, instance, path, bulk)

    return await run_in_threadpool(make)


def _answer(request: Request, desk: Desk, instance: Instance, path: str, bulk: Bulk) -> Response:
    multipart = _is_multipart(request)
    tag = tag_of(instance.key, path, multipart)
    known = unchanged(request, tag)
    if known is not None:
        return known
    made = b"" if bulk.extent else desk.apart(instance, value_bytes, path)
    size = bulk.extent.length if bulk.extent else len(made)
    first, last = _range(request, size)
    length = last - first + 1
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept", "Accept-Ranges": "bytes"}
    headers["Content-Type"] = OCTETS
    status = 200
    if length < size:
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    before = after = b""
    if multipart:
        several = Multipart(media_type=OCTETS)
        headers["Content-Type"] = several.content_type
        before = several.head(f"{OCTETS}; transfer-syntax={EXPLICIT_LITTLE}", length)
        after = several.tail + several.end
    if bulk.extent is None:
        return Response(before + made[first : last + 1] + after, status, headers=headers)
    pieces = _pieces(desk, instance, bulk.extent.offset + first, length)
    if length <= _PIECE_BYTES:
        return Response(before + b"".join(pieces) + after, status, headers=headers)
    headers["Content-Length"] = str(len(before) + length + len(after))
    return StreamingResponse(chain([before], pieces, [after]), status, headers=headers)


def _pieces(desk: Desk, instance: Instance, offset: int, length: int) -> Iterator[bytes]:
    for start in range(0, length, _PIECE_BYTES):
        yield desk.some(instance, offset + start, min(_PIECE_BYTES, length - start))


def _is_multipart(request: Request) -> bool:
    """Return whether the value is to be a part of a multipart answer.

    Raises:
        HTTPException: 406, octets are not welcome.
    """
    for one in wanted(request):
        if one.means(OCTETS) and one.transfer_syntax in ("", "*", EXPLICIT_LITTLE):
            return one.multipart is True
    raise refuse(OCTETS, f'multipart/related; type="{OCTETS}"')


def _range(request: Request, size: int) -> tuple[int, int]:
    """Return the first and the last byte that is asked for; a range that is none means all. See RFC 9110 14.

    Raises:
        HTTPException: 416, it lies outside.
    """
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not found or found.groups() == ("", ""):
        return 0, size - 1
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start > end or start >= size:
        raise HTTPException(416, "range outside of the value", headers={"Content-Range": f"bytes */{size}"})
    return start, end
