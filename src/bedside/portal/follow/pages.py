"""The pages of following: lists of studies and jobs, one study, one job, what could not be used."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from bedside.domain.person import Right
from bedside.portal.access.need import Place, within
from bedside.portal.follow import acting
from bedside.portal.follow.asking import NOTHING, Asked, ByAddress, ByForm
from bedside.portal.follow.desk import AtDesk, Desk
from bedside.portal.follow.listing import job_page, job_story, may_act, study_page, study_story
from bedside.portal.follow.live import NAMED
from bedside.portal.follow.patients import reads
from bedside.portal.follow.shaping import entry_shape

#: So many a page; the ids of a page of studies fit into one record of the audit trail.
PAGE = 40

router = APIRouter(include_in_schema=False, prefix="/t/{tenant}")

Follower = Annotated[Place, Depends(within(Right.READ, Right.OPERATE))]
Actor = Annotated[Place, Depends(within(Right.OPERATE, Right.SEND))]
Operator = Annotated[Place, Depends(within(Right.OPERATE))]


@router.get("/studies")
def studies(request: Request, place: Follower, desk: AtDesk, asked: ByAddress) -> Response:
    """List studies."""
    return _studies(request, place, desk, asked, is_searched=False)


@router.post("/studies/search")
def search_studies(request: Request, place: Follower, desk: AtDesk, asked: ByForm) -> Response:
    """List studies by words that may be a name, and so are in no address."""
    return _studies(request, place, desk, asked, is_searched=True)


@router.get("/studies/{arrival_id}")
def study(request: Request, place: Follower, desk: AtDesk, arrival_id: str) -> Response:
    """Show one study: why it ran or did not, and what came of it."""
    number = place.here.deployment.ledger.last_event()
    found = study_story(place, desk, arrival_id)
    return _page(request, place, "study", study=found, number=number, watched=[job.id for job in found.jobs])


@router.get("/jobs")
def jobs(request: Request, place: Follower, desk: AtDesk, asked: ByAddress) -> Response:
    """List jobs."""
    return _jobs(request, place, desk, asked, is_searched=False)


@router.post("/jobs/search")
def search_jobs(request: Request, place: Follower, desk: AtDesk, asked: ByForm) -> Response:
    """List jobs by words that may be a name."""
    return _jobs(request, place, desk, asked, is_searched=True)


@router.get("/jobs/{job_id}")
def job(request: Request, place: Follower, desk: AtDesk, job_id: str, done: str = "") -> Response:
    """Show one job: where it stands, its history, and what may be done to it."""
    number = place.here.deployment.ledger.last_event()
    found = job_story(place, desk, job_id)
    said = done if done in {"retried", "cancelled", "prioritised"} else ""
    return _page(request, place, "job", job=found, number=number, watched=[job_id], done=said)


@router.post("/jobs/{job_id}/retry")
def retry(place: Actor, job_id: str) -> Response:
    """Send a job again, or run it anew; go on to what is queued."""
    return _to_job(place, acting.retry(place, job_id).id, "retried")


@router.post("/jobs/{job_id}/cancel")
def cancel(place: Actor, job_id: str) -> Response:
    """Stop a job."""
    return _to_job(place, acting.cancel(place, job_id).id, "cancelled")


@router.post("/jobs/{job_id}/priority")
def prioritise(
    place: Operator, job_id: str, priority: Annotated[int, Form(ge=-1_000_000, le=1_000_000)]
) -> Response:
    """Change a job's place in line."""
    return _to_job(place, acting.prioritise(place, job_id, priority).id, "prioritised")


@router.get("/entries")
def entries(
    request: Request,
    place: Follower,
    state: str = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """List what came into the drop-box, and why something could not be used."""
    wanted = frozenset({EntryState.REJECTED}) if state == EntryState.REJECTED else frozenset()
    ledger = place.here.deployment.ledger
    found = ledger.entries(place.tenant, states=wanted, limit=PAGE + 1, offset=offset)
    more, found = offset + PAGE if len(found) > PAGE else 0, found[:PAGE]
    names = {entry.id: _name(entry.key) for entry in found} if reads(place) else {}
    shown = [entry_shape(entry) for entry in found]
    return _page(request, place, "entries", entries=shown, names=names, state=state, offset=offset, more=more)


def _studies(request: Request, place: Place, desk: Desk, asked: Asked, *, is_searched: bool) -> Response:
    ledger = place.here.deployment.ledger
    number = ledger.last_event()
    found = study_page(place, desk, asked, limit=PAGE, is_searched=is_searched)
    is_first = not (asked.after or asked.is_narrowed)
    rejected = (
        ledger.entries(place.tenant, states=frozenset({EntryState.REJECTED}), limit=3) if is_first else []
    )
    return _page(
        request,
        place,
        "studies",
        found=found,
        asked=asked,
        number=number,
        watched=[job.id for study in found.studies for job in study.jobs],
        rejected=[entry_shape(entry) for entry in rejected],
        states=[*(state.value for state in JobState), NOTHING],
        is_searched=is_searched,
        **_choices(place),
    )


def _jobs(request: Request, place: Place, desk: Desk, asked: Asked, *, is_searched: bool) -> Response:
    number = place.here.deployment.ledger.last_event()
    found = job_page(place, desk, asked, limit=PAGE, is_searched=is_searched)
    return _page(
        request,
        place,
        "jobs",
        found=found,
        asked=asked,
        number=number,
        watched=[job.id for job in found.jobs],
        states=[state.value for state in JobState],
        is_searched=is_searched,
        **_choices(place),
    )


def _choices(place: Place) -> dict[str, Any]:
    """Return what may be chosen in the filters: what is configured, and every release seen."""
    deployment = place.here.deployment
    return {
        "pipelines": [pipeline.name for pipeline in deployment.settings.pipeline],
        "rules": [rule.name for rule in deployment.settings.rule],
        "releases": [
            (release.digest, f"{release.name} {release.version}".strip())
            for release in deployment.ledger.releases()
        ],
    }


def _page(request: Request, place: Place, name: str, **values: Any) -> Response:
    return place.here.pages.render(
        request,
        f"follow/{name}.html",
        caller=place.caller,
        tenant=place.tenant,
        base=f"/t/{place.tenant}",
        reads=reads(place),
        may_act=may_act(place),
        operates=place.caller.person.may(Right.OPERATE, place.tenant),
        sends=place.caller.person.may(Right.SEND, place.tenant),
        with_query=with_query,
        **(values | {"watched": values.get("watched", [])[:NAMED]}),
    )


def with_query(path: str, query: dict[str, str]) -> str:
    """Return an address with parameters."""
    return f"{path}?{urlencode(query)}" if query else path


def _to_job(place: Place, job_id: str, done: str) -> Response:
    return RedirectResponse(f"/t/{place.tenant}/jobs/{job_id}?done={done}", status_code=303)


def _name(key: str) -> str:
    """Return how somebody called what they sent; it may be a patient's name, for readers alone."""
    return key.removeprefix("input/")
