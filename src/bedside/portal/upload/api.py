"""Uploads for scripts, and for the page's own: begin, send parts in any order, complete, follow, cancel."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from bedside.domain.person import Right
from bedside.domain.upload import PART_BYTES, Upload
from bedside.errors import BedsideError, ErrorCode, Incomplete, InputRejected, NotPermitted, told
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.upload import receiving
from bedside.portal.upload.shapes import (
    MissingParts,
    PartTarget,
    PartThere,
    PartWish,
    UploadList,
    UploadOpened,
    UploadShown,
    UploadWish,
    opened,
    shown,
)
from bedside.uploads.desk import UploadDesk
from bedside.uploads.limits import Wish
from bedside.uploads.outcome import outcome_of

router = APIRouter(prefix="/api/v1/tenants/{tenant}/uploads", tags=["uploads"])

Sender = Annotated[Place, Depends(within(Right.SEND))]
UploadId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Of the upload.")]
Number = Annotated[int, Path(ge=1, le=10_000, description="Of the part, from 1.")]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": receiving.DIGEST,
            "in": "header",
            "required": True,
            "schema": {"type": "string"},
            "description": "sha-256=:BASE64: (RFC 9530)",
        }
    ],
}
_PROBLEM: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
_MISSING: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "Parts are missing, or it was cancelled or came to its end.",
        "content": {
            "application/problem+json": {"schema": {"anyOf": [MissingParts.model_json_schema(), _PROBLEM]}}
        },
    }
}


def desk_of(place: Place) -> UploadDesk:
    """Return where uploads are handed in."""
    return place.here.deployment.uploads


def must_take(place: Place) -> None:
    """Refuse what is sent to a tenant that ended: its data is gone, and nobody would remove this.

    Raises:
        NotPermitted: It is closed.
    """
    if place.tenant not in place.here.deployment.tenants:
        raise NotPermitted(
            f"tenant {place.tenant} is closed: it takes nothing any more", told=told(ErrorCode.TENANT_CLOSED)
        )


def mine(place: Place, upload_id: str) -> Upload:
    """Return an upload of whoever asks."""
    return desk_of(place).find(place.tenant, place.caller.person.subject, upload_id)


@router.get("")
def uploads(place: Sender, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> UploadList:
    """Return your uploads in this tenant, newest first."""
    desk = desk_of(place)
    found = desk.mine(place.tenant, place.caller.person.subject, limit=limit)
    return UploadList(uploads=[shown(upload, outcome_of(desk, upload)) for upload in found])


@router.post(
    "", status_code=201, responses={200: {"model": UploadOpened, "description": "It was begun before."}}
)
def begin(place: Sender, wish: UploadWish, response: Response) -> UploadOpened:
    """Begin an upload of one ZIP, or find the open one with the same fingerprint, to go on with it."""
    must_take(place)
    desk = desk_of(place)
    desk.sweep()
    before = desk.clock.now()
    upload = desk.begin(
        place.tenant,
        place.caller.person.subject,
        Wish(
            name=wish.name,
            fingerprint=wish.fingerprint,
            files=wish.files,
            size_bytes=wish.size_bytes,
        ),
    )
    if upload.begun_at < before:
        response.status_code = HTTPStatus.OK
    else:
        detail = {"bytes": str(upload.size_bytes), "files": str(upload.files)}
        note(place.here, place.caller, "upload.began", tenant=place.tenant, object=upload.id, detail=detail)
    return _opened(desk, upload)


@router.get("/{upload_id}")
def upload(place: Sender, upload_id: UploadId) -> UploadOpened:
    """Return an upload: which parts are there, and what became of it."""
    return _opened(desk_of(place), mine(place, upload_id))


@router.post("/{upload_id}/parts/{number}")
def target(place: Sender, upload_id: UploadId, number: Number, wish: PartWish) -> PartTarget:
    """Ask where a part is to be sent: here, or directly to the deployment's bucket."""
    must_take(place)
    desk = desk_of(place)
    found = mine(place, upload_id)
    part = desk.part(found, number, wish.sha256)
    signed = desk.place(found, part)
    if signed is not None:
        return PartTarget(url=signed.url, headers=dict(signed.headers))
    path = f"/api/v1/tenants/{place.tenant}/uploads/{upload_id}/parts/{number}"
    return PartTarget(url=path, headers=receiving.digest_header(wish.sha256))


@router.put("/{upload_id}/parts/{number}", openapi_extra=_BODY, response_model=PartThere)
async def receive(request: Request, place: Sender, upload_id: UploadId, number: Number) -> Any:
    """Send a part; the same one again is fine, and one that fails its checksum is not kept."""
    desk = desk_of(place)
    body = request.stream()
    try:
        try:
            part = await run_in_threadpool(_asked, place, request, upload_id, number)
            async with contextmanager_in_threadpool(desk.receive(*part)) as sink:
                await receiving.pass_on(body, sink)
                stored = await run_in_threadpool(sink.finish)
        except BedsideError:
            await receiving.pour_away(body, PART_BYTES)
            raise
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
    return PartThere(number=stored.number, size_bytes=stored.size_bytes, sha256=stored.sha256)


@router.post("/{upload_id}/complete", response_model=UploadShown, responses=_MISSING)
def complete(place: Sender, upload_id: UploadId) -> Any:
    """Put an upload into the drop-box, once all its parts are there; saying it twice does it once."""
    must_take(place)
    desk = desk_of(place)
    found = mine(place, upload_id)
    try:
        done = desk.complete(found)
    except Incomplete as lacks:
        problem = MissingParts(
            title=HTTPStatus.CONFLICT.phrase,
            status=HTTPStatus.CONFLICT,
            detail=lacks.message,
            hint=lacks.hint,
            missing=list(lacks.missing),
        )
        return JSONResponse(
            problem.model_dump(), status_code=HTTPStatus.CONFLICT, media_type="application/problem+json"
        )
    if done.state is not found.state:
        note(place.here, place.caller, "upload.completed", tenant=place.tenant, object=done.id)
    return shown(done, outcome_of(desk, done))


@router.delete("/{upload_id}", status_code=204)
def cancel(place: Sender, upload_id: UploadId) -> None:
    """Give an upload up, and remove its parts."""
    found = mine(place, upload_id)
    note(place.here, place.caller, "upload.cancelled", tenant=place.tenant, object=found.id)
    desk_of(place).cancel(found)


def _asked(place: Place, request: Request, upload_id: str, number: int) -> tuple[Upload, Any]:
    """Return the upload and the part that a request brings."""
    must_take(place)
    sha256 = receiving.told_digest(request.headers)
    found = mine(place, upload_id)
    part = desk_of(place).part(found, number, sha256)
    length = request.headers.get("content-length")
    if length is not None and int(length) != part.size_bytes:
        raise InputRejected(
            f"part {number}: {length} bytes are said to come, it has {part.size_bytes}",
            told=told(ErrorCode.PART_DAMAGED),
        )
    return found, part


def _opened(desk: UploadDesk, upload: Upload) -> UploadOpened:
    return opened(upload, outcome_of(desk, upload), list(desk.parts(upload)))
