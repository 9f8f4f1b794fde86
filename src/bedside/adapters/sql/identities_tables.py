"""The tables of accounts' numbers at identity providers, and of roles that groups there give."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Sequence, Words


def _seq() -> Column[int]:
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def _words(name: str) -> Column[str]:
    return Column(name, Words, nullable=False)


identities = Table(
    "account_identities",
    metadata,
    _seq(),
    _words("issuer"),
    _words("subject"),
    _words("account"),
    Column("linked_at", Moment, nullable=False),
    UniqueConstraint("issuer", "subject"),
    Index(None, "account"),
)

grants = Table(
    "account_grants",
    metadata,
    _seq(),
    _words("account"),
    _words("role"),
    _words("tenant"),  # the node
    UniqueConstraint("account", "role", "tenant"),
    Index(None, "tenant"),
)
