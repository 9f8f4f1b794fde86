"""The audit trail for scripts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from bedside.domain.audit import BEGINNING, Record, checked
from bedside.domain.person import Right
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import anywhere, at_root
from bedside.portal.access.trail import note
from bedside.portal.audit.reading import PAGE, Format, Wished, file, wanted
from bedside.portal.here import InHere
from bedside.ports.audit import AuditFilter

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

Administrator = Annotated[Caller, Depends(anywhere(Right.ADMINISTER))]
RootAdministrator = Annotated[Caller, Depends(at_root(Right.ADMINISTER))]


class AuditRecord(BaseModel):
    """One thing that somebody did."""

    number: int = Field(description="1 is the first; there are no gaps.")
    at: datetime
    person: str = Field(description="Number of an account; empty where nobody is known.")
    address: str = Field(description="Network that it was asked from, e.g. 10.1.2.0/24; empty is unknown.")
    action: str = Field(description="noun.verb, e.g. result.viewed.")
    tenant: str = Field(description="Name with dots; empty is the whole deployment.")
    object: str
    detail: dict[str, str]
    before: str = Field(description="Hash of the record before, or 64 zeros.")
    hash: str


class AuditPage(BaseModel):
    """Records, newest first."""

    records: list[AuditRecord]
    next_before: int | None = Field(
        description="Pass as `before` for the page after this one; null at the end."
    )


class AuditVerdict(BaseModel):
    """Whether every record follows from the one before it."""

    holds: bool
    checked: int = Field(description="How many hold, from the first one on.")
    head: str = Field(description="Hash of the last of them; stands for all of them.")
    broken: int | None = Field(description="Number of the first that does not hold.")
    reason: str


@router.get("")
def records(
    here: InHere, caller: Administrator, asked: Wished, limit: Annotated[int, Query(ge=1, le=1000)] = PAGE
) -> AuditPage:
    """Who did what, newest first, at the nodes that the caller administers."""
    found = here.deployment.records.audit.records(wanted(asked, caller), limit=limit, before=asked.before)
    note(here, caller, "audit.viewed")
    more = found[-1].number if len(found) == limit else None
    return AuditPage(records=[shown(record) for record in found], next_before=more)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}, "text/csv": {}}}},
)
def export(here: InHere, caller: Administrator, asked: Wished, format: Format = "jsonl") -> StreamingResponse:  # noqa: A002 - in the address
    """The same as a file, oldest first: JSON Lines with all that the hashes cover, or CSV."""
    return file(here, caller, wanted(asked, caller), format)


@router.get("/verify")
def verify(here: InHere, caller: RootAdministrator) -> AuditVerdict:
    """Check the whole trail; takes seconds where it has hundreds of thousands of records."""
    verdict = checked(here.deployment.records.audit.walk(AuditFilter()))
    note(here, caller, "audit.verified", detail={"broken": str(verdict.broken)})
    return AuditVerdict(
        holds=not verdict.broken,
        checked=verdict.checked,
        head=verdict.head if verdict.checked else BEGINNING,
        broken=verdict.broken or None,
        reason=verdict.reason,
    )


def shown(record: Record) -> AuditRecord:
    """Return a record as the API shows it."""
    deed = record.deed
    return AuditRecord(
        number=record.number,
        at=deed.at,
        person=deed.person,
        address=deed.address,
        action=deed.action,
        tenant=deed.tenant,
        object=deed.object,
        detail=dict(deed.detail),
        before=record.before,
        hash=record.hash,
    )
