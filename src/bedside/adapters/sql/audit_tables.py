"""The audit trail's table. Triggers refuse to change it; the migration that makes it makes them."""

from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Words, document

audit = Table(
    "audit",
    metadata,
    # Not counted by the database: its numbers have gaps after a transaction that failed.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("person", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("tenant", Words, nullable=False),
    Column("object", Words, nullable=False),
    Column("detail", document(), nullable=False),
    Column("before", Words, nullable=False),
    Column("hash", Words, nullable=False),
    UniqueConstraint("before"),  # two records never follow the same one
    Index("ix_audit_person", "person", "number"),
    Index("ix_audit_object", "object", "number"),
    Index("ix_audit_tenant", "tenant", "number"),
)
