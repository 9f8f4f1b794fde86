"""Accounts' numbers at identity providers, and the roles that groups there give."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _seq() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", kind, autoincrement=True, nullable=False)


def upgrade() -> None:
    """Bring the tables one step on."""
    op.create_table(
        "account_identities",
        _seq(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("issuer", "subject", "account")),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_account_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_account_identities_issuer_subject"),
    )
    op.create_index("ix_account_identities_account", "account_identities", ["account"])
    op.create_table(
        "account_grants",
        _seq(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("account", "role", "tenant")),
        sa.PrimaryKeyConstraint("seq", name="pk_account_grants"),
        sa.UniqueConstraint("account", "role", "tenant", name="uq_account_grants_account_role_tenant"),
    )
    op.create_index("ix_account_grants_tenant", "account_grants", ["tenant"])
