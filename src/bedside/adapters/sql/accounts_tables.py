"""The tables of accounts, sessions, tokens and one-time links.

Roles have rows of their own, since lists are cut to the nodes that somebody administers.
"""

from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint

from bedside.adapters.sql.schema import metadata
from bedside.adapters.sql.types import Moment, Sequence, Words, document


def _seq() -> Column[int]:
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def _words(name: str) -> Column[str]:
    return Column(name, Words, nullable=False)


def _moment(name: str) -> Column[object]:
    return Column(name, Moment, nullable=False)


accounts = Table(
    "accounts",
    metadata,
    _seq(),
    _words("id"),
    _words("email"),
    _words("name"),
    _words("department"),
    _words("organisation"),
    _words("profession"),
    _words("phone"),
    _words("language"),
    _words("state"),
    _words("wish"),
    _words("password"),
    _words("searched"),
    _moment("made_at"),
    Column("seen_at", Moment),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("email"),
)

account_posts = Table(
    "account_posts",
    metadata,
    _seq(),
    _words("account"),
    _words("role"),
    _words("tenant"),  # the node; named so since it goes with everything else of a tenant
    UniqueConstraint("account", "role", "tenant"),
    Index(None, "tenant"),
)

sessions = Table(
    "sessions",
    metadata,
    _seq(),
    _words("id"),
    _words("key"),
    _words("account"),
    _moment("made_at"),
    _moment("used_at"),
    _moment("expires_at"),
    _words("agent"),
    UniqueConstraint("id"),
    UniqueConstraint("key"),
    Index(None, "account"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _seq(),
    _words("id"),
    _words("key"),
    _words("account"),
    _words("name"),
    _moment("made_at"),
    _moment("expires_at"),
    Column("rights", document(), nullable=False),
    Column("nodes", document(), nullable=False),
    Column("used_at", Moment),
    UniqueConstraint("id"),
    UniqueConstraint("key"),
    Index(None, "account"),
)

links = Table(
    "links",
    metadata,
    _seq(),
    _words("id"),
    _words("key"),
    _words("kind"),
    _words("email"),
    _words("account"),
    Column("posts", document(), nullable=False),
    _words("made_by"),
    _moment("made_at"),
    _moment("expires_at"),
    UniqueConstraint("id"),
    UniqueConstraint("key"),
)
