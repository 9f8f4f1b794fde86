"""Lists and stories of studies and jobs, put together for whoever asks: the same for pages and API."""

from collections import defaultdict
from collections.abc import Sequence

from bedside.domain.arrival import ArrivalKind
from bedside.domain.job import Job
from bedside.domain.person import Right
from bedside.following.study import StudyStory, story
from bedside.portal.access.need import Place
from bedside.portal.follow.asking import Asked
from bedside.portal.follow.desk import Desk
from bedside.portal.follow.patients import (
    named,
    note_listed,
    note_viewed,
    patients,
    reads,
    series_of,
)
from bedside.portal.follow.shapes import (
    JobPage,
    JobShape,
    JobStory,
    SeriesShape,
    StudyPage,
    StudyStoryShape,
    VersionShape,
)
from bedside.portal.follow.shaping import (
    decision_shape,
    entry_shape,
    event_shape,
    job_shape,
    patient_shape,
    result_shape,
    study_shape,
    timings_of,
)
from bedside.ports import JobFilter

#: Of one study a list shows no more jobs.
JOBS_SHOWN = 20


def may_act(place: Place) -> bool:
    """Whether who asks may retry and cancel: whoever operates jobs, or sends the studies they read."""
    person = place.caller.person
    return person.may(Right.OPERATE, place.tenant) or person.may(Right.SEND, place.tenant)


def study_page(place: Place, desk: Desk, asked: Asked, *, limit: int, is_searched: bool = False) -> StudyPage:
    """Return studies, last received first.

    Args:
        place: Where, and who asks.
        desk: Says when jobs will end.
        asked: Which.
        limit: How many.
        is_searched: The words came in a body, so that they may be a patient's and are looked up.
    """
    ledger = place.here.deployment.ledger
    where = asked.studies(named(place, asked.text) if is_searched else frozenset())
    found = ledger.studies(place.tenant, where, limit=limit + 1, after=asked.after)
    shown = found[:limit]
    jobs = _jobs_of(place, desk, [one.id for one in shown])
    whose = patients(place, [one.subject for one in shown])
    note_listed(place, [one.id for one in shown if one.subject in whose])
    studies = [study_shape(one, jobs[one.id], whose.get(one.subject)) for one in shown]
    return StudyPage(studies=studies, next=shown[-1].id if len(found) > limit else None)


def job_page(place: Place, desk: Desk, asked: Asked, *, limit: int, is_searched: bool = False) -> JobPage:
    """Return jobs, newest first, and how many are in each state; see `study_page`."""
    ledger = place.here.deployment.ledger
    where = asked.jobs(named(place, asked.text) if is_searched else frozenset())
    found = ledger.jobs(place.tenant, where, limit=limit + 1, after=asked.after)
    shown = found[:limit]
    return JobPage(
        jobs=_shapes(desk, shown),
        counts=dict(ledger.job_counts(place.tenant, where)),
        next=shown[-1].id if len(found) > limit else None,
    )


def study_story(place: Place, desk: Desk, arrival_id: str) -> StudyStoryShape:
    """Return everything that is known of a version of a study, and note that it was looked at.

    Raises:
        NotFound: There is none of that id in the tenant.
    """
    found = story(place.here.deployment.ledger, place.tenant, arrival_id)
    if found.arrival.kind is ArrivalKind.DICOM:
        place.here.deployment.cataloguer.bring(place.tenant, found.arrival.subject)
    patient = patients(place, [found.arrival.subject]).get(found.arrival.subject)
    note_viewed(place, arrival_id)
    return StudyStoryShape(
        arrival_id=found.arrival.id,
        study_uid=found.arrival.subject,
        kind=found.arrival.kind.value,
        version=found.arrival.version,
        instances=len(found.arrival.files),
        size_bytes=sum(file.size_bytes for file in found.arrival.files),
        received_at=found.arrival.received_at,
        patient=patient_shape(patient),
        jobs=_shapes(desk, found.jobs),
        versions=_versions(found),
        entries=[entry_shape(entry) for entry in found.entries],
        decisions=[decision_shape(decision) for decision in found.decisions],
        results=[result_shape(result) for result in found.results.values()],
        series=_series(place, found),
    )


def job_story(place: Place, desk: Desk, job_id: str) -> JobStory:
    """Return a job with its history and its result.

    Raises:
        NotFound: There is none of that id in the tenant.
    """
    ledger = place.here.deployment.ledger
    job = ledger.job(place.tenant, job_id)
    result = ledger.result(place.tenant, job_id)
    patient = patients(place, [job.subject]).get(job.subject)
    if patient is not None:
        note_viewed(place, job.arrival_id)
    return JobStory(
        **_shapes(desk, [job])[0].model_dump(),
        events=[event_shape(event) for event in ledger.events(place.tenant, job_id=job_id)],
        result=result_shape(result) if result else None,
        timings_s=timings_of(result),
        patient=patient_shape(patient),
    )


def _jobs_of(place: Place, desk: Desk, arrival_ids: list[str]) -> dict[str, list[JobShape]]:
    """Return the jobs of each arrival, newest first."""
    by_arrival: dict[str, list[JobShape]] = defaultdict(list)
    if arrival_ids:
        where = JobFilter(arrivals=frozenset(arrival_ids))
        most = JOBS_SHOWN * len(arrival_ids)
        for shape in _shapes(desk, place.here.deployment.ledger.jobs(place.tenant, where, limit=most)):
            by_arrival[shape.arrival_id].append(shape)
    return by_arrival


def _shapes(desk: Desk, jobs: Sequence[Job]) -> list[JobShape]:
    estimates = desk.estimator.of(jobs)
    return [job_shape(job, estimates.get(job.id)) for job in jobs]


def _versions(found: StudyStory) -> list[VersionShape]:
    return [
        VersionShape(
            arrival_id=one.id, version=one.version, instances=one.instances, received_at=one.received_at
        )
        for one in found.versions
    ]


def _series(place: Place, found: StudyStory) -> list[SeriesShape]:
    return [
        SeriesShape(
            series_uid=one.series_uid,
            number=one.number,
            modality=one.modality,
            description=one.description if reads(place) else None,
            instances=one.instances,
        )
        for one in series_of(place, found.arrival.subject)
    ]
