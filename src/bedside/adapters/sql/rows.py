"""Rows to domain values and back; the only place that knows both column names and attributes."""

from typing import Any

from sqlalchemy import Row as Found

from bedside.adapters.sql.types import Row
from bedside.domain.arrival import Arrival, ArrivalKind, ArrivalSummary, Entry, EntryState
from bedside.domain.because import because_from_json, because_to_json
from bedside.domain.job import Job, JobState, Lease, LedgerEvent
from bedside.domain.pipeline import Decision
from bedside.domain.release import Role
from bedside.domain.result import Result
from bedside.domain.serial import (
    failure_from_json,
    failure_to_json,
    files_from_json,
    files_to_json,
    pipeline_from_json,
    pipeline_to_json,
    plain,
)

#: Beside the series in a decision's `attributes`: why, as values. No UID is a word.
_BECAUSE = "because"


def arrival_row(arrival: Arrival) -> Row:
    """Return an arrival's columns."""
    return {
        "tenant": arrival.tenant,
        "id": arrival.id,
        "kind": arrival.kind.value,
        "subject": arrival.subject,
        "version": arrival.version,
        "files": files_to_json(arrival.files),
        "received_at": arrival.received_at,
        "instances": len(arrival.files),
        "size_bytes": sum(file.size_bytes for file in arrival.files),
    }


def arrival(row: Found[Any]) -> Arrival:
    """Return the arrival of a row."""
    return Arrival(
        tenant=row.tenant,
        id=row.id,
        kind=ArrivalKind(row.kind),
        subject=row.subject,
        version=row.version,
        files=files_from_json(row.files),
        received_at=row.received_at,
    )


def summary(row: Found[Any]) -> ArrivalSummary:
    """Return what lists show of an arrival's row."""
    return ArrivalSummary(
        tenant=row.tenant,
        id=row.id,
        kind=ArrivalKind(row.kind),
        subject=row.subject,
        version=row.version,
        instances=row.instances,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
    )


def entry_row(entry: Entry) -> Row:
    """Return a drop-box entry's columns."""
    return {
        "tenant": entry.tenant,
        "id": entry.id,
        "key": entry.key,
        "fingerprint": entry.fingerprint,
        "state": entry.state.value,
        "arrivals": list(entry.arrivals),
        "reason": entry.reason,
        "seen_at": entry.seen_at,
    }


def entry(row: Found[Any]) -> Entry:
    """Return the drop-box entry of a row."""
    return Entry(
        tenant=row.tenant,
        id=row.id,
        key=row.key,
        fingerprint=row.fingerprint,
        state=EntryState(row.state),
        arrivals=tuple(row.arrivals),
        reason=row.reason,
        seen_at=row.seen_at,
    )


def decision_row(decision: Decision) -> Row:
    """Return a decision's columns."""
    because = {_BECAUSE: because_to_json(decision.because)} if decision.because else {}
    return {
        "tenant": decision.tenant,
        "arrival_id": decision.arrival_id,
        "rule": decision.rule,
        "pipeline": decision.pipeline,
        "matched": decision.matched,
        "reason": decision.reason,
        "attributes": plain({**decision.values, **because}, f"values of rule {decision.rule}"),
        "decided_at": decision.decided_at,
    }


def decision(row: Found[Any]) -> Decision:
    """Return the decision of a row."""
    values = dict(row.attributes)
    because = values.pop(_BECAUSE, None)
    return Decision(
        tenant=row.tenant,
        arrival_id=row.arrival_id,
        rule=row.rule,
        pipeline=row.pipeline,
        matched=row.matched,
        reason=row.reason,
        values=values,
        decided_at=row.decided_at,
        because=because_from_json(because) if because else None,
    )


def job_row(job: Job) -> Row:
    """Return all columns of a new job."""
    return {
        "tenant": job.tenant,
        "id": job.id,
        "identity": job.identity,
        "run": job.run,
        "arrival_id": job.arrival_id,
        "subject": job.subject,
        "arrival_version": job.arrival_version,
        "pipeline_name": job.pipeline.name,
        "pipeline_version": job.pipeline.version,
        "pipeline": pipeline_to_json(job.pipeline),
        "rule": job.rule,
        "role": job.role.value,
        "created_at": job.created_at,
        **job_changes(job),
    }


def job_changes(job: Job) -> Row:
    """Return the columns that a move, a heartbeat or a person can change."""
    return {
        "stage_index": job.stage_index,
        "pool": job.stage.pool,
        "state": job.state.value,
        "priority": job.priority,
        "attempts": job.attempts,
        "fence": job.fence,
        "worker": job.worker,
        "not_before": job.not_before,
        "lease_until": job.lease_until,
        "progress": job.progress,
        "doing": job.doing,
        "failure": failure_to_json(job.failure) if job.failure else None,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
    }


def job(row: Found[Any]) -> Job:
    """Return the job of a row."""
    return Job(
        tenant=row.tenant,
        id=row.id,
        identity=row.identity,
        run=row.run,
        arrival_id=row.arrival_id,
        subject=row.subject,
        arrival_version=row.arrival_version,
        pipeline=pipeline_from_json(row.pipeline),
        rule=row.rule,
        role=Role(row.role),
        stage_index=row.stage_index,
        state=JobState(row.state),
        priority=row.priority,
        attempts=row.attempts,
        fence=row.fence,
        worker=row.worker,
        not_before=row.not_before,
        lease_until=row.lease_until,
        progress=row.progress,
        doing=row.doing,
        failure=failure_from_json(row.failure) if row.failure else None,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def lease(job: Job) -> Lease:
    """Return the lease of a running job."""
    assert job.lease_until is not None
    return Lease(job=job, worker=job.worker, fence=job.fence, until=job.lease_until)


def result_row(job: Job, result: Result) -> Row:
    """Return a result's columns, and those of its job that say what it supersedes."""
    return {
        "tenant": result.tenant,
        "job_id": result.job_id,
        "arrival_id": result.arrival_id,
        "subject": job.subject,
        "pipeline_version": job.pipeline.version,
        "track": job.track,
        "role": job.role.value,
        "arrival_version": job.arrival_version,
        "run": job.run,
        "prefix": result.prefix,
        "summary": plain(result.summary, "summary"),
        "created_at": result.created_at,
        "superseded_by": "",
    }


def result(row: Found[Any]) -> Result:
    """Return the result of a row."""
    return Result(
        tenant=row.tenant,
        job_id=row.job_id,
        arrival_id=row.arrival_id,
        prefix=row.prefix,
        summary=row.summary,
        created_at=row.created_at,
        superseded_by=row.superseded_by,
    )


def event_row(line: LedgerEvent) -> Row:
    """Return the columns of a line of history."""
    return {
        "at": line.at,
        "tenant": line.tenant,
        "action": line.action,
        "arrival_id": line.arrival_id,
        "job_id": line.job_id,
        "stage": line.stage,
        "attempt": line.attempt,
        "worker": line.worker,
        "detail": line.detail,
    }


def event(row: Found[Any]) -> LedgerEvent:
    """Return the line of history of a row."""
    return LedgerEvent(
        at=row.at,
        tenant=row.tenant,
        action=row.action,
        arrival_id=row.arrival_id,
        job_id=row.job_id,
        stage=row.stage,
        attempt=row.attempt,
        worker=row.worker,
        detail=row.detail,
    )
