"""Connections: how each database is opened, and the two kinds of transaction.

SQLite runs in WAL mode with synchronous=FULL, so that what a call recorded survives a power cut; a
writing transaction takes its lock at the start (BEGIN IMMEDIATE), because one that turns from reading
to writing half-way fails at once instead of waiting.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from bedside.adapters.sql.errors import translated
from bedside.config.authorities import authorities
from bedside.domain.matching import fits
from bedside.errors import ConfigError

#: Longer than any transaction of ours, also on a slow disk with many workers.
LOCK_WAIT_S = 30
#: A session that sleeps inside a transaction (a suspended machine) must not hold its rows for ever.
IDLE_IN_TRANSACTION_S = 60


class Database:
    """One database, by its SQLAlchemy URL; connects at the first call."""

    def __init__(self, url: str) -> None:
        self.url = _url(url)
        self.engine = _engine(self.url)
        self._writer = self.engine.execution_options(bedside_writes=True)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run one transaction that changes something; all of it happens, or nothing."""
        with translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that only reads."""
        with translated(), self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise ConfigError(
            "ledger.url: not a SQLAlchemy URL",
            hint="use sqlite:////path/ledger.db or postgresql://user@host/name",
        ) from exc
    backend = url.get_backend_name()
    if backend == "postgresql":
        bundle = authorities(url.host or "", url.query, os.environ)
        trusting = url.update_query_dict({"sslrootcert": str(bundle)}) if bundle else url
        return trusting.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigError(f"ledger.url: {backend} is not supported, only sqlite and postgresql")
    if url.database in (None, "", ":memory:"):
        raise ConfigError("ledger.url: SQLite without a file would forget everything at exit")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, json_serializer=_to_json, connect_args={"timeout": LOCK_WAIT_S})
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    settings = {
        "timezone": "UTC",
        "lock_timeout": f"{LOCK_WAIT_S}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
    }
    options = " ".join(f"-c {key}={value}" for key, value in settings.items())
    try:
        return create_engine(
            url,
            json_serializer=_to_json,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,  # a restarted server costs nobody an attempt
            connect_args={"connect_timeout": 10, "options": options, "application_name": "bedside"},
        )
    except ModuleNotFoundError as exc:
        raise ConfigError(
            "ledger.url: PostgreSQL needs psycopg, which is not installed",
            hint="pip install 'bedside[postgres]'",
        ) from exc


def _to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _open_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # SQLAlchemy's own goes back and forth for ever over patterns with many stars.
    connection.create_function("regexp", 2, _fits, deterministic=True)
    connection.isolation_level = None  # the driver begins no transaction of its own; _begin_sqlite does
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _fits(pattern: str, value: str | None) -> bool | None:
    return None if value is None else fits(pattern, value)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("bedside_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def create_file(path: Path) -> None:
    """Make a SQLite database's file, readable by its owner alone: names of uploads lie in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
