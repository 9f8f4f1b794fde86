"""WADO-RS instances: whole files of a study, a series or one instance. See PS3.18 10.4.

As they are stored where any transfer syntax is welcome, else in Explicit VR Little Endian, which is what a
client gets that says nothing (PS3.18 8.7.3.5.2). What cannot be decoded is left out, and 206 says so.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedside.dicom.native import can_be_native
from bedside.dicom.transcode import to_explicit_little
from bedside.domain.catalogue import Instance
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import ANY, DICOM, EXPLICIT_LITTLE, refuse, wanted
from bedside.portal.dicomweb.cached import PRIVATE, tag_of, unchanged
from bedside.portal.dicomweb.described import SeriesUid, SopInstanceUid, StudyUid
from bedside.portal.dicomweb.desk import Desk, desk_of
from bedside.portal.dicomweb.multipart import Multipart
from bedside.portal.dicomweb.need import reading

_PIECE_BYTES = 2**20
#: More than so many bytes are sent piece by piece.
_AT_ONCE_BYTES = 8 * 2**20

router = APIRouter(prefix="/dicomweb/{tenant}/studies")
_READ = Depends(reading())


@router.get("/{study_uid}", **described.instances("RetrieveStudy", "Retrieve a study"))
async def study(request: Request, study_uid: StudyUid, place: Place = _READ) -> Response:
    """Return all instances of a study."""
    return await run_in_threadpool(_several, request, place, study_uid, "")


@router.get("/{study_uid}/series/{series_uid}", **described.instances("RetrieveSeries", "Retrieve a series"))
async def series(
    request: Request, study_uid: StudyUid, series_uid: SeriesUid, place: Place = _READ
) -> Response:
    """Return all instances of a series."""
    return await run_in_threadpool(_several, request, place, study_uid, series_uid)


@router.get(
    "/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}",
    **described.instances("RetrieveInstance", "Retrieve an instance"),
)
async def instance(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    place: Place = _READ,
) -> Response:
    """Return one instance."""

    def make() -> Response:
        desk = desk_of(request)
        found, _ = desk.instance(place.tenant, study_uid, series_uid, sop_instance_uid)
        desk.seen(place, study_uid)
        return _answer(request, desk, place, [found])

    return await run_in_threadpool(make)


def _several(request: Request, place: Place, study_uid: str, series_uid: str) -> Response:
    desk = desk_of(request)
    found = desk.instances(place.tenant, study_uid, series_uid)
    desk.seen(place, study_uid)
    return _answer(request, desk, place, found)


def _answer(request: Request, desk: Desk, place: Place, found: Sequence[Instance]) -> Response:
    for one in wanted(request):
        multipart = one.multipart is not False
        if not one.means(DICOM) or (not multipart and len(found) > 1):
            continue
        if one.is_anything or one.transfer_syntax == ANY:
            given, as_stored = list(found), True
        elif one.transfer_syntax in ("", EXPLICIT_LITTLE):
            given, as_stored = [i for i in found if can_be_native(i.transfer_syntax_uid)], False
        else:
            given, as_stored = [i for i in found if i.transfer_syntax_uid == one.transfer_syntax], True
        if given:
            return _given(request, desk, place, given, as_stored, multipart, len(given) < len(found))
    stored = sorted({instance.transfer_syntax_uid for instance in found})
    raise refuse(*(f'multipart/related; type="{DICOM}"; transfer-syntax={uid}' for uid in (ANY, *stored)))


def _given(
    request: Request,
    desk: Desk,
    place: Place,
    given: Sequence[Instance],
    as_stored: bool,
    multipart: bool,
    partly: bool,
) -> Response:
    tag = tag_of([one.key for one in given], as_stored, multipart)
    known = unchanged(request, tag)
    if known is not None:
        return known
    status = 206 if partly else 200
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept"}
    if not multipart:
        headers["Content-Type"] = _content_type(given[0], as_stored)
        if as_stored:
            headers["Content-Length"] = str(given[0].size_bytes)
        if as_stored and given[0].size_bytes <= _AT_ONCE_BYTES:
            return Response(b"".join(_file(desk, place, given[0], as_stored)), status, headers=headers)
        return StreamingResponse(_begun(_file(desk, place, given[0], as_stored)), status, headers=headers)
    several = Multipart(media_type=DICOM)
    headers["Content-Type"] = several.content_type
    at_once = False
    if as_stored:
        at_once = sum(one.size_bytes for one in given) <= _AT_ONCE_BYTES
        heads = sum(len(several.head(_content_type(one, as_stored))) for one in given)
        files = sum(one.size_bytes + len(several.tail) for one in given)
        headers["Content-Length"] = str(heads + files + len(several.end))

    def parts() -> Iterator[bytes]:
        for one in given:
            yield several.head(_content_type(one, as_stored))
            yield from _file(desk, place, one, as_stored)
            yield several.tail
        yield several.end

    if at_once:
        return Response(b"".join(parts()), status, headers=headers)
    return StreamingResponse(_begun(parts()), status, headers=headers)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same pieces, the first two made already: what fails at once can still be said."""
    return chain(list(islice(pieces, 2)), pieces)


def _content_type(one: Instance, as_stored: bool) -> str:
    syntax = one.transfer_syntax_uid if as_stored else EXPLICIT_LITTLE
    return f"{DICOM}; transfer-syntax={syntax}"


def _file(desk: Desk, place: Place, one: Instance, as_stored: bool) -> Iterator[bytes]:
    if as_stored or one.transfer_syntax_uid == EXPLICIT_LITTLE:
        with place.store.open(one.key) as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
        return
    with tempfile.TemporaryDirectory(prefix="explicit-", dir=desk.folder) as folder:
        target = Path(folder) / "instance.dcm"
        desk.apart(one, to_explicit_little, target)
        with target.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                yield piece
