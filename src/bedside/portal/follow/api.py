"""Studies, jobs and decisions for scripts, and what may be done to jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from bedside.domain.person import Right
from bedside.portal.access.need import Place, within
from bedside.portal.follow import acting
from bedside.portal.follow.asking import Asked, ByAddress
from bedside.portal.follow.desk import AtDesk
from bedside.portal.follow.listing import job_page, job_story, study_page, study_story
from bedside.portal.follow.shapes import (
    DecisionShape,
    EntryShape,
    EventShape,
    JobPage,
    JobShape,
    JobStory,
    StudyPage,
    StudyStoryShape,
)
from bedside.portal.follow.shaping import decision_shape, entry_shape, event_shape

router = APIRouter(prefix="/api/v1/tenants/{tenant}", tags=["following"])

Follower = Annotated[Place, Depends(within(Right.READ, Right.OPERATE))]
Actor = Annotated[Place, Depends(within(Right.OPERATE, Right.SEND))]
Operator = Annotated[Place, Depends(within(Right.OPERATE))]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class Search(BaseModel):
    """What studies or jobs are looked for; empty means any. In a body, since words may be a name."""

    text: str = Field(
        "",
        max_length=200,
        description="Begins an id or UID; or accession number, patient's id or name.",
    )
    state: str = Field("", max_length=20)
    pipeline: str = Field("", max_length=200)
    release: str = Field("", max_length=200)
    rule: str = Field("", max_length=200)
    role: str = Field("", max_length=20)
    since: str = Field("", max_length=10, description="First day, YYYY-MM-DD, UTC.")
    until: str = Field("", max_length=10, description="Last day, YYYY-MM-DD, UTC.")
    after: str = Field("", max_length=200, description="Go on after: `next` of the page before.")
    limit: int = Field(40, ge=1, le=200)

    def asked(self) -> Asked:
        """Return it as pages ask it."""
        return Asked(**self.model_dump(exclude={"limit"}))


class Priority(BaseModel):
    """A place in line."""

    priority: int = Field(ge=-1_000_000, le=1_000_000, description="Higher runs first; 0 is usual.")


@router.get("/studies")
def studies(place: Follower, desk: AtDesk, asked: ByAddress, limit: Limit = 40) -> StudyPage:
    """List studies, last received first: the newest version of each, with its jobs."""
    return study_page(place, desk, asked, limit=limit)


@router.post("/studies/search")
def search_studies(place: Follower, desk: AtDesk, search: Search) -> StudyPage:
    """List studies, by words that may be an accession number or a patient's id or name, for who may read."""
    return study_page(place, desk, search.asked(), limit=search.limit, is_searched=True)


@router.get("/studies/{arrival_id}")
def study(place: Follower, desk: AtDesk, arrival_id: str) -> StudyStoryShape:
    """Say what is known of a version of a study: what brought it, every rule's decision, jobs and results."""
    return study_story(place, desk, arrival_id)


@router.get("/studies/{arrival_id}/decisions")
def decisions(place: Follower, arrival_id: str) -> list[DecisionShape]:
    """Say why each rule did or did not start its pipeline, with the values that made it."""
    ledger = place.here.deployment.ledger
    ledger.arrival(place.tenant, arrival_id)
    return [decision_shape(decision) for decision in ledger.decisions(place.tenant, arrival_id)]


@router.get("/entries")
def entries(
    place: Follower, state: EntryState | None = None, limit: Limit = 40, offset: Offset = 0
) -> list[EntryShape]:
    """List what came into the drop-box, newest first, and why something could not be used."""
    states = frozenset({state} if state else ())
    found = place.here.deployment.ledger.entries(place.tenant, states=states, limit=limit, offset=offset)
    return [entry_shape(entry) for entry in found]


@router.get("/jobs")
def jobs(place: Follower, desk: AtDesk, asked: ByAddress, limit: Limit = 40) -> JobPage:
    """List jobs, newest first, with how many are in each state."""
    return job_page(place, desk, asked, limit=limit)


@router.post("/jobs/search")
def search_jobs(place: Follower, desk: AtDesk, search: Search) -> JobPage:
    """List jobs, by words as for studies."""
    return job_page(place, desk, search.asked(), limit=search.limit, is_searched=True)


@router.get("/jobs/counts")
def counts(place: Follower, asked: ByAddress) -> dict[JobState, int]:
    """Say how many jobs are in each state, of all states."""
    return dict(place.here.deployment.ledger.job_counts(place.tenant, asked.jobs()))


@router.get("/jobs/{job_id}")
def job(place: Follower, desk: AtDesk, job_id: str) -> JobStory:
    """Say how a job stands: stage, attempts, history, timings, failure with hint, releases."""
    return job_story(place, desk, job_id)


@router.get("/jobs/{job_id}/events")
def history(place: Follower, job_id: str) -> list[EventShape]:
    """List what happened to a job, oldest first."""
    ledger = place.here.deployment.ledger
    ledger.job(place.tenant, job_id)
    return [event_shape(event) for event in ledger.events(place.tenant, job_id=job_id)]


@router.post("/jobs/{job_id}/retry")
def retry(place: Actor, job_id: str) -> JobShape:
    """Send a dead or cancelled job again, or run one that ended otherwise anew; returns what waits now."""
    return acting.retry(place, job_id)


@router.post("/jobs/{job_id}/cancel")
def cancel(place: Actor, job_id: str) -> JobShape:
    """Stop a queued or running job; what it wrote so far is thrown away."""
    return acting.cancel(place, job_id)


@router.put("/jobs/{job_id}/priority")
def prioritise(place: Operator, job_id: str, wanted: Priority) -> JobShape:
    """Change the place in line of a queued job."""
    return acting.prioritise(place, job_id, wanted.priority)
