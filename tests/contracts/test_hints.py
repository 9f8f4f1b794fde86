"""Hints of waiting jobs: one for each move that makes a job queued, whatever ledger it is in."""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.aws.hints import SqsHints
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.hints import MemoryHints
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.schema import metadata
from bedside.domain.job import TRANSITIONS, Job, JobEvent, JobState, Lease
from bedside.errors import NotFound, Unavailable, UsageError
from bedside.log import line
from bedside.ports import Ledger
from bedside.ports.hints import Hints
from bedside.worker.hints import PAUSE_S, Reminder, hinting
from clouds import Cloud
from ledger_samples import FAILURE, T0, at, make_arrival, make_job, make_pipeline, make_result
from services import PostgresServer

KINDS = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))]


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


class Ward:
    """A ledger that hints, and what was told."""

    def __init__(self, plain: Ledger) -> None:
        self.plain = plain
        self.hints = MemoryHints()
        self.clock = ManualClock(T0)
        self.said: list[str] = []
        self.ledger = hinting(plain, self.hints, self.clock, self.log)

    def log(self, action: str, /, **fields: object) -> None:
        self.said.append(line(action, **fields))

    def told(self) -> list[tuple[str, str, str, float]]:
        """Return the hints since the last call."""
        sent, self.hints.sent = self.hints.sent, []
        return sent

    def take(self, pool: str = "cpu", now: datetime = T0, lease_s: float = 60) -> Lease:
        lease = self.ledger.lease(pools=[pool], worker="w1", now=now, lease_s=lease_s)
        assert lease is not None
        return lease


@pytest.fixture(params=KINDS)
def ward(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ward]:
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield Ward(shared)
        return
    plain = MemoryLedger() if request.param == "memory" else SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    plain.prepare()
    yield Ward(plain)
    plain.close()


TWO = make_pipeline(pools=("cpu", "gpu"), max_attempts=2)


def queued(ward: Ward) -> Job:
    """Put a job in the ledger and forget that it was told of."""
    job, _ = ward.ledger.enqueue(make_job(pipeline=TWO))
    assert len(ward.told()) == 1
    return job


def cancelled(ward: Ward) -> Job:
    return ward.ledger.cancel("ward", queued(ward).id, T0)


def leased(ward: Ward) -> Lease:
    queued(ward)
    return ward.take()


def advanced(ward: Ward) -> Job:
    return ward.ledger.advance(leased(ward), now=T0)


def expired(ward: Ward) -> Job:
    leased(ward)
    ward.clock.advance(61)
    (job,) = ward.ledger.expire(at(61))
    return job


#: Each move that makes a job queued, and how it is made.
MOVES: dict[str, Callable[[Ward], Job]] = {
    "enqueue": lambda ward: ward.ledger.enqueue(make_job(pipeline=TWO))[0],
    "rerun": lambda ward: ward.ledger.rerun("ward", cancelled(ward).id, T0),
    JobEvent.REDRIVE: lambda ward: ward.ledger.redrive("ward", cancelled(ward).id, T0),
    JobEvent.ADVANCE: advanced,
    JobEvent.RETRY_LATER: lambda ward: ward.ledger.fail(leased(ward), FAILURE, now=T0, retry_at=T0),
    JobEvent.GIVE_BACK: lambda ward: ward.ledger.give_back(leased(ward), now=T0),
    JobEvent.EXPIRE: expired,
}


def test_the_moves_here_are_all_that_make_a_job_queued() -> None:
    queueing = {event for (_, event), state in TRANSITIONS.items() if state is JobState.QUEUED}
    assert queueing == set(MOVES) - {"enqueue", "rerun"}


@pytest.mark.parametrize("move", MOVES)
def test_a_move_that_makes_a_job_queued_tells_its_pool_once(ward: Ward, move: str) -> None:
    job = MOVES[move](ward)
    assert job.state is JobState.QUEUED
    assert ward.told() == [("ward", job.id, "gpu" if move == JobEvent.ADVANCE else "cpu", 0.0)]
    assert ward.ledger.job("ward", job.id) == job


