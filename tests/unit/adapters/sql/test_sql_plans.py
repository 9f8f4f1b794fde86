"""Leasing stays quick however many jobs wait: the plan reads an index in order and sorts nothing."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, text

from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.rows import job_row
from bedside.adapters.sql.schema import jobs
from bedside.domain.job import Lease
from ledger_samples import T0, at, make_arrival, make_job, make_pipeline
from services import PostgresServer

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))]
MANY = 20_000


@pytest.fixture(params=KINDS, scope="module")
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """A ledger with many jobs waiting, every third of them delayed, in two pools."""
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("busy") / "ledger.db"
        ledger = SqlLedger(f"sqlite:///{path}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        ledger = SqlLedger(server.database())
    ledger.prepare()
    _fill(ledger)
    yield ledger
    ledger.close()


def _fill(ledger: SqlLedger) -> None:
    row = job_row(make_job(make_arrival(1)))
    far = at(10**8)
    rows = [
        row
        | {
            "id": f"{n}",
            "identity": f"{n}",
            "pool": "rare" if n > MANY - 10 else "default",
            "created_at": at(n),
            "not_before": far if n % 3 == 0 else T0,
            "priority": n % 5,
        }
        for n in range(MANY)
    ]
    with ledger._database.write() as connection:
        connection.execute(insert(jobs), rows)
    with ledger._database.write() as connection:
        connection.execute(text("ANALYZE"))


def _take(ledger: SqlLedger, *pools: str) -> Lease | None:
    return ledger.lease(pools=pools, worker="w", now=T0, lease_s=60)


@pytest.mark.parametrize(
    ("pools", "index"),
    [((), "ix_jobs_due"), (("default",), "ix_jobs_due"), (("rare",), "ix_jobs_due_in_pool")],
)
def test_the_lease_reads_one_index_in_order(busy: SqlLedger, pools: tuple[str, ...], index: str) -> None:
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, values: object, *_: object) -> None:
        if "FROM jobs" in statement and "ORDER BY" in statement and not plans:
            words = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            plans.append("")
            found = connection.exec_driver_sql(f"{words} {statement}", values).all()  # type: ignore[arg-type]
            plans[0] = "\n".join(" ".join(map(str, line)) for line in found)

    engine = busy._database.engine
    event.listen(engine, "before_cursor_execute", explain)
    try:
        lease = _take(busy, *pools)
    finally:
        event.remove(engine, "before_cursor_execute", explain)
    assert lease is not None
    assert index in plans[0]
    assert "TEMP B-TREE" not in plans[0] and "Sort" not in plans[0], plans[0]


@pytest.mark.parametrize("pools", [(), ("default",), ("rare",), ("rare", "default")])
def test_a_lease_among_many_takes_milliseconds(busy: SqlLedger, pools: tuple[str, ...]) -> None:
    best = min(_seconds(busy, pools) for _ in range(3))
    assert best < 0.05


def _seconds(ledger: SqlLedger, pools: tuple[str, ...]) -> float:
    start = time.perf_counter()
    assert _take(ledger, *pools) is not None
    return time.perf_counter() - start


def test_the_pool_of_a_stage_is_a_column_of_its_own(busy: SqlLedger) -> None:
    """Or the index could not serve a pipeline whose second stage runs elsewhere."""
    job = make_job(make_arrival(2), make_pipeline(pools=("cpu", "gpu")))
    assert job_row(job)["pool"] == "cpu"
    assert job_row(replace(job, stage_index=1))["pool"] == "gpu"
