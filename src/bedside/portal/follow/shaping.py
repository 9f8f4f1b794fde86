"""From the ledger's values to the shapes that pages and API show."""

from collections.abc import Mapping

from bedside.domain.arrival import ArrivalSummary, Entry
from bedside.domain.job import Job, JobState, LedgerEvent, failure_in
from bedside.domain.phantom import is_phantom
from bedside.domain.pipeline import Decision
from bedside.domain.result import Result
from bedside.following.acts import can_cancel, can_prioritise, can_retry
from bedside.following.estimate import Estimate
from bedside.portal.follow.patients import Patient
from bedside.portal.follow.shapes import (
    DecisionShape,
    EntryShape,
    EstimateShape,
    EventShape,
    FailureShape,
    JobShape,
    PatientShape,
    ResultShape,
    StudyShape,
)
from bedside.uploads.reasons import Kind, reason_of

#: Lines of history whose detail is a name, a number or an id: of the next stage, the priority, another job.
_PLAIN = frozenset({"job.advance", "job.priority", "result.superseded"})


def estimate_shape(estimate: Estimate) -> EstimateShape:
    """Return an estimate."""
    return EstimateShape(
        ends_at=estimate.ends_at,
        runs=estimate.runs,
        usual_s=round(estimate.usual_s, 1),
        is_late=estimate.is_late,
        before=estimate.before,
        is_before_more=estimate.is_before_more,
        workers=estimate.workers,
    )


def job_shape(job: Job, estimate: Estimate | None = None) -> JobShape:
    """Return a job."""
    return JobShape(
        id=job.id,
        run=job.run,
        state=job.state,
        pipeline=job.pipeline.name,
        pipeline_version=job.pipeline.version,
        releases=[stage.release for stage in job.pipeline.stages],
        rule=job.rule,
        role=job.role.value,
        phantom=is_phantom(job.subject),
        study_uid=job.subject,
        arrival_id=job.arrival_id,
        arrival_version=job.arrival_version,
        stage=job.stage.name,
        stage_number=job.stage_index + 1,
        stages=[stage.name for stage in job.pipeline.stages],
        doing=job.doing,
        progress=job.progress,
        priority=job.priority,
        attempts=job.attempts,
        max_attempts=job.pipeline.max_attempts,
        worker=job.worker,
        failure=_failure(job),
        created_at=job.created_at,
        waits_since=max(job.created_at, job.not_before) if job.state is JobState.QUEUED else None,
        started_at=job.started_at,
        ended_at=job.ended_at,
        estimate=estimate_shape(estimate) if estimate else None,
        can_retry=can_retry(job),
        can_cancel=can_cancel(job),
        can_prioritise=can_prioritise(job),
    )


def patient_shape(patient: Patient | None) -> PatientShape | None:
    """Return whose study it is."""
    if patient is None:
        return None
    return PatientShape(
        name=patient.name,
        id=patient.id,
        accession_number=patient.accession_number,
        study_date=patient.study_date,
        description=patient.description,
        modalities=list(patient.modalities),
    )


def study_shape(summary: ArrivalSummary, jobs: list[JobShape], patient: Patient | None) -> StudyShape:
    """Return a study of a list."""
    return StudyShape(
        arrival_id=summary.id,
        study_uid=summary.subject,
        kind=summary.kind.value,
        version=summary.version,
        instances=summary.instances,
        size_bytes=summary.size_bytes,
        received_at=summary.received_at,
        patient=patient_shape(patient),
        jobs=jobs,
    )


def decision_shape(decision: Decision) -> DecisionShape:
    """Return a rule's decision."""
    values = {uid: dict(read) for uid, read in decision.values.items()}
    return DecisionShape(
        rule=decision.rule,
        pipeline=decision.pipeline,
        matched=decision.matched,
        reason=decision.reason,
        values=values,
        decided_at=decision.decided_at,
        because=decision.because,
    )


def entry_shape(entry: Entry) -> EntryShape:
    """Return what brought a study; its name is left out, for it may be a patient's."""
    return EntryShape(
        id=entry.id,
        state=entry.state.value,
        arrivals=list(entry.arrivals),
        reason=entry.reason,
        kind=_kind(entry.reason),
        seen_at=entry.seen_at,
    )


def _failure(job: Job) -> FailureShape | None:
    if job.failure is None:
        return None
    said = job.failure
    kind = _kind(said.message) if job.state is JobState.REJECTED else None
    return FailureShape(error=said.error, message=said.message, hint=said.hint, kind=kind)


def _kind(said: str) -> Kind | None:
    reason = reason_of(said)
    return reason.kind if reason else None


def result_shape(result: Result) -> ResultShape:
    """Return a job's result."""
    return ResultShape(job_id=result.job_id, created_at=result.created_at, superseded_by=result.superseded_by)


def event_shape(event: LedgerEvent) -> EventShape:
    """Return a line of the history."""
    failure = failure_in(event.detail)
    return EventShape(
        at=event.at,
        action=event.action,
        stage=event.stage,
        attempt=event.attempt,
        worker=event.worker,
        detail=event.detail,
        error=failure.error if failure else None,
        is_words=event.action not in _PLAIN,
        said=failure.message if failure else event.detail,
    )


def timings_of(result: Result | None) -> dict[str, dict[str, float]]:
    """Return what a result says of the time it took, by stage and step; what is no number is left out."""
    said = result.summary.get("timings_s") if result else None
    if not isinstance(said, Mapping):
        return {}
    return {
        str(stage): {str(step): float(s) for step, s in steps.items() if isinstance(s, int | float)}
        for stage, steps in said.items()
        if isinstance(steps, Mapping)
    }
