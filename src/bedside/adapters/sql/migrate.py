"""Brings a database's tables to the ones this bedside knows; never back.

Several processes may start at once: the first one upgrades inside one transaction and under a lock,
the others wait and find nothing left to do. A database that a newer bedside upgraded is refused
before anything is read from it, since its rows may mean something else.
"""

import sqlite3
import time

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bedside.adapters.sql.engine import LOCK_WAIT_S, Database, create_file
from bedside.adapters.sql.errors import HINT, translated
from bedside.errors import ConfigError, Unavailable

#: Key of PostgreSQL's advisory lock; any number that no one else uses ("bedside" as ASCII).
LOCK_KEY = int.from_bytes(b"bedside", "big")


def prepare(database: Database) -> None:
    """Create or upgrade the tables.

    Raises:
        ConfigError: The tables are newer than this bedside.
        Unavailable: The file cannot be made, or the database does not answer.
    """
    if database.file is not None:
        try:
            create_file(database.file)
        except OSError as exc:
            raise Unavailable(
                f"ledger: {exc.strerror} making {database.file}", hint="bedside doctor"
            ) from exc
        _use_wal(database)
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "bedside.adapters.sql:migrations")
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise ConfigError(
            f"ledger: its schema {current} is newer than this bedside knows ({script.get_current_head()})",
            hint="pip install --upgrade bedside",
        )
    command.upgrade(config, "head")


def _use_wal(database: Database) -> None:
    """Switch the file to write-ahead logging, for good.

    SQLite answers "locked" at once, without its usual waiting, where two processes try this together.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            with translated(), database.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute("PRAGMA journal_mode = WAL")
                return
        except sqlite3.OperationalError as exc:
            if time.monotonic() > deadline:
                raise Unavailable(f"ledger: {exc}", hint=HINT) from exc
            time.sleep(0.05)
