"""The panel beside a result, and the page of all judgements with the quality of each release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.job import Job
from bedside.domain.judgement import (
    COUNTING,
    LONGEST_COMMENT,
    Judgement,
    Quality,
    RejectionReason,
    Verdict,
    quality,
)
from bedside.domain.person import Right
from bedside.domain.release import Role
from bedside.errors import ErrorCode, UsageError, told
from bedside.judging.judge import Said
from bedside.portal.access.need import Place
from bedside.portal.judging.judged import Counting, Judging, judge, names
from bedside.ports.judgements import JudgementFilter

router = APIRouter(include_in_schema=False)

#: Judgements on one page.
PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What stands beside a result.

    Attributes:
        judgements: What was said, newest first.
        standing: The one that counts, or None.
        reviewers: How people are called, by their number.
        may_judge: Whether the caller may say something.
        reasons: Of a rejection, in order.
        longest: Characters of a comment.
    """

    judgements: Sequence[Judgement]
    standing: Judgement | None
    reviewers: Mapping[str, str]
    may_judge: bool
    reasons: Sequence[RejectionReason] = tuple(RejectionReason)
    longest: int = LONGEST_COMMENT


def panel_of(place: Place, job: Job) -> Panel | None:
    """Return the panel of a result, or None for a shadow's, which is delivered to nobody."""
    if job.role is Role.SHADOW:
        return None
    found = place.here.deployment.records.judgements.find(
        place.tenant, JudgementFilter(job_id=job.id), limit=200
    )
    return Panel(
        judgements=found,
        standing=next((judgement for judgement in found if judgement.verdict in COUNTING), None),
        reviewers=names(place.here, found),
        may_judge=place.caller.person.may(Right.JUDGE, place.tenant),
    )


@router.post("/t/{tenant}/results/{job_id}/judgements")
def say(
    place: Judging,
    job_id: str,
    verdict: Annotated[Verdict, Form()],
    reason: Annotated[str, Form()] = "",
    comment: Annotated[str, Form(max_length=LONGEST_COMMENT)] = "",
    correction: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Take what a form says of a result, and go back to it.

    Raises:
        UsageError: See `bedside.domain.judgement.checked`.
        NotFound: There is no such correction.
    """
    try:
        chosen = RejectionReason(reason) if reason and verdict is Verdict.REJECTED else None
    except ValueError as exc:
        raise UsageError("judgement: no such reason", told=told(ErrorCode.REJECTION_REASON)) from exc
    judge(place, job_id, Said(verdict=verdict, reason=chosen, comment=comment, correction=correction))
    return RedirectResponse(f"/t/{place.tenant}/results/{job_id}#judging", status_code=303)


@router.get("/t/{tenant}/judgements")
def page(
    request: Request,
    place: Counting,
    pipeline: Annotated[str, Query(max_length=200)] = "",
    verdict: Annotated[Verdict | None, Query()] = None,
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Show the quality of each release, and, to those who may see results, what was said."""
    kept = place.here.deployment.records.judgements
    reads = place.caller.person.may(Right.READ, place.tenant)
    where = JudgementFilter(pipeline=pipeline, verdicts=frozenset({verdict} if verdict else ()))
    found = kept.find(place.tenant, where, limit=PAGE + 1, offset=(number - 1) * PAGE) if reads else ()
    figures: Sequence[Quality] = quality(kept.standing(place.tenant, JudgementFilter()))
    return place.here.pages.render(
        request,
        "judging/judgements.html",
        caller=place.caller,
        tenant=place.tenant,
        figures=figures,
        reads=reads,
        judgements=found[:PAGE],
        reviewers=names(place.here, found[:PAGE]),
        pipelines=sorted({one.pipeline for one in figures}),
        verdicts=tuple(Verdict),
        pipeline=pipeline,
        verdict=verdict,
        number=number,
        more=len(found) > PAGE,
    )
