"""Accounts: people, their roles, and what lets them in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _seq() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", kind, autoincrement=True, nullable=False)


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _keys(table: str, *unique: str) -> list[sa.schema.SchemaItem]:
    keys: list[sa.schema.SchemaItem] = [sa.PrimaryKeyConstraint("seq", name=f"pk_{table}")]
    return keys + [sa.UniqueConstraint(name, name=f"uq_{table}_{name}") for name in unique]


def upgrade() -> None:
    """Bring the tables one step on."""
    op.create_table(
        "accounts",
        _seq(),
        *_words("id", "email", "name", "department", "organisation", "profession", "phone", "language"),
        *_words("state", "wish", "password", "searched"),
        _moment("made_at"),
        _moment("seen_at", nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_keys("accounts", "id", "email"),
    )
    op.create_table(
        "account_posts",
        _seq(),
        *_words("account", "role", "tenant"),
        sa.PrimaryKeyConstraint("seq", name="pk_account_posts"),
        sa.UniqueConstraint("account", "role", "tenant", name="uq_account_posts_account_role_tenant"),
    )
    op.create_index("ix_account_posts_tenant", "account_posts", ["tenant"])
    op.create_table(
        "sessions",
        _seq(),
        *_words("id", "key", "account"),
        _moment("made_at"),
        _moment("used_at"),
        _moment("expires_at"),
        *_words("agent"),
        *_keys("sessions", "id", "key"),
    )
    op.create_index("ix_sessions_account", "sessions", ["account"])
    op.create_table(
        "api_tokens",
        _seq(),
        *_words("id", "key", "account", "name"),
        _moment("made_at"),
        _moment("expires_at"),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("nodes", sa.JSON(), nullable=False),
        _moment("used_at", nullable=True),
        *_keys("api_tokens", "id", "key"),
    )
    op.create_index("ix_api_tokens_account", "api_tokens", ["account"])
    op.create_table(
        "links",
        _seq(),
        *_words("id", "key", "kind", "email", "account"),
        sa.Column("posts", sa.JSON(), nullable=False),
        *_words("made_by"),
        _moment("made_at"),
        _moment("expires_at"),
        *_keys("links", "id", "key"),
    )
