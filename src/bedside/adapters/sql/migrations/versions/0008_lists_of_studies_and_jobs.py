"""Lists of studies and jobs: sizes of arrivals beside their files, and indexes that hold what lists show."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SHOWN = ("received_at", "seq", "version", "subject", "id", "kind", "instances", "size_bytes", "started")
_FILTERED = ("created_at", "seq", "state", "role", "rule", "pipeline_name", "pipeline_version")
#: An arrival's files are rows of [SOP Instance UID, sha256, size, suffix].
_COUNTED = {
    "sqlite": (
        "json_array_length(files)",
        "(SELECT coalesce(sum(json_extract(f.value, '$[2]')), 0) FROM json_each(arrivals.files) AS f)",
    ),
    "postgresql": (
        "json_array_length(files)",
        "(SELECT coalesce(sum((f.value ->> 2)::bigint), 0) FROM json_array_elements(arrivals.files) AS f)",
    ),
}


def upgrade() -> None:
    """Bring the tables one step on."""
    for name, kind in (("instances", sa.Integer()), ("size_bytes", sa.BigInteger())):
        op.add_column("arrivals", sa.Column(name, kind, nullable=False, server_default="0"))
    op.add_column("arrivals", sa.Column("started", sa.Boolean(), nullable=False, server_default=sa.false()))
    instances, size = _COUNTED[op.get_bind().dialect.name]
    op.execute(f"UPDATE arrivals SET instances = {instances}, size_bytes = {size}")  # noqa: S608 - ours
    op.execute(
        "UPDATE arrivals SET started = true WHERE EXISTS (SELECT 1 FROM jobs "
        "WHERE jobs.tenant = arrivals.tenant AND jobs.arrival_id = arrivals.id)"
    )
    op.create_index("ix_arrivals_listed", "arrivals", ["tenant", *_SHOWN])
    op.create_index("ix_jobs_listed", "jobs", ["tenant", *_FILTERED, "arrival_id"])
    op.drop_index("ix_jobs_age", "jobs")
    op.drop_index("ix_jobs_arrival", "jobs")
    op.create_index("ix_jobs_arrival", "jobs", ["tenant", "arrival_id", *_FILTERED])
