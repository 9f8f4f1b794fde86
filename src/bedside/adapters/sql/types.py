"""Column types that mean the same on SQLite and PostgreSQL: moments, text, JSON.

They refuse naive times, and make text storable: what a child process says may hold NUL or lone
surrogates, which PostgreSQL refuses, and a job must not hang on its last words.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bedside.errors import UsageError

#: Grows with every row; SQLite counts by itself only in a column spelled INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time, in and out in UTC; SQLite keeps it without its zone, as sortable text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn to UTC; refuse a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise UsageError(f"ledger: {value.isoformat()} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Return it in UTC, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text; NUL and lone surrogates become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replace what a database cannot hold."""
        if value is None or (value.isascii() and "\x00" not in value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def document() -> JSON:
    """Return the type of a JSON column: kept as text, key order included, escapes and all."""
    return JSON(none_as_null=True)


#: Values of one row by column name.
Row = dict[str, Any]
