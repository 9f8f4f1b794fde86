"""A result: what one job wrote, and which later result supersedes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

#: The file written last; a result without it does not exist.
RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished job's result.

    Attributes:
        tenant: Who owns it.
        job_id: The job that wrote it.
        arrival_id: What it was read from.
        prefix: Blob prefix of its files.
        summary: Measurements and totals for lists; JSON values, no patient data.
        created_at: When it became visible.
        superseded_by: The job whose result replaced it (a later version of the study, or a re-run),
            or ``""`` while it is current.
    """

    tenant: str
    job_id: str
    arrival_id: str
    prefix: str
    summary: Mapping[str, object]
    created_at: datetime
    superseded_by: str = ""
