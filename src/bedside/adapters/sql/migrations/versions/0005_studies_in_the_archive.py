"""Whether the study went into the archive with its result."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the tables one step on.

    Nothing is known of exports from before, so it is said that their studies stayed out: a study that is sent
    again with its next result is kept once, and one that is taken for there would be missing.
    """
    op.add_column("exports", sa.Column("study", sa.Text(), nullable=False, server_default="none"))
