"""Jobs, decisions and events as JSON values and table cells: one spelling for all commands.

File names of the drop-box are never in them.
"""

from collections.abc import Mapping
from datetime import datetime

from bedside.cli.output import coloured
from bedside.cli.words import said
from bedside.domain.arrival import Entry
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.domain.phantom import is_phantom
from bedside.domain.pipeline import Decision
from bedside.domain.release import Role

COLOURS: Mapping[JobState, str] = {
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "blue",
    JobState.SUCCEEDED: "green",
    JobState.REJECTED: "red",
    JobState.DEAD: "red",
    JobState.CANCELLED: "magenta",
}

#: Exit code of a command that waits for a job, by how the job ended; as in `bedside.errors`.
EXIT_CODES: Mapping[JobState, int] = {
    JobState.SUCCEEDED: 0,
    JobState.REJECTED: 4,
    JobState.DEAD: 6,
    JobState.CANCELLED: 1,
}


def worst(states: list[JobState]) -> int:
    """Return the exit code of several ended jobs: that of the worst."""
    return max((EXIT_CODES.get(state, 0) for state in states), default=0)


def state_cell(job: Job) -> str:
    """Return a job's state, in its colour."""
    return coloured(job.state.value, COLOURS[job.state])


def doing(job: Job) -> str:
    """Return what happens to a job now, or why it stopped, in a few words."""
    if job.state is JobState.RUNNING:
        stage = f"{job.stage.name}: " if len(job.pipeline.stages) > 1 else ""
        return f"{stage}{said(job.doing or 'start')}, {job.progress:.0%}"
    if job.state is JobState.QUEUED:
        if job.attempts:
            attempt = f"attempt {job.attempts + 1} of {job.pipeline.max_attempts}"
            return f"{attempt}, not before {clock(job.not_before)}"
        return f"waits in pool {job.stage.pool}"
    if job.failure:
        return job.failure.message
    return ""


def pipeline_cell(job: Job) -> str:
    """Return a job's pipeline, and its role where its result is not simply delivered."""
    return f"{job.pipeline.name} ({role})" if (role := role_words(job)) else job.pipeline.name


def role_words(job: Job) -> str:
    """Return why a job is not simply delivered, in a word; empty where it is."""
    if is_phantom(job.subject):
        return "phantom"
    return "" if job.role is Role.CURRENT else job.role.value


def clock(at: datetime) -> str:
    """Return a time of day, local."""
    return at.astimezone().strftime("%H:%M:%S")


def moment(at: datetime | None) -> str:
    """Return a date and time, local, or nothing."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def seconds(job: Job) -> float | None:
    """Return the wall seconds from the first lease to the end."""
    if job.started_at is None or job.ended_at is None:
        return None
    return (job.ended_at - job.started_at).total_seconds()


def job_json(job: Job) -> dict[str, object]:
    """Return a job for ``--json``."""
    return {
        "id": job.id,
        "identity": job.identity,
        "run": job.run,
        "tenant": job.tenant,
        "state": job.state.value,
        "pipeline": job.pipeline.name,
        "pipeline_version": job.pipeline.version,
        "releases": [stage.release for stage in job.pipeline.stages],
        "rule": job.rule,
        "role": job.role.value,
        "phantom": is_phantom(job.subject),
        "arrival_id": job.arrival_id,
        "arrival_version": job.arrival_version,
        "study_uid": job.subject,
        "stage": job.stage.name,
        "stages": [stage.name for stage in job.pipeline.stages],
        "priority": job.priority,
        "attempts": job.attempts,
        "max_attempts": job.pipeline.max_attempts,
        "worker": job.worker,
        "progress": job.progress,
        "doing": job.doing,
        "failure": None
        if job.failure is None
        else {"error": job.failure.error, "message": job.failure.message, "hint": job.failure.hint},
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "seconds": seconds(job),
        "result": job.prefix,
    }


def event_json(event: LedgerEvent) -> dict[str, object]:
    """Return a line of the history for ``--json``."""
    return {
        "at": event.at,
        "action": event.action,
        "stage": event.stage,
        "attempt": event.attempt,
        "worker": event.worker,
        "detail": event.detail,
    }


def decision_json(decision: Decision) -> dict[str, object]:
    """Return a rule's decision for ``--json``."""
    return {
        "rule": decision.rule,
        "pipeline": decision.pipeline,
        "matched": decision.matched,
        "reason": decision.reason,
        "values": {uid: dict(values) for uid, values in decision.values.items()},
        "decided_at": decision.decided_at,
    }


def entry_json(entry: Entry) -> dict[str, object]:
    """Return a drop-box entry for ``--json``; without its key, which may hold a name."""
    return {
        "id": entry.id,
        "state": entry.state.value,
        "arrivals": list(entry.arrivals),
        "reason": entry.reason,
        "seen_at": entry.seen_at,
    }
