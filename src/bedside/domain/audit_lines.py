"""The audit trail outside bedside: a record as a line of JSON, as a row of CSV, and back from the first.

A line has all that a record's hash covers, so that a file of lines can be checked wherever it is read;
CSV is for people with a spreadsheet, and cannot.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from bedside.domain.audit import Deed, Record, content_of
from bedside.domain.tenant import path_of
from bedside.errors import UsageError

COLUMNS = ("number", "at", "person", "address", "action", "tenant", "object", "detail", "hash")
#: What a spreadsheet takes for a formula, which could fetch or run something.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(record: Record) -> dict[str, object]:
    """Return a record as JSON has it: what its hash covers, the hash before, and its own."""
    return {**content_of(record.number, record.deed), "before": record.before, "hash": record.hash}


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give one line each."""
    for record in records:
        yield json.dumps(as_json(record), ensure_ascii=False, separators=(",", ":")) + "\n"


def csv_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give a heading and one line each (RFC 4180), the tenant as people write it."""
    yield _csv(COLUMNS)
    for record in records:
        row = as_json(record)
        detail = "; ".join(f"{name}={value}" for name, value in sorted(record.deed.detail.items()))
        cells = {**row, "tenant": path_of(record.deed.tenant), "detail": detail}
        yield _csv([_harmless(str(cells[name])) for name in COLUMNS])


def read_lines(lines: Iterable[str]) -> Iterator[Record]:
    """Give the records of an export; what was altered in one is for `bedside.domain.audit.checked` to find.

    Raises:
        UsageError: A line is none of an export.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _record(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise UsageError(
                f"line {number}: no record of an audit trail ({type(exc).__name__})",
                hint="bedside audit export --format jsonl",
            ) from exc


def _record(row: Mapping[str, object]) -> Record:
    detail = row["detail"]
    if not isinstance(detail, dict):
        raise TypeError("detail")
    deed = Deed(
        at=datetime.fromisoformat(str(row["at"])),
        person=str(row["person"]),
        address=str(row["address"]),
        action=str(row["action"]),
        tenant=str(row["tenant"]),
        object=str(row["object"]),
        detail=detail,
    )
    number = row["number"]
    if not isinstance(number, int) or deed.at.tzinfo is None:
        raise TypeError("number or time")
    return Record(number=number, deed=deed, before=str(row["before"]), hash=str(row["hash"]))


def _csv(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
