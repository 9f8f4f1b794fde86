"""Studies, jobs, decisions and events as the API gives them and pages show them: one shape for both.

Nothing here says who a patient is but `PatientShape`, which is left out where who asks may not read.
"""

from datetime import datetime

from pydantic import BaseModel, Field

from bedside.domain.because import Because
from bedside.domain.job import JobState
from bedside.uploads.reasons import Kind


class EstimateShape(BaseModel):
    """When a job will probably end, and what that is based on."""

    ends_at: datetime | None = Field(description="null: nothing is known, or it takes unusually long.")
    runs: int = Field(description="Earlier jobs of the same pipeline that this is based on.")
    usual_s: float = Field(description="How long they took, the median.")
    is_late: bool = Field(description="It takes longer than any of them did.")
    before: int = Field(description="Queued jobs before it in line, of all tenants.")
    is_before_more: bool = Field(description="There are more than were counted.")
    workers: int = Field(description="Workers seen at such jobs lately; 0 for a running job.")


class FailureShape(BaseModel):
    """Why the last attempt ended badly."""

    error: str
    message: str
    hint: str
    kind: Kind | None = Field(description="Of a study that cannot be read: why, as people are told it.")


class JobShape(BaseModel):
    """One run of one pipeline on one version of a study."""

    id: str
    run: int
    state: JobState
    pipeline: str
    pipeline_version: str
    releases: list[str] = Field(description="Digest of each stage's release; empty for a command.")
    rule: str
    role: str
    phantom: bool = Field(description="Sent to prove the deployment; there is no patient.")
    study_uid: str
    arrival_id: str
    arrival_version: int
    stage: str
    stage_number: int = Field(description="From 1.")
    stages: list[str]
    doing: str
    progress: float = Field(description="Of the stage, 0 to 1.")
    priority: int
    attempts: int
    max_attempts: int
    worker: str
    failure: FailureShape | None
    created_at: datetime
    waits_since: datetime | None = Field(description="Of a queued job: since then it could be taken.")
    started_at: datetime | None
    ended_at: datetime | None
    estimate: EstimateShape | None
    can_retry: bool
    can_cancel: bool
    can_prioritise: bool

    @property
    def seconds(self) -> float | None:
        """From the first lease to the end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def waited_s(self) -> float | None:
        """From being made to the first lease."""
        return None if self.started_at is None else (self.started_at - self.created_at).total_seconds()


class PatientShape(BaseModel):
    """Whose study it is."""

    name: str
    id: str
    accession_number: str
    study_date: str = Field(description="YYYY-MM-DD, or as it stands in the study.")
    description: str
    modalities: list[str]


class StudyShape(BaseModel):
    """A version of a study, and what came of it."""

    arrival_id: str
    study_uid: str
    kind: str = Field(description="dicom, or files for a set of other files.")
    version: int
    instances: int
    size_bytes: int
    received_at: datetime
    patient: PatientShape | None = Field(description="null where the caller may not read it.")
    jobs: list[JobShape] = Field(description="Newest first.")


class DecisionShape(BaseModel):
    """Why a rule did or did not start a pipeline, with the values that made it."""

    rule: str
    pipeline: str
    matched: bool
    reason: str
    values: dict[str, dict[str, object]] = Field(
        description="By Series Instance UID: what the condition read; what says who somebody is, is withheld."
    )
    decided_at: datetime
    because: Because | None = Field(
        description="What the reason says, as values; null for decisions made before these were kept."
    )


class EntryShape(BaseModel):
    """What brought a study, or could not be used."""

    id: str
    state: str
    arrivals: list[str]
    reason: str
    kind: Kind | None = Field(description="Of the reason, as people are told it.")
    seen_at: datetime


class ResultShape(BaseModel):
    """What a job wrote."""

    job_id: str
    created_at: datetime
    superseded_by: str = Field(description="The job whose result replaced it; empty while it is current.")


class SeriesShape(BaseModel):
    """A series of the study."""

    series_uid: str
    number: str
    modality: str
    description: str | None = Field(description="null where the caller may not read.")
    instances: int


class VersionShape(BaseModel):
    """A version of a study, in short."""

    arrival_id: str
    version: int
    instances: int
    received_at: datetime


class StudyStoryShape(StudyShape):
    """A study with everything that is known of it."""

    versions: list[VersionShape] = Field(description="Newest first.")
    entries: list[EntryShape]
    decisions: list[DecisionShape]
    results: list[ResultShape]
    series: list[SeriesShape]


class EventShape(BaseModel):
    """A line of a job's history."""

    at: datetime
    action: str
    stage: str
    attempt: int
    worker: str
    detail: str
    error: str | None = Field(description="Of an attempt that ended badly: the kind of its failure.")
    is_words: bool = Field(exclude=True, description="Whether the detail is English, and no name or number.")
    said: str = Field(exclude=True, description="The detail, without the kind of a failure.")


class StudyPage(BaseModel):
    """Studies, last received first."""

    studies: list[StudyShape]
    next: str | None = Field(description="Pass as `after` for the page after this one; null at the end.")


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobShape]
    counts: dict[JobState, int] = Field(description="How many are in each state, of all states.")
    next: str | None = Field(description="Pass as `after` for the page after this one; null at the end.")


class JobStory(JobShape):
    """A job with its history and its result."""

    events: list[EventShape]
    result: ResultShape | None
    timings_s: dict[str, dict[str, float]] = Field(description="By stage and step.")
    patient: PatientShape | None
