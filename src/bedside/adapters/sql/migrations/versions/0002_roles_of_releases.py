"""Roles of releases: promotions, names, shadows and how they compare."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the tables one step on; what is there was made of bundles, and was delivered."""
    op.add_column("releases", sa.Column("kind", sa.Text(), nullable=False, server_default="bundle"))
    op.add_column("releases", sa.Column("source", sa.Text(), nullable=False, server_default=""))
    op.add_column("releases", sa.Column("size_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("role", sa.Text(), nullable=False, server_default="current"))
    op.create_index("ix_jobs_role", "jobs", ["role", "state", "created_at", "seq"], unique=False)
    # Results from before have no track: only a later version under the same release supersedes them.
    op.add_column("results", sa.Column("track", sa.Text(), nullable=False, server_default=""))
    op.add_column("results", sa.Column("role", sa.Text(), nullable=False, server_default="current"))
    op.create_table(
        "release_names",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("named_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_release_names")),
        sa.UniqueConstraint("name", name=op.f("uq_release_names_name")),
    )
    op.create_table(
        "promotions",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_promotions")),
    )
    op.create_index("ix_promotions_place", "promotions", ["pipeline", "stage", "role", "seq"], unique=False)
    op.create_table(
        "comparisons",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("arrival_id", sa.Text(), nullable=False),
        sa.Column("shadow_job", sa.Text(), nullable=False),
        sa.Column("current_job", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "shadow_job"], ["jobs.tenant", "jobs.id"], name=op.f("fk_comparisons_jobs")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_comparisons")),
        sa.UniqueConstraint("tenant", "shadow_job", name=op.f("uq_comparisons_tenant_shadow_job")),
    )
    op.create_index(
        "ix_comparisons_release",
        "comparisons",
        ["tenant", "pipeline", "release", "compared_at", "seq"],
        unique=False,
    )
