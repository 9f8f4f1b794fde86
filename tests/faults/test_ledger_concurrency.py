"""Many workers on one ledger, and workers that die in the middle: each job is done once, nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.adapters.sql import SqlLedger, results, statements
from bedside.domain import moves
from bedside.domain.arrival import Arrival
from bedside.domain.job import JobState
from bedside.errors import Overtaken, StaleLease, UsageError
from bedside.ports import JobFilter
from ledger_samples import T0, at, make_arrival, make_job, make_pipeline, make_result
from services import PostgresServer

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))]
WORKERS = 4
JOBS = 60
TESTS = Path(__file__).resolve().parents[1]

#: A worker: leases until nothing is due, beats once, completes; a name in argv[3] makes it die there.
#: It says when it has its first lease and waits for the word to go on, so that all hold one at a time.
WORKER = """
import os, signal, sys
sys.path.insert(0, sys.argv[4])
from bedside.adapters.sql import SqlLedger, results, statements, leases
from bedside.adapters.sql.engine import Database
from ledger_samples import T0, make_result

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

ledger, name, where = SqlLedger(sys.argv[1]), sys.argv[2], sys.argv[3]
if where == "in-complete":
    leases.add_result = die  # after the job became SUCCEEDED in this transaction, before its result
ledger.jobs("ward", __import__("bedside.ports").ports.JobFilter(), limit=1)

def wait(word):
    print(word, flush=True)
    sys.stdin.readline()

wait("ready")
first = True
while lease := ledger.lease(pools=(), worker=name, now=T0, lease_s=60):
    if first:
        wait("leased")
        first = False
    if where == "holding":
        die()
    ledger.extend(lease, now=T0, lease_s=60, progress=0.5, doing="forward")
    ledger.complete(lease, make_result(lease), now=T0)
