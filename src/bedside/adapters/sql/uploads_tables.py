"""The table of uploads."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint, text

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Sequence, Words

_OPEN = text("state = 'open'")

uploads = Table(
    "uploads",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("tenant", Words, nullable=False),
    Column("id", Words, nullable=False),
    Column("person", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("fingerprint", Words, nullable=False),
    Column("files", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("part_bytes", Integer, nullable=False),
    Column("ticket", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("entry", Words, nullable=False),
    UniqueConstraint("tenant", "id"),
    # Of two tabs that begin the same at once, the second finds the first one's.
    Index(
        "ix_uploads_open",
        "tenant",
        "person",
        "fingerprint",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("ix_uploads_person", "tenant", "person", "begun_at", "seq"),
    Index("ix_uploads_state", "state", "expires_at"),
)
