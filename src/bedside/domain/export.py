"""A result's way into the archive, its states and the one table of its moves.

An export is queued in the same transaction that ends its job, so that no crash lets a result be forgotten,
and it is over only when the archive has confirmed it. A revision grows with every change: two workers that
sent the same result at once cannot undo each other's word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bedside.domain.identity import short_id
from bedside.errors import UsageError


class ExportState(StrEnum):
    """Where an export stands."""

    QUEUED = "queued"
    SENT = "sent"  # the archive has it under way and gave a ticket
    STORED = "stored"
    FAILED = "failed"


class StudyPart(StrEnum):
    """What of the study that a result was read from went along with it."""

    NONE = "none"
    TRIED = "tried"  # some of it may be there
    STORED = "stored"  # the archive confirmed what was not there before


class ExportEvent(StrEnum):
    """What can happen to an export."""

    CLAIM = "claim"  # a worker takes it for a while
    SEND = "send"  # the archive took it and confirms later
    WAIT = "wait"  # out of reach, or still under way
    LOSE = "lose"  # the sending failed as a whole; it is sent anew
    STORE = "store"  # the archive confirmed every instance
    FAIL = "fail"  # the archive refused instances, or the last attempt failed
    RETRY = "retry"  # a person sent it again


TRANSITIONS: Mapping[tuple[ExportState, ExportEvent], ExportState] = {
    (ExportState.QUEUED, ExportEvent.CLAIM): ExportState.QUEUED,
    (ExportState.QUEUED, ExportEvent.SEND): ExportState.SENT,
    (ExportState.QUEUED, ExportEvent.WAIT): ExportState.QUEUED,
    (ExportState.QUEUED, ExportEvent.STORE): ExportState.STORED,
    (ExportState.QUEUED, ExportEvent.FAIL): ExportState.FAILED,
    (ExportState.SENT, ExportEvent.CLAIM): ExportState.SENT,
    (ExportState.SENT, ExportEvent.WAIT): ExportState.SENT,
    (ExportState.SENT, ExportEvent.LOSE): ExportState.QUEUED,
    (ExportState.SENT, ExportEvent.STORE): ExportState.STORED,
    (ExportState.SENT, ExportEvent.FAIL): ExportState.FAILED,
    (ExportState.FAILED, ExportEvent.RETRY): ExportState.QUEUED,
}

#: States in which there is something to do.
OPEN = frozenset({ExportState.QUEUED, ExportState.SENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One result on its way into the archive.

    Attributes:
        tenant: Who owns it.
        job_id: The job whose result it is; one export per job.
        prefix: Blob prefix of the DICOM instances.
        state: Where it stands.
        revision: Grows with every change; a change to an older one is refused.
        sending: Grows when it is sent anew; with the job it makes the archive's token.
        attempts: Tries that failed since it was last under way.
        ticket: What the archive gave to ask with, or empty.
        not_before: Nothing is done earlier (back-off, or a worker has it).
        study: What of the study went along.
        stored: Instances that the archive confirmed.
        refused: Instances that it refused, each as ``(instance, reason)``.
        reason: Why it waits or failed; no patient data.
        created_at: When its job ended.
        changed_at: When its state was last said.
    """

    tenant: str
    job_id: str
    prefix: str
    state: ExportState = ExportState.QUEUED
    revision: int = 0
    sending: int = 0
    attempts: int = 0
    ticket: str = ""
    not_before: datetime
    study: StudyPart = StudyPart.NONE
    stored: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    created_at: datetime
    changed_at: datetime

    @property
    def token(self) -> str:
        """The same for every try of one sending, whichever worker tries."""
        return short_id([self.tenant, self.job_id, self.sending])


def first_export(tenant: str, job_id: str, prefix: str, now: datetime) -> Export:
    """Return the export of a job that just ended, whose result lies under ``prefix``."""
    return Export(
        tenant=tenant,
        job_id=job_id,
        prefix=f"{prefix}/dicom",
        not_before=now,
        created_at=now,
        changed_at=now,
    )


def claimed(export: Export, now: datetime, hold: timedelta, *, study: bool = False) -> Export:
    """A worker takes it, with its study or without; one that dies lets go of it after ``hold``."""
    part = StudyPart.TRIED if study else export.study
    return replace(_moved(export, ExportEvent.CLAIM), not_before=now + hold, study=part)


def sent(export: Export, ticket: str, now: datetime, look_at: datetime) -> Export:
    """The archive took it and confirms later."""
    after = _moved(export, ExportEvent.SEND)
    return replace(after, ticket=ticket, attempts=0, reason="", not_before=look_at, changed_at=now)


def waiting(export: Export, reason: str, now: datetime, until: datetime, *, counts: bool) -> Export:
    """It was not confirmed yet; ``counts`` says that this try failed."""
    after = _moved(export, ExportEvent.WAIT)
    attempts = export.attempts + 1 if counts else export.attempts
    return replace(after, reason=reason, attempts=attempts, not_before=until, changed_at=now)


def lost(export: Export, reason: str, now: datetime, until: datetime) -> Export:
    """The sending failed as a whole: another one, with another token."""
    after = _moved(export, ExportEvent.LOSE)
    return replace(
        after,
        ticket="",
        sending=export.sending + 1,
        attempts=export.attempts + 1,
        reason=reason,
        not_before=until,
        changed_at=now,
    )


def confirmed(
    export: Export, stored: int, refused: tuple[tuple[str, str], ...], now: datetime, *, study: bool = False
) -> Export:
    """The archive said of each instance, of the study too where that went along, whether it has it."""
    event = ExportEvent.FAIL if refused else ExportEvent.STORE
    reason = f"{len(refused)} of {stored + len(refused)} instances refused" if refused else ""
    after = _moved(export, event)
    return replace(
        after,
        study=StudyPart.STORED if study and not refused else export.study,
        stored=stored,
        refused=refused,
        reason=reason,
        ticket="",
        attempts=0,
        changed_at=now,
    )


def failed(export: Export, reason: str, now: datetime) -> Export:
    """It was tried often enough, or can never succeed."""
    return replace(_moved(export, ExportEvent.FAIL), reason=reason, changed_at=now)


def retried(export: Export, now: datetime) -> Export:
    """A person sent it again, all of it.

    Raises:
        UsageError: It did not fail.
    """
    after = _moved(export, ExportEvent.RETRY)
    return replace(
        after,
        sending=export.sending + 1,
        attempts=0,
        ticket="",
        stored=0,
        refused=(),
        reason="",
        not_before=now,
        changed_at=now,
    )


def _moved(export: Export, event: ExportEvent) -> Export:
    state = TRANSITIONS.get((export.state, event))
    if state is None:
        raise UsageError(
            f"archive: the result of job {export.job_id} is {export.state.value}, no move {event.value!r}",
            hint="bedside archive list",
        )
    return replace(export, state=state, revision=export.revision + 1)