"""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def ledger(url: str) -> Iterator[SqlLedger]:
    made = SqlLedger(url)
    made.prepare()
    yield made
    made.close()


def start(url: str, name: str, where: str = "") -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, name, where, str(TESTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def go(processes: list["subprocess.Popen[bytes]"]) -> list[int]:
    """Let them race for their first lease, then from there on; return how they ended."""
    for word in (b"ready\n", b"leased\n"):
        for process in processes:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == word, process.stderr.read().decode()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
    ended = []
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), err.decode()
        ended.append(process.returncode)
    return ended


def test_many_processes_do_each_job_once(url: str, ledger: SqlLedger) -> None:
    """All jobs are runs of three studies, so that their results supersede one another all the time."""
    for n in range(JOBS):
        arrival = replace(make_arrival(n + 1, subject=f"1.{n % 3}"), version=n // 3 + 1)
        ledger.enqueue(make_job(arrival))
    assert go([start(url, f"w{n}") for n in range(WORKERS)]) == [0] * WORKERS
    jobs = ledger.jobs("ward", JobFilter(), limit=JOBS * 2)
    assert Counter(job.state for job in jobs) == {JobState.SUCCEEDED: JOBS}
    assert {(job.fence, job.attempts, job.progress) for job in jobs} == {(1, 1, 1.0)}
    assert {job.worker for job in jobs} == {f"w{n}" for n in range(WORKERS)}
    actions = Counter(event.action for event in ledger.events("ward"))
    assert actions["job.lease"] == actions["job.complete"] == JOBS
    assert len(ledger.results("ward", current_only=False)) == JOBS
    current = {ledger.job("ward", r.job_id).arrival_version for r in ledger.results("ward")}
    assert len(ledger.results("ward")) == 3
    assert current == {JOBS // 3}
    assert actions["result.superseded"] == JOBS - 3


@pytest.mark.parametrize("where", ["holding", "in-complete"])
def test_a_killed_worker_leaves_a_whole_ledger(url: str, ledger: SqlLedger, where: str) -> None:
    for n in range(3):
        ledger.enqueue(make_job(make_arrival(n + 1, subject=f"1.{n}")))
    assert go([start(url, "dies", where)]) == [-signal.SIGKILL]
    (held,) = ledger.jobs("ward", JobFilter(states=frozenset({JobState.RUNNING})))
    assert held.worker == "dies"
    assert ledger.result("ward", held.id) is None
    assert "job.complete" not in {event.action for event in ledger.events("ward", job_id=held.id)}
    (queued,) = ledger.expire(at(3600))
    assert (queued.id, queued.state, queued.attempts) == (held.id, JobState.QUEUED, 1)
    # its lease comes from a clock an hour on, so that it is due for the heir
    lease = ledger.lease(pools=(), worker="heir", now=at(3600), lease_s=60)
    assert lease is not None
    ledger.complete(lease, make_result(lease), now=at(3600))
    assert go([start(url, "next")]) == [0]
    assert {job.state for job in ledger.jobs("ward", JobFilter())} == {JobState.SUCCEEDED}
    assert len(ledger.results("ward")) == 3


def race(calls: list[Callable[[], object]]) -> list[object]:
    """Make calls at the same time; what they return or refuse with."""

    def guarded(call: Callable[[], object]) -> object:
        try:
            return call()
        except (UsageError, StaleLease) as refused:
            return refused

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(guarded, call) for call in calls]]


def test_versions_of_a_study_that_come_at_once_are_numbered_without_gap(ledger: SqlLedger) -> None:
    arrivals = [make_arrival(n + 1) for n in range(8)]
    recorded = race([lambda a=a: ledger.add_arrival(a) for a in arrivals])  # type: ignore[misc]
    assert sorted(a.version for a in recorded if isinstance(a, Arrival)) == list(range(1, 9))


def test_of_versions_joined_with_the_same_one_at_once_the_first_is_recorded(ledger: SqlLedger) -> None:
    def record(n: int) -> str:
        try:
            return f"version {ledger.add_arrival(make_arrival(n + 1), after=0).version}"
        except Overtaken:
            return "overtaken"

    told = race([lambda n=n: record(n) for n in range(8)])  # type: ignore[misc]
    assert Counter(told) == {"version 1": 1, "overtaken": 7}


def test_the_same_arrival_and_job_at_once_are_one(ledger: SqlLedger) -> None:
    assert len(set(race([lambda: ledger.add_arrival(make_arrival(1)).version] * 8))) == 1
    made = race([lambda: ledger.enqueue(make_job())[1]] * 8)
    assert Counter(made) == {True: 1, False: 7}
    assert len(ledger.events("ward", job_id=make_job().id)) == 1


def test_one_of_many_reruns_at_once_is_made(ledger: SqlLedger) -> None:
    job, _ = ledger.enqueue(make_job())
    lease = ledger.lease(pools=(), worker="w", now=T0, lease_s=60)
    assert lease is not None
    ledger.complete(lease, make_result(lease), now=T0)
    answers = race([lambda: ledger.rerun("ward", job.id, at(1))] * 6)
    assert sum(not isinstance(answer, UsageError) for answer in answers) == 1
    assert len(ledger.jobs("ward", JobFilter())) == 2


def test_cancel_and_complete_at_once_agree(ledger: SqlLedger) -> None:
    """Whichever is first wins; never a cancelled job with a result."""
    for n in range(10):
        ledger.enqueue(make_job(make_arrival(n + 1, subject=f"1.{n}")))
        lease = ledger.lease(pools=(), worker="w", now=T0, lease_s=60)
        assert lease is not None

        complete = lambda lease=lease: ledger.complete(lease, make_result(lease), now=T0)  # noqa: E731
        race([complete, lambda lease=lease: ledger.cancel("ward", lease.job.id, T0)])  # type: ignore[misc]
        state = ledger.job("ward", lease.job.id).state
        assert (ledger.result("ward", lease.job.id) is not None) == (state is JobState.SUCCEEDED)


@pytest.mark.needs("initdb", "pg_ctl")
def test_a_rival_that_ends_meanwhile_is_waited_for(postgres: PostgresServer) -> None:
    """Each transaction alone would see no other result, and both would be current."""
    ledger = SqlLedger(postgres.database())
    ledger.prepare()
    for version in (1, 2):
        ledger.enqueue(make_job(replace(make_arrival(*range(version)), version=version)))
    first, second = (ledger.lease(pools=(), worker="w", now=T0, lease_s=60) for _ in range(2))
    assert first is not None and second is not None
    with ThreadPoolExecutor(1) as pool:
        with ledger._database.write() as connection:
            results.hold_rivals(connection, first.job)
            job = statements.record(connection, moves.complete(first.job, T0))
            results.add_result(connection, job, make_result(first), T0)
            other = pool.submit(ledger.complete, second, make_result(second), now=T0)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.5)
        other.result(timeout=30)
    assert [found.job_id for found in ledger.results("ward")] == [second.job.id]
    ledger.close()


def test_expire_at_once_counts_each_job_once(ledger: SqlLedger) -> None:
    for n in range(10):
        ledger.enqueue(make_job(make_arrival(n + 1), make_pipeline(max_attempts=9)))
        ledger.lease(pools=(), worker="w", now=T0, lease_s=1)
    expired = race([lambda: [job.id for job in ledger.expire(at(60))]] * 4)
    ids = [job_id for found in expired if isinstance(found, list) for job_id in found]
    assert len(ids) == len(set(ids)) == 10
    actions = Counter(event.action for event in ledger.events("ward"))
    assert actions["job.expire"] == 10


def test_a_writer_stopped_in_mid_transaction_holds_nobody_for_ever(tmp_path: Path) -> None:
    """SQLite's lock goes with the process that held it."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = SqlLedger(url)
    ledger.prepare()
    code = (
        "import sys, time; from bedside.adapters.sql.engine import Database; from sqlalchemy import text\n"
        "with Database(sys.argv[1]).write() as c:\n"
        '    c.execute(text("INSERT INTO releases (digest, name, version, added_at) "\n'
        "                   \"VALUES ('x', 'x', 'x', '2026-01-01')\"))\n"
        "    print('inside', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"inside\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    began = time.monotonic()
    assert ledger.enqueue(make_job())[1]
    assert time.monotonic() - began < 5
    assert ledger.releases() == []
