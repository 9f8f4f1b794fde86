"""Dead jobs and dead letters: by reason, and the way back, for pages and scripts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.job import Job
from bedside.errors import BedsideError, NotFound, Unavailable, UsageError
from bedside.operate.dead import MOST, Reason, Redriven, groups
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.operate.changing import dead_job, dead_of, send_again
from bedside.portal.operate.parts import Engineer, Operator, at_the_root, page, scope_of
from bedside.ports.letters import DeadLetters, Letter
from bedside.wiring.letters import open_dead_letters

router = APIRouter()

#: Jobs of a reason on the page, and letters looked at.
SHOWN = 20
LETTERS = 50


@router.get("/operate/dead", include_in_schema=False)
def dead(
    request: Request,
    here: InHere,
    caller: Operator,
    sent: int = 0,
    left: int = 0,
    back: int = -1,
    letters: bool = False,
) -> Response:
    """Show what died, by reason; of the queues' dead letters their number, and some where asked to."""
    queues = _queues(here) if at_the_root(caller) else None
    count, found, problem = -1, [], None
    if queues is not None:
        try:
            count = queues.count()
            found = list(queues.look(limit=LETTERS)) if letters else []
        except BedsideError as refused:
            problem = refused
    return _page(
        request,
        here,
        caller,
        sent=sent,
        left=left,
        back=back,
        has_queues=queues is not None,
        letter_count=count,
        letters=found,
        problem=problem,
    )


