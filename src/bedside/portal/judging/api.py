"""Judgements for scripts: of a result, of a tenant, as figures, and as labels to train with."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from bedside.domain.judgement import Judgement, Verdict, quality
from bedside.errors import ErrorCode, InputRejected, NotFound, UsageError, told
from bedside.judging.export import labels_of, lines, table
from bedside.judging.segmentations import Segmentations
from bedside.portal.access.need import Place
from bedside.portal.access.trail import note
from bedside.portal.judging.judged import Counting, Judging, Reading, correct, judge, received, room_for
from bedside.portal.judging.shapes import (
    JudgementItem,
    JudgementList,
    JudgementWish,
    QualityFigures,
    figure_of,
    item_of,
)
from bedside.portal.results import files
from bedside.portal.results.found import JobId, find
from bedside.portal.results.versions import versions_of
from bedside.ports.judgements import JudgementFilter
from bedside.viewing.zipped import Packed, zip_of

router = APIRouter(prefix="/api/v1/tenants/{tenant}", tags=["judgements"])

_DICOM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/dicom": {}}},
    206: {"description": "The range that was asked for."},
}
_EXPORTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in ("application/x-ndjson", "text/csv", "application/zip")}}
}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}

Wanted = Annotated[str, Query(max_length=200)]


@router.get("/results/{job_id}/judgements")
def of_result(place: Reading, job_id: str) -> JudgementList:
    """List what was said of a result, newest first."""
    place.here.deployment.ledger.job(place.tenant, job_id)  # another tenant's is not found
    found = place.here.deployment.records.judgements.find(
        place.tenant, JudgementFilter(job_id=job_id), limit=1000
    )
    return JudgementList(judgements=[item_of(judgement) for judgement in found], more=False)


@router.post("/results/{job_id}/judgements", status_code=201)
def say(place: Judging, job_id: str, wish: JudgementWish) -> JudgementItem:
    """Accept a result, reject it with a reason, or remark on it."""
    return item_of(judge(place, job_id, wish.said()))


@router.post(
    "/results/{job_id}/corrections",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/dicom": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def send_correction(request: Request, place: Judging, job_id: str) -> JudgementItem:
    """Send a corrected segmentation, a BINARY DICOM SEG; it is kept beside the model's."""
    with room_for(place.here) as folder:
        path = folder / "sent.dcm"
        await received(request.stream(), path)
        if not path.stat().st_size:
            raise InputRejected(
                "correction: no bytes came",
                hint="send the DICOM file as the body",
                told=told(ErrorCode.CORRECTION_EMPTY),
            )
        return item_of(await run_in_threadpool(correct, place, job_id, path))


@router.get("/results/{job_id}/corrections/{correction}", response_class=Response, responses=_DICOM)
def corrected_file(request: Request, place: Reading, job_id: JobId, correction: str) -> Response:
    """Return a corrected segmentation; ranges and conditional requests are answered."""
    found = find(place, job_id)
    version = versions_of(place, found).find(correction)
    kept = files.corrected(place.store, found, version) if version and not version.is_model else None
    if version is None or kept is None:
        raise NotFound("no such correction of this result", told=told(ErrorCode.CORRECTION_MISSING))
    given = files.answer(request, place.store, found, kept, name=files.corrected_name(version))
    if given.status_code in {200, 206}:
        note(
            place.here,
            place.caller,
            "result.downloaded",
            tenant=place.tenant,
            object=job_id,
            detail={"correction": correction},
        )
    return given


@router.get("/judgements")
def list_judgements(
    place: Reading,
    pipeline: Wanted = "",
    release: Wanted = "",
    verdict: Annotated[list[Verdict] | None, Query()] = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> JudgementList:
    """List everything that was said, newest first."""
    where = _where(pipeline, release, verdict, since, until)
    found = place.here.deployment.records.judgements.find(place.tenant, where, limit=limit + 1, offset=offset)
    return JudgementList(judgements=[item_of(each) for each in found[:limit]], more=len(found) > limit)


@router.get("/judgements/export", response_class=StreamingResponse, responses=_EXPORTS)
def export(
    place: Reading,
    format: Literal["jsonl", "csv", "zip"] = "jsonl",  # noqa: A002 - in the address
    pipeline: Wanted = "",
    release: Wanted = "",
    verdict: Annotated[list[Verdict] | None, Query()] = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> StreamingResponse:
    """Return each result's verdict that counts: as lines, as a table, or with the label maps as a ZIP."""
    deployment = place.here.deployment
    where = _where(pipeline, release, verdict, since, until)
    found = deployment.records.judgements.standing(place.tenant, where)
    note(
        place.here,
        place.caller,
        "judgements.exported",
        tenant=place.tenant,
        detail={"format": format, "results": str(len(found))},
    )
    written: dict[str, tuple[Callable[[], Iterator[str] | Iterator[bytes]], str]] = {
        "jsonl": (lambda: lines(found, deployment.ledger), "application/x-ndjson"),
        "csv": (lambda: table(found, deployment.ledger), "text/csv; charset=utf-8"),
        "zip": (lambda: _zipped(place, found), "application/zip"),
    }
    make, kind = written[format]
    return StreamingResponse(
        make(),
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="judgements-{place.tenant}.{format}"'},
    )


@router.get("/quality")
def figures(
    place: Counting, pipeline: Wanted = "", since: datetime | None = None, until: datetime | None = None
) -> QualityFigures:
    """Count, for each release, what reviewers accepted, corrected and rejected, and by how much."""
    standing = place.here.deployment.records.judgements.standing(
        place.tenant, _where(pipeline, "", None, since, until)
    )
    return QualityFigures(releases=[figure_of(each) for each in quality(standing)])


def _where(
    pipeline: str,
    release: str,
    verdict: Sequence[Verdict] | None,
    since: datetime | None,
    until: datetime | None,
) -> JudgementFilter:
    return JudgementFilter(
        pipeline=pipeline,
        release=release,
        verdicts=frozenset(verdict or ()),
        since=_aware(since),
        until=_aware(until),
    )


def _aware(at: datetime | None) -> datetime | None:
    """Return a time as UTC; one without a zone is.

    Raises:
        UsageError: There is no such time in UTC.
    """
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC) if at else None
    except OverflowError as exc:
        raise UsageError("a time is out of range", told=told(ErrorCode.DAY_WRONG)) from exc


def _zipped(place: Place, found: Sequence[Judgement]) -> Iterator[bytes]:
    """Give the labels and the lines that say what each is."""
    deployment = place.here.deployment
    store = place.store
    segmentations = Segmentations(deployment.ledger, store, deployment.scratch / "judging")
    entries = [
        Packed(key=label.key, name=label.name, size_bytes=label.size_bytes)
        for label in labels_of(found, segmentations, deployment.ledger)
    ]
    said = "".join(lines(found, deployment.ledger)).encode()
    yield from zip_of(store, entries, at=deployment.clock.now(), beside={"judgements.jsonl": said})
