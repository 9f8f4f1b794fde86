"""STOW-RS: instances into the tenant's drop-box, durable before "stored" is said. See PS3.18 10.5.

What belongs to one study is one entry there, as with C-STORE, and is read when nothing came for
``intake.quiet_s``. Each instance has its own answer.
"""

import mmap
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bedside.dicom.identify import Identified, identify
from bedside.dicom.part10 import FileMeta, read_meta
from bedside.dicom.received import TAKEN
from bedside.domain.person import Right
from bedside.errors import BedsideError, InputRejected, NotPermitted, Unavailable, UsageError
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import DICOM, chosen_json
from bedside.portal.dicomweb.described import StudyUid
from bedside.portal.dicomweb.desk import base_of, desk_of
from bedside.portal.dicomweb.parts import Parts
from bedside.portal.dicomweb.takers import taken
from bedside.worker.instances import InstanceKeeper, Mismatched, SentInstance

#: Failure Reason (0008,1197). See PS3.18 Table I.2-2.
NO_RESOURCES = 0xA700
NOT_ITS_CLASS = 0xA900
NOT_UNDERSTOOD = 0xC000
NOT_PERMITTED = 0x0124
NO_SUCH_SYNTAX = 0xC122
FAILED = 0x0110
#: Bytes of a request that are handled at once.
_AT_ONCE_BYTES = 2**20

_UID = re.compile(r"[0-9.]{1,64}")

router = APIRouter(prefix="/dicomweb/{tenant}/studies")
_SEND = Depends(within(Right.SEND))


@dataclass(slots=True)
class Outcome:
    """What became of the instances of one request.

    Attributes:
        stored: Those that are kept.
        failed: The others, each with its Failure Reason.
        studies: UIDs of the studies that they belong to.
    """

    stored: list[Identified] = field(default_factory=list)
    failed: list[tuple[FileMeta | None, int]] = field(default_factory=list)
    studies: set[str] = field(default_factory=set)


@router.post("", **described.store("StoreInstances", "Store instances of any studies"))
async def store(request: Request, place: Place = _SEND) -> Response:
    """Store instances of any studies."""
    return await _store(request, place, "")


@router.post("/{study_uid}", **described.store("StoreStudyInstances", "Store instances of a study"))
async def store_study(request: Request, study_uid: StudyUid, place: Place = _SEND) -> Response:
    """Store instances of one study."""
    return await _store(request, place, study_uid)


async def _store(request: Request, place: Place, study_uid: str) -> Response:
    media_type = chosen_json(request)
    kind = request.headers.get("content-type", "")
    _check(kind, place)
    if study_uid and not _UID.fullmatch(study_uid):
        raise UsageError("the study in the address is no UID")
    await run_in_threadpool(
        note, place.here, place.caller, "instances.sent", tenant=place.tenant, object=study_uid
    )
    outcome = Outcome()
    deployment, folder = place.here.deployment, desk_of(request).folder
    with tempfile.TemporaryDirectory(prefix="sent-", dir=folder) as under_way:
        parts = Parts(kind, Path(under_way), deployment.settings.dicom.max_bytes)
        try:
            await _receive(request, place, parts, outcome, study_uid)
        finally:
            parts.close()
    if not parts.ended:
        raise UsageError("the request breaks off before the end of its last part")
    if not outcome.stored and not outcome.failed:
        raise UsageError("the request holds no instance")
    deployment.log(
        "stow.received", tenant=place.tenant, stored=len(outcome.stored), failed=len(outcome.failed)
    )
    content = _told(outcome, base_of(request, place.tenant))
    return JSONResponse(content, status_code=_status(outcome), media_type=media_type)


def _check(kind: str, place: Place) -> None:
    """Refuse what is not sent as DICOM files, and what is sent to a tenant that takes nothing any more."""
    words = [word.strip().lower() for word in kind.split(";")]
    of_parts = next((w.partition("=")[2].strip('"') for w in words if w.startswith("type=")), DICOM)
    if words[0] != "multipart/related" or of_parts != DICOM:
        raise HTTPException(415, f'instances are sent as multipart/related; type="{DICOM}"')
    if place.tenant not in place.here.deployment.tenants:
        raise NotPermitted(f"tenant {place.tenant} is closed: it takes nothing any more")


