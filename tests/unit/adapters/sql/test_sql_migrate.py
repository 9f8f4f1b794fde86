"""The schema: migrations give the tables of the code, at every start, from several processes, never back."""

import stat
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table, inspect, text

from bedside.adapters.sql import SqlLedger, migrations, release_rows, rows
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.schema import metadata
from bedside.domain.arrival import summary
from bedside.domain.export import StudyPart
from bedside.errors import ConfigError, Unavailable
from bedside.ports import JobFilter, StudyFilter
from ledger_samples import T0, make_arrival, make_job, make_release, make_result
from services import PostgresServer

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))]
PREPARE = (
    "import sys; from bedside.adapters.sql import SqlLedger; ledger = SqlLedger(sys.argv[1]);"
    "ledger.prepare(); print(len(ledger.jobs('ward', __import__('bedside.ports').ports.JobFilter())))"
)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/er/ledger.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


def test_migrated_tables_are_those_of_the_code(url: str) -> None:
    SqlLedger(url).prepare()
    with Database(url).read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        found = {index["name"] for index in inspect(connection).get_indexes("jobs")}
    assert {"ix_jobs_due", "ix_jobs_due_in_pool", "ix_jobs_subject"} <= found


def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    ledger = SqlLedger(url)
    ledger.prepare()
    with Database(url).write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="9999 is newer than this bedside knows") as caught:
        ledger.prepare()
    assert "upgrade" in caught.value.hint


def test_an_upgrade_that_fails_half_way_leaves_nothing(url: str) -> None:
    """Tables and version go together: the next start begins where this one did."""
    if url.startswith("sqlite"):
        database = Database(url)
        Path(str(database.file)).parent.mkdir(parents=True)
    with Database(url).write() as connection:
        connection.execute(text("CREATE TABLE releases (x INTEGER)"))
    with pytest.raises(Unavailable):
        SqlLedger(url).prepare()
    with Database(url).read() as connection:
        assert inspect(connection).get_table_names() == ["releases"]


def test_processes_that_start_together_all_find_it_ready(url: str) -> None:
    command = [sys.executable, "-c", PREPARE, url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in started:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b"0\n"), err.decode()


def test_sqlite_file_is_durable_and_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqlLedger(f"sqlite:///{path}")
    ledger.prepare()
    ledger.enqueue(make_job())
    with Database(f"sqlite:///{path}").read() as connection:
        found = {p: connection.execute(text(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "synchronous")}
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    assert found == {"journal_mode": "wal", "synchronous": 2}
    for part in tmp_path.iterdir():
        assert stat.S_IMODE(part.stat().st_mode) == 0o600, part.name


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="ledger: "):
        SqlLedger(f"sqlite:///{tmp_path}/file/ledger.db").prepare()


def test_what_was_recorded_outlives_the_object(url: str) -> None:
    first = SqlLedger(url)
    first.prepare()
    job, _ = first.enqueue(make_job())
    first.close()
    again = SqlLedger(url)
    again.prepare()
    assert again.jobs("ward", JobFilter()) == [job]
    again.close()


def test_what_the_first_schema_held_is_read_after_upgrading(url: str) -> None:
    """Releases were bundles, jobs were delivered, and results have a later version supersede them."""
    if url.startswith("sqlite"):
        Path(str(Database(url).file)).parent.mkdir(parents=True)
    first, second = (make_arrival(*seeds) for seeds in ((1,), (1, 2)))
    old, release = make_job(replace(first, version=1)), make_release()
    with Database(url).write() as connection:
        config = Config()
        config.set_main_option("script_location", "bedside.adapters.sql:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        added = {"kind", "source", "size_bytes", "role", "track"}
        rows_of = {
            "releases": release_rows.release_row(release),
            "arrivals": rows.arrival_row(replace(first, version=1)),
            "jobs": rows.job_row(old),
        }
        for name, row in rows_of.items():
            table = metadata.tables[name]
            new = {"instances", "size_bytes", "started"} if name == "arrivals" else added
            kept = {k: v for k, v in row.items() if k not in new}
            known = [column for column in table.c if column.name in kept]
            connection.execute(Table(name, MetaData(), *(c._copy() for c in known)).insert(), kept)
    ledger = SqlLedger(url)
    ledger.prepare()
    assert ledger.releases() == [release]
    assert ledger.job("ward", old.id) == old
    assert ledger.studies("ward", StudyFilter()) == [summary(replace(first, version=1))]
    assert ledger.studies("ward", StudyFilter(without_job=True)) == []
    assert ledger.standing() == []
    assert complete_next(ledger) == old.id
    late, _ = ledger.enqueue(make_job(ledger.add_arrival(second)))
    assert complete_next(ledger) == late.id
    assert [result.job_id for result in ledger.results("ward")] == [late.id]
    ledger.close()


def test_of_exports_from_before_it_is_not_said_that_their_study_is_there(url: str) -> None:
    if url.startswith("sqlite"):
        Path(str(Database(url).file)).parent.mkdir(parents=True)
    ledger = SqlLedger(url)
    ledger.prepare()
    ledger.enqueue(make_job(ledger.add_arrival(make_arrival(1))))
    lease = ledger.lease(pools=(), worker="w", now=T0, lease_s=60)
    assert lease is not None
    job = ledger.complete(lease, make_result(lease), now=T0, archive=True)
    before = ledger.export("ward", job.id)
    ledger.close()
    with Database(url).write() as connection:
        connection.exec_driver_sql("alter table exports drop column study")
        # That step alone: the later ones have been made.
        with Operations.context(MigrationContext.configure(connection)):
            import_module(f"{migrations.__name__}.versions.0005_studies_in_the_archive").upgrade()
    ledger = SqlLedger(url)
    assert before is not None and ledger.export("ward", job.id) == before
    assert before.study is StudyPart.NONE
    ledger.close()


def complete_next(ledger: SqlLedger) -> str:
    lease = ledger.lease(pools=(), worker="w", now=T0, lease_s=60)
    assert lease is not None
    return ledger.complete(lease, make_result(lease), now=T0).id
