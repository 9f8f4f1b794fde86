"""The pages of the audit trail."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedside.domain.audit import Record, checked
from bedside.domain.person import Right
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.audit.api import Administrator, RootAdministrator
from bedside.portal.audit.reading import PAGE, Format, Wish, Wished, file, narrowed, wanted
from bedside.portal.here import Here, InHere
from bedside.ports.audit import AuditFilter

router = APIRouter(include_in_schema=False)

AdministeredPlace = Annotated[Place, Depends(within(Right.ADMINISTER))]


@router.get("/audit")
def everywhere(request: Request, here: InHere, caller: Administrator, asked: Wished) -> Response:
    """Show who did what at all nodes that somebody administers."""
    return _page(request, here, caller, wanted(asked, caller), asked)


@router.get("/audit/export")
def export(here: InHere, caller: Administrator, asked: Wished, format: Format = "csv") -> StreamingResponse:  # noqa: A002 - in the address
    """Give it as a file."""
    return file(here, caller, wanted(asked, caller), format)


@router.get("/audit/verify")
def verify(request: Request, here: InHere, caller: RootAdministrator) -> Response:
    """Check the whole trail, and show its head to be written down."""
    verdict = checked(here.deployment.records.audit.walk(AuditFilter()))
    note(here, caller, "audit.verified", detail={"broken": str(verdict.broken)})
    return here.pages.render(request, "audit/verified.html", caller=caller, verdict=verdict)


@router.get("/t/{tenant}/audit")
def in_tenant(request: Request, place: AdministeredPlace, asked: Wished) -> Response:
    """Show who did what in a tenant and below."""
    found = narrowed(wanted(asked, place.caller), place.tenant)
    return _page(request, place.here, place.caller, found, asked, tenant=place.tenant)


@router.get("/t/{tenant}/audit/export")
def export_tenant(place: AdministeredPlace, asked: Wished, format: Format = "csv") -> StreamingResponse:  # noqa: A002 - in the address
    """Give it as a file."""
    return file(place.here, place.caller, narrowed(wanted(asked, place.caller), place.tenant), format)


def _page(
    request: Request, here: Here, caller: Caller, found: AuditFilter, asked: Wish, *, tenant: str = ""
) -> Response:
    records = here.deployment.records.audit.records(found, limit=PAGE, before=asked.before)
    note(here, caller, "audit.viewed", tenant=tenant)
    return here.pages.render(
        request,
        "audit/audit.html",
        caller=caller,
        tenant=tenant,
        base=f"/t/{tenant}/audit" if tenant else "/audit",
        records=records,
        names=_names(here, records),
        asked=asked,
        narrowed=any((asked.node, asked.person, asked.action, asked.object, asked.since, asked.until)),
        query=_query(asked),
        older=_query(asked, before=str(records[-1].number)) if len(records) == PAGE else "",
        at_root="" in caller.person.nodes(Right.ADMINISTER),
    )


def _names(here: Here, records: Sequence[Record]) -> Mapping[str, str]:
    """Return how people want to be called, by the numbers of their accounts; those erased are missing."""
    accounts = here.deployment.records.accounts
    found = {
        number: accounts.account(number) for number in {record.deed.person for record in records} if number
    }
    return {number: account.profile.name for number, account in found.items() if account}


def _query(asked: Wish, **more: str) -> str:
    """Return the filters as the end of an address."""
    kept = {
        "node": asked.node,
        "person": asked.person,
        "action": asked.action,
        "object": asked.object,
        "since": asked.since,
        "until": asked.until,
    }
    return urlencode({name: value for name, value in {**kept, **more}.items() if value})
