"""An index for figures: jobs by when they ended, with what is counted of them."""

from collections.abc import Sequence

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the tables one step on."""
    op.create_index("ix_jobs_ended", "jobs", ["ended_at", "tenant", "state"])