@router.post("/operate/dead/redrive", include_in_schema=False)
def redrive_page(
    request: Request,
    here: InHere,
    caller: Operator,
    tenant: Annotated[str, Form()] = "",
    job: Annotated[str, Form()] = "",
    error: Annotated[str, Form()] = "",
    pipeline: Annotated[str, Form()] = "",
    stage: Annotated[str, Form()] = "",
    release: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Send one dead job again, or all of a reason once that was confirmed."""
    try:
        if job:
            done = send_again(here, caller, [dead_job(here, caller, tenant, job)])
            return _sent(done)
        reason = Reason(error=error, pipeline=pipeline, stage=stage, release=release)
        jobs = dead_of(here, caller, reason)
        if not jobs:
            raise UsageError("no job is dead of that reason any more")
        if confirmed:
            return _sent(send_again(here, caller, jobs))
    except (UsageError, NotFound) as wrong:
        return _page(request, here, caller, problem=wrong, status=400)
    return page(request, here, caller, "confirm_redrive.html", reason=reason, jobs=jobs)


@router.post("/operate/dead/letters", include_in_schema=False)
def send_letters(
    request: Request, here: InHere, caller: Engineer, confirmed: Annotated[bool, Form()] = False
) -> Response:
    """Send the queues' dead letters back, once that was confirmed."""
    queues = _must_have_queues(here)
    if not confirmed:
        return page(request, here, caller, "confirm_letters.html", count=queues.count())
    return RedirectResponse(f"/operate/dead?back={_send_back(here, caller, queues)}", status_code=303)


class DeadShown(BaseModel):
    """A dead job."""

    tenant: str
    job: str
    error: str
    message: str
    hint: str
    pipeline: str
    stage: str
    release: str
    attempts: int
    ended_at: datetime | None


class ReasonGiven(BaseModel):
    """What jobs died of; all four say it."""

    error: str
    pipeline: str
    stage: str
    release: str = ""


class JobNamed(BaseModel):
    """One job."""

    tenant: str
    job: str


class Again(BaseModel):
    """What to send again: one job, or all of a reason."""

    job: JobNamed | None = None
    reason: ReasonGiven | None = None


class RedrivenShown(BaseModel):
    """What came of it."""

    sent: list[JobNamed]
    left: dict[str, str] = Field(description="Why others are not queued again, by job.")


class LetterShown(BaseModel):
    """A dead letter of a queue, without what it says."""

    id: str
    queue: str
    kind: str
    sent_at: datetime
    received: int
    tenants: list[str]
    job: str


class LettersShown(BaseModel):
    """The dead letters of the deployment's queues."""

    count: int = Field(description="About.")
    letters: list[LetterShown]


class SentBack(BaseModel):
    """How many letters were sent back, about."""

    sent: int


@router.get("/api/v1/operate/dead", tags=["operate"])
def dead_jobs(here: InHere, caller: Operator, limit: int = 100) -> list[DeadShown]:
    """Return dead jobs, those that died last first."""
    if not 1 <= limit <= MOST:
        raise UsageError(f"limit {limit}: between 1 and {MOST}")
    found = here.deployment.records.figures.dead(scope_of(here, caller), limit=limit)
    return [_shown(job) for job in found]


@router.post("/api/v1/operate/dead/redrive", tags=["operate"])
def redrive(here: InHere, caller: Operator, again: Again) -> RedrivenShown:
    """Send one dead job again, or all of a reason."""
    if (again.job is None) == (again.reason is None):
        raise UsageError("give either a job or a reason")
    if again.job is not None:
        jobs = [dead_job(here, caller, again.job.tenant, again.job.job)]
    else:
        assert again.reason is not None
        given = again.reason
        jobs = dead_of(
            here,
            caller,
            Reason(error=given.error, pipeline=given.pipeline, stage=given.stage, release=given.release),
        )
    done = send_again(here, caller, jobs)
    return RedrivenShown(
        sent=[JobNamed(tenant=tenant, job=job) for tenant, job in done.sent], left=dict(done.left)
    )


@router.get("/api/v1/operate/dead/letters", tags=["operate"])
def letters(here: InHere, _caller: Engineer) -> LettersShown:
    """Return some of the queues' dead letters, oldest first; they stay where they are."""
    queues = _must_have_queues(here)
    return LettersShown(count=queues.count(), letters=[_letter(one) for one in queues.look(limit=LETTERS)])


@router.post("/api/v1/operate/dead/letters/send-back", tags=["operate"])
def send_back(here: InHere, caller: Engineer) -> SentBack:
    """Send all dead letters back to the queues that they came from."""
    return SentBack(sent=_send_back(here, caller, _must_have_queues(here)))


def _page(
    request: Request,
    here: Here,
    caller: Caller,
    *,
    status: int = 200,
    problem: BedsideError | None = None,
    sent: int = 0,
    left: int = 0,
    back: int = -1,
    has_queues: bool = False,
    letter_count: int = -1,
    letters: list[Letter] | None = None,
) -> Response:
    found = here.deployment.records.figures.dead(scope_of(here, caller), limit=MOST)
    return page(
        request,
        here,
        caller,
        "dead.html",
        status=status,
        groups=groups(found),
        count=len(found),
        most=MOST,
        shown=SHOWN,
        problem=problem,
        sent=sent,
        left=left,
        back=back,
        has_queues=has_queues,
        letter_count=letter_count,
        letters=letters or [],
    )


def _sent(done: Redriven) -> Response:
    return RedirectResponse(f"/operate/dead?sent={len(done.sent)}&left={len(done.left)}", status_code=303)


def _queues(here: Here) -> DeadLetters | None:
    return open_dead_letters(here.deployment.settings)


def _must_have_queues(here: Here) -> DeadLetters:
    queues = _queues(here)
    if queues is None:
        raise NotFound("no queue is configured: queue.url is empty", hint="bedside config show")
    return queues


def _send_back(here: Here, caller: Caller, queues: DeadLetters) -> int:
    note(here, caller, "letters.sent_back")
    sent = 0

    def tell(done: int, _of: int | None) -> None:
        nonlocal sent
        sent = done

    try:
        return queues.send_back(tell)
    except Unavailable as broke:
        broke.hint = broke.hint or f"{sent} were sent back; the others are where they were"
        raise


def _shown(job: Job) -> DeadShown:
    failure = job.failure
    return DeadShown(
        tenant=job.tenant,
        job=job.id,
        error=failure.error if failure else "",
        message=failure.message if failure else "",
        hint=failure.hint if failure else "",
        pipeline=job.pipeline.name,
        stage=job.stage.name,
        release=job.stage.release,
        attempts=job.attempts,
        ended_at=job.ended_at,
    )


def _letter(letter: Letter) -> LetterShown:
    return LetterShown(
        id=letter.id,
        queue=letter.queue,
        kind=letter.kind.value,
        sent_at=letter.sent_at,
        received=letter.received,
        tenants=list(letter.tenants),
        job=letter.job,
    )
