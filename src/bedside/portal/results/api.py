"""Results for scripts: the list, one of them, its files, and all of them as a ZIP."""

from typing import Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from bedside.portal.access.trail import note
from bedside.portal.results import files
from bedside.portal.results.found import JobId, Reading, find
from bedside.portal.results.shapes import ResultDetail, ResultItem, ResultList, item_of
from bedside.portal.results.versions import shown_to_people, versions_of

router = APIRouter(prefix="/api/v1/tenants/{tenant}/results", tags=["results"])

_ID = r"^[A-Za-z0-9._-]*$"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file, of whatever type it is.", "content": {"*/*": {}}},
    206: {"description": "The range that was asked for.", "content": {"*/*": {}}},
    304: {"description": "What If-None-Match names still holds."},
}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}


@router.get("")
def list_results(
    place: Reading,
    study: str = Query("", max_length=64, pattern=_ID, description="Only of this Study Instance UID."),
    arrival: str = Query("", max_length=64, pattern=_ID, description="Only of this version of a study."),
    superseded: bool = Query(False, description="With those that a later version replaced."),
    shadows: bool = Query(False, description="Those of releases on trial instead of those delivered."),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=2**31),
) -> ResultList:
    """List results, newest first."""
    ledger = place.here.deployment.ledger
    if arrival:  # one study's results are few
        subject = ledger.arrival(place.tenant, arrival).subject
        every = ledger.results(place.tenant, subject=subject, current_only=not superseded, shadows=shadows)
        found = [one for one in every if one.arrival_id == arrival and study in {"", subject}][offset:]
    else:
        found = list(
            ledger.results(
                place.tenant,
                subject=study,
                current_only=not superseded,
                shadows=shadows,
                limit=limit + 1,
                offset=offset,
            )
        )
    return ResultList(
        results=[
            ResultItem(
                job_id=result.job_id,
                arrival_id=result.arrival_id,
                created_at=result.created_at,
                superseded_by=result.superseded_by,
                summary=dict(result.summary),
            )
            for result in found[:limit]
        ],
        more=len(found) > limit,
    )


@router.get("/{job_id}")
def show(place: Reading, job_id: JobId) -> ResultDetail:
    """Return one result with its document and files."""
    found = find(place, job_id)
    note(place.here, place.caller, "result.viewed", tenant=place.tenant, object=job_id)
    return item_of(found, shown_to_people(place, found, ""))


@router.get("/{job_id}/archive.zip", response_class=Response, responses=_ZIP)
def archive(place: Reading, job_id: JobId) -> Response:
    """Return all files of a result and all corrections of it as one ZIP, made while it is sent."""
    found = find(place, job_id)
    note(
        place.here,
        place.caller,
        "result.downloaded",
        tenant=place.tenant,
        object=job_id,
        detail={"file": "archive.zip"},
    )
    return files.archive(place.store, found, versions_of(place, found).corrections)


@router.get("/{job_id}/files/{path:path}", response_class=Response, responses=_FILE)
def file(request: Request, place: Reading, job_id: JobId, path: str) -> Response:
    """Return one file of a result; ranges and conditional requests are answered."""
    found = find(place, job_id)
    listed = files.listed(found, place.store, path)
    given = files.answer(request, place.store, found, listed)
    if given.status_code in {200, 206}:
        note(
            place.here,
            place.caller,
            "result.downloaded",
            tenant=place.tenant,
            object=job_id,
            detail={"file": files.plain_name(listed)},
        )
    return given


@router.head("/{job_id}/files/{path:path}", include_in_schema=False)
def about_file(request: Request, place: Reading, job_id: JobId, path: str) -> Response:
    """Say how long a file is and how it is marked, without its bytes."""
    found = find(place, job_id)
    return files.answer(request, place.store, found, files.listed(found, place.store, path))