@pytest.mark.parametrize("move", MOVES)
def test_a_hint_that_cannot_be_sent_is_logged_and_fails_no_move(ward: Ward, move: str) -> None:
    ward.hints.send = unreachable_but_for(ward, move)  # type: ignore[method-assign]
    job = MOVES[move](ward)
    assert ward.plain.job("ward", job.id).state is JobState.QUEUED
    assert [words.split()[0] for words in ward.said] == ["action=hint.failed"]
    assert f"job={job.id}" in ward.said[0]
    assert 'reason="queue: is out of reach"' in ward.said[0]


def test_many_jobs_do_not_each_wait_for_a_queue_that_does_not_answer(ward: Ward) -> None:
    ward.hints.broken = True
    for seed in range(3):
        ward.ledger.enqueue(make_job(make_arrival(seed), make_pipeline(pools=("cpu",))))
    assert len(ward.said) == 1
    ward.ledger.enqueue(make_job(make_arrival(3), make_pipeline(pools=("gpu",))))
    assert len(ward.said) == 2, "another pool's queue may answer"
    ward.hints.broken = False
    ward.clock.advance(PAUSE_S)
    job, _ = ward.ledger.enqueue(make_job(make_arrival(4), make_pipeline(pools=("cpu",))))
    assert ward.told() == [("ward", job.id, "cpu", 0.0)]


def unreachable_but_for(ward: Ward, move: str) -> Callable[..., None]:
    """Let through the hint of the job that a move needs first."""
    first = [] if move == "enqueue" else [ward.hints.send]

    def send(job: Job, *, delay_s: float = 0.0) -> None:
        if not first:
            raise Unavailable("queue: is out of reach")
        first.pop()(job, delay_s=delay_s)

    return send


def test_what_leaves_a_job_where_it_is_or_ends_it_tells_nobody(ward: Ward) -> None:
    ledger = ward.ledger
    job = queued(ward)
    assert ledger.enqueue(make_job(pipeline=TWO)) == (job, False)
    ledger.set_priority("ward", job.id, 5, T0)
    lease = ledger.extend(ward.take(), now=T0, lease_s=60, progress=0.5, doing="forward")
    ledger.advance(lease, now=T0)
    ward.told()
    last = ward.take("gpu")
    ledger.complete(last, make_result(last), now=T0)
    assert ward.told() == []

    for seed in (2, 3):  # two attempts are the most
        ledger.enqueue(make_job(make_arrival(seed), make_pipeline(pools=("cpu",), max_attempts=1)))
    ward.told()
    ledger.reject(ward.take(), FAILURE, now=T0)
    ward.take()
    assert [job.state for job in ledger.expire(at(61))] == [JobState.DEAD]
    assert ward.told() == []


def test_the_last_failure_tells_nobody_and_an_earlier_one_when_it_is_due(ward: Ward) -> None:
    ward.ledger.fail(leased(ward), FAILURE, now=T0, retry_at=at(300))
    ((_, _, pool, delay_s),) = ward.told()
    assert (pool, delay_s) == ("cpu", 300.0)
    ward.clock.advance(400)
    ward.ledger.fail(ward.take(now=at(400)), FAILURE, now=at(400), retry_at=None)
    assert ward.told() == []


def test_a_move_that_is_refused_tells_nobody(ward: Ward) -> None:
    job = queued(ward)
    with pytest.raises(UsageError):
        ward.ledger.redrive("ward", job.id, T0)
    with pytest.raises(NotFound):
        ward.ledger.rerun("other", job.id, T0)
    assert ward.told() == []


# The reminder


def reminder(ward: Ward) -> Reminder:
    return Reminder(ward.ledger, ward.hints, ward.clock, ["ward"], ward.log)


