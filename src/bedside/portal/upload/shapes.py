"""Uploads as JSON."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from bedside.domain.job import JobState
from bedside.domain.upload import LONGEST_FINGERPRINT, LONGEST_NAME, Upload
from bedside.ports.parts import StoredPart
from bedside.uploads.outcome import Outcome, Step
from bedside.uploads.outcome import Study as StudyOutcome
from bedside.uploads.reasons import Kind, Reason


class UploadWish(BaseModel):
    """A ZIP that somebody wants to send."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=LONGEST_NAME, description="What you call it; only you will see it.")
    fingerprint: str = Field(
        min_length=1,
        max_length=LONGEST_FINGERPRINT,
        description="Anything that is the same for the same files, e.g. the ZIP's SHA-256.",
    )
    files: int = Field(1, ge=1, le=10_000_000, description="How many files were picked.")
    size_bytes: int = Field(ge=1, le=2**62, description="Length of the ZIP.")


class PartThere(BaseModel):
    """A part that need not be sent any more."""

    number: int
    size_bytes: int
    sha256: str | None = Field(description="64 hex digits; null where the store does not tell.")


class PartWish(BaseModel):
    """A part that is to be sent."""

    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its bytes, 64 hex digits.")


class PartTarget(BaseModel):
    """Where a part is to be sent."""

    method: str = "PUT"
    url: str = Field(description="A path here, or an address of the bucket, which is a secret for an hour.")
    headers: dict[str, str] = Field(description="To be sent as they are; they hold its checksum.")


class ReasonSaid(BaseModel):
    """Why something was not used."""

    kind: Kind
    detail: str = Field(description="In the words of intake or of the model.")


class UploadJob(BaseModel):
    """A job on a study of an upload."""

    id: str
    pipeline: str
    state: JobState
    progress: float
    reason: ReasonSaid | None


class UploadStudy(BaseModel):
    """A study that came of an upload."""

    arrival_id: str
    instances: int
    version: int
    received_at: datetime
    is_duplicate: bool = Field(description="All of it was here already.")
    jobs: list[UploadJob]


class UploadShown(BaseModel):
    """An upload, and what became of it."""

    id: str
    name: str
    fingerprint: str
    files: int
    size_bytes: int
    part_bytes: int = Field(description="Of each part but the last.")
    parts: int = Field(description="How many parts it has; their numbers begin at 1.")
    begun_at: datetime
    expires_at: datetime = Field(description="An unfinished upload is removed then.")
    step: Step
    studies: list[UploadStudy]
    reason: ReasonSaid | None


class UploadOpened(UploadShown):
    """An upload, with the parts of it that are there."""

    there: list[PartThere]


class UploadList(BaseModel):
    """A person's uploads, newest first."""

    uploads: list[UploadShown]


class MissingParts(BaseModel):
    """Problem details (RFC 9457) of an upload that cannot be completed yet."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str = ""
    missing: list[int] = Field(description="Numbers of the parts to send.")


def shown(upload: Upload, outcome: Outcome) -> UploadShown:
    """Return an upload as scripts see it."""
    return UploadShown(**_fields(upload, outcome))


def opened(upload: Upload, outcome: Outcome, there: list[StoredPart]) -> UploadOpened:
    """Return an upload with its parts, as scripts see it."""
    parts = [
        PartThere(number=part.number, size_bytes=part.size_bytes, sha256=part.sha256 or None)
        for part in there
    ]
    return UploadOpened(**_fields(upload, outcome), there=parts)


def _fields(upload: Upload, outcome: Outcome) -> dict[str, object]:
    return {
        "id": upload.id,
        "name": upload.name,
        "fingerprint": upload.fingerprint,
        "files": upload.files,
        "size_bytes": upload.size_bytes,
        "part_bytes": upload.part_bytes,
        "parts": upload.parts,
        "begun_at": upload.begun_at,
        "expires_at": upload.expires_at,
        "step": outcome.step,
        "studies": [_study(study) for study in outcome.studies],
        "reason": _reason(outcome.reason),
    }


def _study(study: StudyOutcome) -> UploadStudy:
    return UploadStudy(
        arrival_id=study.arrival_id,
        instances=study.instances,
        version=study.version,
        received_at=study.received_at,
        is_duplicate=study.is_duplicate,
        jobs=[
            UploadJob(
                id=job.id,
                pipeline=job.pipeline,
                state=job.state,
                progress=job.progress,
                reason=_reason(job.reason),
            )
            for job in study.jobs
        ],
    )


def _reason(reason: Reason | None) -> ReasonSaid | None:
    return ReasonSaid(kind=reason.kind, detail=reason.detail) if reason else None
