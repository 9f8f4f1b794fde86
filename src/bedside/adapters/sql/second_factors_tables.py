"""The tables of second factors and their recovery codes."""

from sqlalchemy import BigInteger, Column, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Sequence, Words

second_factors = Table(
    "second_factors",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("account", Words, nullable=False),
    Column("secret", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    Column("last_step", BigInteger, nullable=False),
    UniqueConstraint("account"),
)

#: A row each, so that a code is used up by one statement.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("account", Words, nullable=False),
    Column("hash", Words, nullable=False),
    UniqueConstraint("account", "hash"),
)