def test_a_pool_that_was_told_nothing_is_told_again_once(ward: Ward) -> None:
    ward.hints.broken = True
    jobs = [
        ward.ledger.enqueue(make_job(make_arrival(seed), make_pipeline(pools=(pool,))))[0]
        for seed, pool in [(1, "cpu"), (2, "gpu"), (3, "gpu")]
    ]
    assert reminder(ward).step() == 0
    ward.hints.broken = False
    assert reminder(ward).step() == 2
    assert reminder(ward).step() == 0
    told = ward.told()
    assert [pool for _, _, pool, _ in sorted(told, key=lambda hint: hint[2])] == ["cpu", "gpu"]
    assert {job for _, job, _, _ in told} < {job.id for job in jobs}


def test_a_pool_with_nothing_to_do_is_not_told(ward: Ward) -> None:
    ward.hints.broken = True
    job, _ = ward.ledger.enqueue(make_job(pipeline=TWO))
    ward.hints.broken = False
    ward.ledger.cancel("ward", job.id, T0)
    assert reminder(ward).step() == 0
    assert ward.told() == []


# Queues


class Pools:
    """Queues of two pools."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.events, self.gpu = cloud.queue(), cloud.queue()

    @property
    def hints(self) -> SqsHints:
        return SqsHints(self.events, {"default": self.events, "gpu": self.gpu})

    def bodies(self, url: str) -> list[dict[str, str]]:
        got = self.cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in got.get("Messages", ())]


@pytest.fixture
def pools(cloud: Cloud) -> Pools:
    return Pools(cloud)


def in_pool(pool: str) -> Job:
    return make_job(pipeline=make_pipeline(pools=(pool,)))


def test_each_pool_has_its_queue_and_one_that_has_none_the_first(pools: Pools) -> None:
    job = in_pool("gpu")
    pools.hints.send(job)
    assert (pools.hints.waiting("gpu"), pools.hints.waiting("default"), pools.hints.waiting("new")) == (
        1,
        0,
        0,
    )
    assert pools.bodies(pools.gpu) == [{"bedside": "hint/1", "tenant": "ward", "job": job.id, "pool": "gpu"}]
    assert pools.hints.waiting("gpu") == 1  # in hands is not done
    pools.hints.send(in_pool("new"))
    assert [body["pool"] for body in pools.bodies(pools.events)] == ["new"]


def test_a_hint_of_a_job_that_is_due_later_comes_later(pools: Pools) -> None:
    pools.hints.send(replace(in_pool("gpu"), not_before=at(300)), delay_s=300)
    assert pools.cloud.messages(pools.gpu) == {"visible": 0, "held": 0, "delayed": 1}
    assert pools.hints.waiting("gpu") == 1


def test_a_hint_is_not_delayed_for_longer_than_sqs_takes(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints, sent = pools.hints, []

    class Client:
        def send_message(self, **request: object) -> None:
            sent.append(request["DelaySeconds"])

    monkeypatch.setattr(hints._default, "_client", Client)
    for delay_s in (-5.0, 0.4, 899.6, 86_400.0):
        hints.send(in_pool("default"), delay_s=delay_s)
    assert sent == [0, 0, 900, 900]


def test_nobody_waits_long_for_a_queue_that_does_not_answer(pools: Pools) -> None:
    config = pools.hints._default._client().meta.config
    waits_s = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert waits_s <= 15


def test_a_queue_that_is_gone_is_an_error_of_ours(pools: Pools) -> None:
    pools.cloud.client("sqs").delete_queue(QueueUrl=pools.gpu)
    with pytest.raises(Unavailable, match="cannot send: there is no such queue"):
        pools.hints.send(in_pool("gpu"))
    with pytest.raises(Unavailable, match="cannot count: there is no such queue"):
        pools.hints.waiting("gpu")


@pytest.mark.parametrize("adapter", [SqsHints, MemoryHints])
@pytest.mark.parametrize("method", ["send", "waiting"])
def test_signatures_are_the_ports(adapter: type, method: str) -> None:
    assert inspect.signature(getattr(adapter, method)) == inspect.signature(getattr(Hints, method))