async def _receive(request: Request, place: Place, parts: Parts, outcome: Outcome, study_uid: str) -> None:
    deployment = place.here.deployment
    keeper = InstanceKeeper(
        blobs=deployment.blobs,
        scratch=parts.folder,
        min_free_bytes=deployment.settings.dicom.min_free_bytes,
    )

    def handle(data: bytes) -> None:
        for file, media_type in parts.feed(data):
            _keep(place, keeper, file, media_type, outcome, study_uid)

    waiting = bytearray()
    async for piece in request.stream():
        waiting += piece
        if len(waiting) >= _AT_ONCE_BYTES:
            await run_in_threadpool(handle, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(handle, bytes(waiting))


def _keep(
    place: Place, keeper: InstanceKeeper, file: Path | None, media_type: str, outcome: Outcome, study_uid: str
) -> None:
    """Keep one instance, and say in the outcome what became of it."""
    meta: FileMeta | None = None
    if file is None:
        outcome.failed.append((None, NO_RESOURCES))
        return
    try:
        if media_type not in ("", DICOM):
            raise InputRejected("a part is no DICOM file")
        meta = read_meta(file)
        found = identify(file)
        if found is None:
            raise InputRejected("no instance of a study")
        if meta.transfer_syntax_uid not in TAKEN:
            outcome.failed.append((meta, NO_SUCH_SYNTAX))
        elif study_uid and found.study_uid != study_uid:
            outcome.failed.append((meta, FAILED))
        else:
            kept = taken(place, found, file)  # its UIDs may be others than those that were sent
            if kept is None:
                _put(place, keeper, file, meta)
            outcome.stored.append(kept or found)
            outcome.studies.add(found.study_uid)
    except BedsideError as exc:
        outcome.failed.append((meta, _reason(exc)))
        place.here.deployment.log("stow.refused", tenant=place.tenant, reason=exc.message)
    finally:
        file.unlink(missing_ok=True)


def _put(place: Place, keeper: InstanceKeeper, file: Path, meta: FileMeta) -> None:
    """Put an instance into the drop-box; it is there when the call returns, new or not."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        whole = memoryview(mapped)
        data = whole[meta.data_set :]
        try:
            sent = SentInstance(
                sop_class_uid=meta.sop_class_uid,
                sop_instance_uid=meta.sop_instance_uid,
                transfer_syntax_uid=meta.transfer_syntax_uid,
                data=data,
            )
            keeper.keep(place.tenant, sent)
        finally:
            data.release()
            whole.release()


def _reason(error: BedsideError) -> int:
    kinds: tuple[tuple[type[BedsideError], int], ...] = (
        (Mismatched, NOT_ITS_CLASS),
        (InputRejected, NOT_UNDERSTOOD),
        (NotPermitted, NOT_PERMITTED),
        (Unavailable, NO_RESOURCES),
    )
    return next((reason for kind, reason in kinds if isinstance(error, kind)), FAILED)


def _status(outcome: Outcome) -> int:
    if not outcome.failed:
        return 200
    if outcome.stored:
        return 202
    return 503 if all(reason == NO_RESOURCES for _, reason in outcome.failed) else 409


def _told(outcome: Outcome, base: str) -> dict[str, Any]:
    """Return the Store Instances Response Module. See PS3.18 I.1."""
    told: dict[str, Any] = {}
    if len(outcome.studies) == 1:
        told["00081190"] = {"vr": "UR", "Value": [f"{base}/studies/{next(iter(outcome.studies))}"]}
    if outcome.failed:
        items = []
        for meta, reason in outcome.failed:
            item: dict[str, Any] = {"00081197": {"vr": "US", "Value": [reason]}}
            if meta is not None:
                item = {**_reference(meta.sop_class_uid, meta.sop_instance_uid), **item}
            items.append(item)
        told["00081198"] = {"vr": "SQ", "Value": items}
    if outcome.stored:
        told["00081199"] = {
            "vr": "SQ",
            "Value": [
                _reference(one.sop_class_uid, one.sop_instance_uid)
                | {
                    "00081190": {
                        "vr": "UR",
                        "Value": [
                            f"{base}/studies/{one.study_uid}/series/{one.series_uid}"
                            f"/instances/{one.sop_instance_uid}"
                        ],
                    }
                }
                for one in outcome.stored
            ],
        }
    return told


def _reference(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [sop_instance_uid]},
    }
