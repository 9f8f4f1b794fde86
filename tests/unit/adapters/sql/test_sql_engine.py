"""Opening databases, and the one place where their errors become ours."""

import sqlite3
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from bedside.adapters.sql import SqlLedger, engine
from bedside.adapters.sql.engine import Database
from bedside.errors import ConfigError, Unavailable, UsageError
from bedside.ports import JobFilter
from ledger_samples import T0, make_arrival, make_job
from services import PostgresServer


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a SQLAlchemy URL"),
        ("ledger.db", "not a SQLAlchemy URL"),
        ("mysql://root:secret@db/x", "mysql is not supported"),
        ("sqlite://", "would forget everything"),
        ("sqlite:///:memory:", "would forget everything"),
    ],
)
def test_urls_that_cannot_be_meant(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        SqlLedger(url)
    assert "secret" not in caught.value.message + caught.value.hint


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError) as caught:
        SqlLedger("postgresql://db/x")
    assert caught.value.hint == "pip install 'bedside[postgres]'"


def test_no_server_is_unavailable_and_the_password_stays_secret(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    ledger = SqlLedger(f"postgresql://bedside:hunter2@/x?host={tmp_path}")
    with pytest.raises(Unavailable, match="ledger: ") as caught:
        ledger.prepare()
    assert "hunter2" not in caught.value.message


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("this is not a database, whatever its name says" * 100)
    with pytest.raises(Unavailable):
        SqlLedger(f"sqlite:///{tmp_path}/ledger.db").prepare()


def test_tables_that_are_not_there_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such table"):
        SqlLedger(f"sqlite:///{tmp_path}/ledger.db").jobs("ward", JobFilter())


def test_values_are_not_quoted_in_messages(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (name TEXT CHECK (name = 'x'))"))
    with pytest.raises(Unavailable) as caught, database.write() as connection:
        connection.execute(text("INSERT INTO t VALUES ('Doe^Jane')"))
    assert caught.value.message == "ledger: IntegrityError"


def test_a_lock_that_does_not_open_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_S", 0.2)
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"):
        ledger.enqueue(make_job())
    assert ledger.jobs("ward", JobFilter()) == []  # readers go on
    other.execute("ROLLBACK")
    assert ledger.enqueue(make_job())[1]


@pytest.mark.needs("initdb", "pg_ctl")
def test_a_cut_session_costs_the_next_call_nothing(postgres: PostgresServer) -> None:
    """As after a restart of the server: pooled sessions are gone."""
    ledger = SqlLedger(postgres.database())
    ledger.prepare()
    ledger.enqueue(make_job())
    killer = Database(str(ledger._database.url.render_as_string(hide_password=False)))
    with killer.write() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert len(ledger.jobs("ward", JobFilter())) == 1
    killer.close()
    ledger.close()


def test_any_zone_goes_in_and_utc_comes_out(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    madrid = timezone(timedelta(hours=2))
    job, _ = ledger.enqueue(make_job(created_at=T0.astimezone(madrid)))
    assert job.created_at == T0
    assert job.created_at.utcoffset() == timedelta(0)
    assert ledger.lease(pools=(), worker="w", now=T0 - timedelta(microseconds=1), lease_s=1) is None
    assert ledger.lease(pools=(), worker="w", now=T0.astimezone(madrid), lease_s=1) is not None


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    with pytest.raises(UsageError, match="no time zone"):
        ledger.add_arrival(make_arrival(received_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    for n in range(40):
        ledger.enqueue(make_job(make_arrival(n + 1)))
    taken: list[str] = []

    def work() -> None:
        while lease := ledger.lease(pools=(), worker="w", now=T0, lease_s=60):
            taken.append(lease.job.id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40
