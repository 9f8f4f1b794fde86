"""What became of an upload: where it stands, which studies came of it, and what runs on them.

Owns the reading of the ledger for that; changes nothing. A study is "already here" where its arrival was
recorded before the upload was complete: the same instances came before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bedside.domain.arrival import Arrival, Entry, EntryState
from bedside.domain.job import ENDED, Job, JobState
from bedside.domain.release import Role
from bedside.domain.upload import Upload, UploadState
from bedside.errors import NotFound
from bedside.ports import JobFilter, Ledger
from bedside.uploads.desk import UploadDesk
from bedside.uploads.reasons import Kind, Reason, reason_of

#: Roles of jobs that somebody waits for; shadows are nobody's business here.
_SHOWN = frozenset({Role.CURRENT, Role.CANARY})
_MOST_JOBS = 100


class Step(StrEnum):
    """Where an upload stands, as its person sees it."""

    SENDING = "sending"
    JOINING = "joining"
    RECEIVED = "received"  # in the drop-box; intake has not come to it yet
    READING = "reading"  # its studies are known, jobs run or wait
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyJob:
    """A job on a study.

    Attributes:
        id: Of the job.
        pipeline: Its name.
        state: Of the job.
        progress: From 0 to 1, of the stage that runs.
        reason: Why it did not succeed, or None.
    """

    id: str
    pipeline: str
    state: JobState
    progress: float
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study that came of an upload.

    Attributes:
        arrival_id: Of the arrival.
        instances: How many files it has, with those that came before.
        version: From 2 on something was added to a study that was here.
        received_at: When it came first.
        is_duplicate: Whether all of it was here already.
        jobs: On it, newest first; of each pipeline its newest run.
    """

    arrival_id: str
    instances: int
    version: int
    received_at: datetime
    is_duplicate: bool
    jobs: tuple[StudyJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an upload.

    Attributes:
        step: Where it stands.
        studies: What came of it.
        reason: Why it was rejected, or what of it was left aside; None for neither.
    """

    step: Step
    studies: tuple[Study, ...] = ()
    reason: Reason | None = None

    @property
    def is_duplicate(self) -> bool:
        """Whether everything in it was here already."""
        return bool(self.studies) and all(study.is_duplicate for study in self.studies)


_BEFORE: dict[UploadState, Step] = {
    UploadState.OPEN: Step.SENDING,
    UploadState.COMPLETING: Step.JOINING,
    UploadState.COMPLETE: Step.RECEIVED,
    UploadState.CANCELLED: Step.CANCELLED,
    UploadState.EXPIRED: Step.EXPIRED,
}


def outcome_of(desk: UploadDesk, upload: Upload) -> Outcome:
    """Return what became of an upload."""
    entry = desk.entry(upload)
    if entry is None:
        return Outcome(step=_BEFORE[upload.state])
    studies = tuple(_study(desk.ledger, arrival, upload, entry) for arrival in _arrivals(desk.ledger, entry))
    if entry.state is EntryState.REJECTED or not entry.arrivals:
        reason = reason_of(_said(entry)) or Reason(kind=Kind.OTHER, detail="")
        return Outcome(step=Step.REJECTED, studies=studies, reason=reason)
    jobs = [job for study in studies for job in study.jobs]
    over = entry.state is EntryState.SETTLED or all(job.state in ENDED for job in jobs)
    left = reason_of(entry.reason)
    return Outcome(
        step=Step.DONE if over else Step.READING,
        studies=studies,
        reason=left if left and left.kind is Kind.PARTLY else None,
    )


def _said(entry: Entry) -> str:
    """Return why an entry was rejected, without what of it was only left aside."""
    parts = [part for part in entry.reason.split("; ") if part]
    why = [part for part in parts if (r := reason_of(part)) and r.kind is not Kind.PARTLY]
    return "; ".join(why or parts)


def _arrivals(ledger: Ledger, entry: Entry) -> Sequence[Arrival]:
    found = []
    for arrival_id in entry.arrivals:
        try:
            found.append(ledger.arrival(entry.tenant, arrival_id))
        except NotFound:
            continue
    return found


def _study(ledger: Ledger, arrival: Arrival, upload: Upload, entry: Entry) -> Study:
    where = JobFilter(arrival_id=arrival.id, roles=_SHOWN)
    jobs = ledger.jobs(arrival.tenant, where, limit=_MOST_JOBS)
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.created_at, job.run)):
        newest[job.pipeline.name] = job
    return Study(
        arrival_id=arrival.id,
        instances=len(arrival.files),
        version=arrival.version,
        received_at=arrival.received_at,
        # By intake's own clock, and by ours: one of them may be wrong, or a crash made it take this twice.
        is_duplicate=arrival.received_at < min(entry.seen_at, upload.changed_at),
        jobs=tuple(_job(job) for job in reversed(newest.values())),
    )


def _job(job: Job) -> StudyJob:
    failed = job.failure if job.state in (JobState.REJECTED, JobState.DEAD) else None
    return StudyJob(
        id=job.id,
        pipeline=job.pipeline.name,
        state=job.state,
        progress=job.progress,
        reason=reason_of(failed.message) if failed else None,
    )
