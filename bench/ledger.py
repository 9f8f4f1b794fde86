"""What the queue costs: milliseconds per job and per call, and leasing with 100,000 jobs waiting.

Run ``python bench/ledger.py [--jobs 300] [--queued 100000]``. SQLite lies in a folder that is made for
it (``--folder``), on the disk whose flushes are to be measured; PostgreSQL is a server started for the
run, flushing at each commit, and left out where its programs are missing.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sqlalchemy import insert, text

from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.rows import job_row
from bedside.adapters.sql.schema import jobs
from bedside.domain.job import Job, Lease
from ledger_samples import make_arrival, make_job, make_pipeline, make_result
from services import run_postgres

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def new_job(number: int) -> Job:
    return make_job(
        make_arrival(number, subject=f"1.2.{number}"), created_at=NOW + timedelta(milliseconds=number)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    print("| database | enqueue | lease | extend | complete | job, all four | idle lease | lease of many |")
    print("|---|---|---|---|---|---|---|---|")
    for name, database in (("SQLite (file, WAL, FULL)", sqlite), ("PostgreSQL (socket)", postgresql)):
        with database(options.folder) as ledger:
            print(row(name, measure(ledger, options.jobs, options.queued)), flush=True)
    print(f"\nMedian ms (95th percentile) of {options.jobs} jobs; many = {options.queued} queued.")


@contextmanager
def sqlite(folder: Path | None) -> Iterator[SqlLedger]:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        ledger = SqlLedger(f"sqlite:///{made}/ledger.db")
        ledger.prepare()
        yield ledger
        ledger.close()


@contextmanager
def postgresql(_folder: Path | None) -> Iterator[SqlLedger]:
    with run_postgres(durable=True) as server:
        ledger = SqlLedger(server.database())
        ledger.prepare()
        yield ledger
        ledger.close()


def measure(ledger: SqlLedger, count: int, queued: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[], object]) -> object:
        start = time.perf_counter()
        value = call()
        times.setdefault(name, []).append((time.perf_counter() - start) * 1000)
        return value

    for number in range(1, count + 1):
        job = new_job(number)
        timed("enqueue", lambda job=job: ledger.enqueue(job))
        lease = timed("lease", lambda: take(ledger))
        assert isinstance(lease, Lease)
        lease = timed("extend", lambda lease=lease: beat(ledger, lease))
        assert isinstance(lease, Lease)
        result = make_result(lease)
        timed("complete", lambda lease=lease, result=result: ledger.complete(lease, result, now=NOW))
    times["job"] = [sum(four) for four in zip(*times.values(), strict=True)]
    for _ in range(50):
        timed("idle", lambda: take(ledger))
    fill(ledger, count + 1, queued)
    for _ in range(100):
        timed("many", lambda: take(ledger))
    return times


def take(ledger: SqlLedger) -> Lease | None:
    return ledger.lease(pools=("default",), worker="bench", now=NOW + timedelta(days=9), lease_s=60)


def beat(ledger: SqlLedger, lease: Lease) -> Lease:
    return ledger.extend(lease, now=NOW, lease_s=60, progress=0.5, doing="forward")


def fill(ledger: SqlLedger, first: int, count: int) -> None:
    """Queue many jobs at once, half of them in another pool and half delayed for ever."""
    sample = new_job(0)
    later = NOW + timedelta(days=999)
    other = make_pipeline(pools=("other",))
    with ledger._database.write() as connection:
        for start in range(first, first + count, 5000):
            block = [
                replace(
                    sample,
                    id=f"{n:020}",
                    identity=f"{n:020}",
                    created_at=NOW + timedelta(milliseconds=n),
                    pipeline=other if n % 4 == 0 else sample.pipeline,
                    not_before=later if n % 4 == 1 else NOW,
                )
                for n in range(start, min(start + 5000, first + count))
            ]
            connection.execute(insert(jobs), [job_row(job) for job in block])
    with ledger._database.write() as connection:
        connection.execute(text("ANALYZE"))


def row(name: str, times: dict[str, list[float]]) -> str:
    cells = []
    for key in ("enqueue", "lease", "extend", "complete", "job", "idle", "many"):
        ordered = sorted(times[key])
        cells.append(f"{statistics.median(ordered):.2f} ({ordered[int(len(ordered) * 0.95)]:.2f})")
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
