"""Which records somebody asks for, and may: those of the nodes that they administer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import StreamingResponse

from bedside.domain.audit import Record
from bedside.domain.audit_lines import csv_lines, json_lines
from bedside.domain.person import Right
from bedside.domain.tenant import holds, name_of
from bedside.errors import ErrorCode, NotPermitted, UsageError, told
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.ports.audit import AuditFilter

#: On a page, and in an answer of the API by default.
PAGE = 50
#: Longest text of a filter; no identifier is longer.
LONGEST = 200

Format = Literal["jsonl", "csv"]
Filter = Annotated[str, Query(max_length=LONGEST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address of a request asks for, as it was typed.

    Attributes:
        node: Only this node and below; empty is all that the caller administers.
        person: Number of an account.
        action: ``noun.verb`` or ``noun``.
        object: Identifier of what it was done to.
        since: Date or time of ISO 8601, not before.
        until: The same, before; a date alone is meant with that day.
        before: Number of a record, to page on.
    """

    node: str
    person: str
    action: str
    object: str
    since: str
    until: str
    before: int | None


def wish(
    node: Filter = "",
    person: Filter = "",
    action: Filter = "",
    object: Filter = "",  # noqa: A002 - in the address
    since: Filter = "",
    until: Filter = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Wish:
    """Take it from the address."""
    return Wish(
        node=node.strip(),
        person=person.strip(),
        action=action.strip(),
        object=object.strip(),
        since=since.strip(),
        until=until.strip(),
        before=before,
    )


Wished = Annotated[Wish, Depends(wish)]


def wanted(asked: Wish, caller: Caller) -> AuditFilter:
    """Return what somebody asked for, narrowed to what they administer.

    Raises:
        NotPermitted: They administer neither the node that they ask for nor one above.
        UsageError: A time or a node is none.
    """
    nodes: Sequence[str] = caller.person.nodes(Right.ADMINISTER)
    if asked.node:
        node = name_of(asked.node)
        if not any(holds(mine, node) for mine in nodes):
            raise NotPermitted(
                f"person {caller.person.subject}: no right to {Right.ADMINISTER} there",
                told=told(ErrorCode.NO_RIGHT, right=Right.ADMINISTER.value),
            )
        nodes = [node]
    return AuditFilter(
        nodes=None if "" in nodes else nodes,
        person=asked.person,
        action=asked.action,
        object=asked.object,
        since=_moment(asked.since, "since"),
        until=_moment(asked.until, "until", end_of_day=True),
    )


def file(here: Here, caller: Caller, found: AuditFilter, kind: Format) -> StreamingResponse:
    """Answer with records as a file, oldest first; that somebody took it away is noted first."""
    note(here, caller, "audit.exported", tenant=_where(found), detail={"format": kind})
    # What is noted while the file is written is for the next one.
    end = here.deployment.records.audit.head()
    records = _until(here, found, end.number if end else 0)
    lines = json_lines(records) if kind == "jsonl" else csv_lines(records)
    media = "application/x-ndjson" if kind == "jsonl" else "text/csv; charset=utf-8"
    name = f"audit-{here.deployment.clock.now():%Y-%m-%d}.{kind}"
    return StreamingResponse(
        lines, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def narrowed(found: AuditFilter, tenant: str) -> AuditFilter:
    """Return the same of one tenant and below."""
    return replace(found, nodes=[tenant])


def _until(here: Here, found: AuditFilter, last: int) -> Iterator[Record]:
    for record in here.deployment.records.audit.walk(found):
        if record.number > last:
            return
        yield record


def _where(found: AuditFilter) -> str:
    """Return the node that an export is of, where it is one."""
    return found.nodes[0] if found.nodes is not None and len(found.nodes) == 1 else ""


def _moment(text: str, name: str, *, end_of_day: bool = False) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) == len("2026-03-01"):
            day = date.fromisoformat(text) + timedelta(days=end_of_day)
            return datetime.combine(day, time(), UTC)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise UsageError(f"{name}: no date or time, e.g. 2026-03-01 or 2026-03-01T08:00:00Z") from exc
