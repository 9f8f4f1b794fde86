"""The table of judgements; rows are added and never changed."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Sequence, Words, document

_TEXTS = (
    "tenant", "id", "job_id", "arrival_id", "pipeline", "release", "verdict", "reason", "comment", "reviewer",
)  # fmt: skip

judgements = Table(
    "judgements",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    *(Column(name, Words, nullable=False) for name in _TEXTS),
    Column("judged_at", Moment, nullable=False),
    Column("correction", document()),
    UniqueConstraint("tenant", "id"),
    Index("ix_judgements_job", "tenant", "job_id", "judged_at", "seq"),
    Index("ix_judgements_age", "tenant", "judged_at", "seq"),
)
