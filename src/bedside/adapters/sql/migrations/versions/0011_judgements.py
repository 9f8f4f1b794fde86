"""What people said of results."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TEXTS = (
    "tenant", "id", "job_id", "arrival_id", "pipeline", "release", "verdict", "reason", "comment", "reviewer",
)  # fmt: skip


def upgrade() -> None:
    """Bring the tables one step on."""
    op.create_table(
        "judgements",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("correction", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_judgements")),
        sa.UniqueConstraint("tenant", "id", name=op.f("uq_judgements_tenant_id")),
    )
    op.create_index("ix_judgements_job", "judgements", ["tenant", "job_id", "judged_at", "seq"])
    op.create_index("ix_judgements_age", "judgements", ["tenant", "judged_at", "seq"])
