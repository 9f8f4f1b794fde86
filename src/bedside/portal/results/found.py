"""A result that was asked for: the ledger's record, its job, and what it says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from bedside.domain.job import Job
from bedside.domain.person import Right
from bedside.domain.phantom import is_phantom
from bedside.domain.release import Role
from bedside.domain.result import Result
from bedside.errors import ErrorCode, NotFound, told
from bedside.portal.access.need import Place, within
from bedside.viewing.document import ResultDocument, read_document

Reading = Annotated[Place, Depends(within(Right.READ))]
JobId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", description="Id of a job.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One result.

    Attributes:
        result: As the ledger knows it.
        job: That wrote it.
        document: What it says of itself.
    """

    result: Result
    job: Job
    document: ResultDocument

    @property
    def is_shadow(self) -> bool:
        """Whether it is of a release on trial, and delivered to nobody."""
        return self.job.role is Role.SHADOW

    @property
    def is_phantom(self) -> bool:
        """Whether no patient is behind it."""
        return self.document.phantom or is_phantom(self.job.subject)


def find(place: Place, job_id: str) -> Found:
    """Return a result of the tenant.

    Raises:
        NotFound: There is none of that job, or its files are gone.
    """
    ledger = place.here.deployment.ledger
    result = ledger.result(place.tenant, job_id)
    if result is None:
        raise NotFound(
            "no such result",
            hint="the job may still run, or have failed: look at the job",
            told=told(ErrorCode.RESULT_MISSING),
        )
    return Found(
        result=result, job=ledger.job(place.tenant, job_id), document=read_document(place.store, result)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Another result of the same study."""

    result: Result
    job: Job


def others(place: Place, found: Found) -> Sequence[Version]:
    """Return all results of the same study, this one too: newest version of the study first."""
    ledger = place.here.deployment.ledger
    subject = found.job.subject
    results = [
        *ledger.results(place.tenant, subject=subject, current_only=False),
        *ledger.results(place.tenant, subject=subject, current_only=False, shadows=True),
    ]
    versions = [Version(result=each, job=ledger.job(place.tenant, each.job_id)) for each in results]
    return sorted(
        versions, key=lambda v: (v.job.arrival_version, v.result.created_at, v.result.job_id), reverse=True
    )
