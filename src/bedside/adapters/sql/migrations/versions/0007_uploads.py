"""Uploads that people send in parts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OPEN = sa.text("state = 'open'")
_TEXTS = ("tenant", "id", "person", "name", "fingerprint", "ticket", "state", "entry")
_MOMENTS = ("begun_at", "changed_at", "expires_at")


def upgrade() -> None:
    """Bring the tables one step on."""
    op.create_table(
        "uploads",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in _MOMENTS),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_uploads")),
        sa.UniqueConstraint("tenant", "id", name=op.f("uq_uploads_tenant_id")),
    )
    op.create_index(
        "ix_uploads_open",
        "uploads",
        ["tenant", "person", "fingerprint"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("ix_uploads_person", "uploads", ["tenant", "person", "begun_at", "seq"])
    op.create_index("ix_uploads_state", "uploads", ["state", "expires_at"])
