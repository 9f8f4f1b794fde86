"""Jobs: what their id depends on, and what each event makes of them."""

from dataclasses import replace
from itertools import product

import pytest

from bedside.domain import moves
from bedside.domain.job import (
    ENDED,
    TRANSITIONS,
    Job,
    JobEvent,
    JobState,
    Lease,
    failure_in,
    job_id,
    job_identity,
)
from bedside.domain.pipeline import Pipeline
from bedside.errors import BY_NAME, StaleLease, UsageError
from ledger_samples import FAILURE, T0, at, make_arrival, make_job, make_pipeline


def identity(tenant: str = "ward", arrival: str = "a", pipeline: Pipeline | None = None) -> str:
    return job_identity(tenant=tenant, arrival_id=arrival, pipeline=pipeline or make_pipeline())


def test_id_depends_on_tenant_arrival_release_and_settings() -> None:
    stage = make_pipeline().stages[0]
    other_settings = Pipeline(name="spleen", stages=(replace(stage, settings={"precision": "bf16"}),))
    made = [
        identity(),
        identity(tenant="clinic"),
        identity(arrival="b"),
        identity(pipeline=make_pipeline(release="sha256:bb")),
        identity(pipeline=make_pipeline("liver")),
        identity(pipeline=other_settings),
        identity(pipeline=make_pipeline(pools=("default", "default"))),
    ]
    assert len(set(made)) == len(made)


def test_id_does_not_depend_on_where_and_how_long_it_runs() -> None:
    stage = replace(make_pipeline().stages[0], pool="gpu", timeout_s=5.0)
    assert identity(pipeline=Pipeline(name="spleen", stages=(stage,), max_attempts=9)) == identity()


def test_a_rerun_has_another_id_and_the_same_identity() -> None:
    assert (job_id("abc", 0), job_id("abc", 2)) == ("abc", "abc.r2")
    done = replace(make_job(), state=JobState.SUCCEEDED, progress=1.0, attempts=2, fence=5, failure=FAILURE)
    again = moves.next_run(done, at(9))
    assert again == replace(make_job(), id=f"{done.id}.r1", run=1, created_at=at(9), not_before=at(9))
    assert moves.next_run(replace(again, state=JobState.DEAD), at(10)).id == f"{done.id}.r2"


def test_prefix_and_stage() -> None:
    job = make_job(pipeline=make_pipeline(pools=("cpu", "gpu")))
    assert job.prefix == f"results/{job.arrival_id}/{job.id}"
    assert (job.stage.pool, replace(job, stage_index=1).stage.pool) == ("cpu", "gpu")


# The table


def held(state: JobState = JobState.RUNNING, stages: int = 1) -> Job:
    """A job that has run a little, in any state."""
    job = make_job(pipeline=make_pipeline(pools=("default",) * stages))
    running = replace(job, attempts=2, fence=4, worker="w1", started_at=T0, progress=0.5, doing="forward")
    return replace(
        running,
        state=state,
        lease_until=at(60) if state is JobState.RUNNING else None,
        ended_at=at(5) if state in ENDED else None,
    )


def happen(job: Job, event: JobEvent) -> moves.Move:
    """Let one event happen to a job."""
    match event:
        case JobEvent.LEASE:
            return moves.lease(job, worker="w2", now=at(7), lease_s=30)
        case JobEvent.RETRY_LATER:
            return moves.fail(job, FAILURE, now=at(7), retry_at=at(9))
        case JobEvent.EXHAUST:
            return moves.fail(job, FAILURE, now=at(7), retry_at=None)
        case JobEvent.REJECT:
            return moves.reject(job, FAILURE, at(7))
        case _:
            simple = {
                JobEvent.ADVANCE: moves.advance,
                JobEvent.COMPLETE: moves.complete,
                JobEvent.GIVE_BACK: moves.give_back,
                JobEvent.EXPIRE: moves.expire,
                JobEvent.CANCEL: moves.cancel,
                JobEvent.REDRIVE: moves.redrive,
            }
            return simple[event](job, at(7))


@pytest.mark.parametrize(("state", "event"), list(product(JobState, JobEvent)))
def test_every_pair_of_state_and_event(state: JobState, event: JobEvent) -> None:
    job = held(state, stages=2 if event is JobEvent.ADVANCE else 1)
    if (state, event) not in TRANSITIONS:
        with pytest.raises(UsageError, match=f"a {state.value} job has no move '{event.value}'"):
            happen(job, event)
        return
    move = happen(job, event)
    after = move.after
    assert (move.event, move.before, after.state) == (event, job, TRANSITIONS[state, event])
    assert (after.lease_until is not None) == (after.state is JobState.RUNNING)
    assert (after.ended_at == at(7)) == (after.state in ENDED)
    assert (after.ended_at is None) == (after.state not in ENDED)
    assert after.fence == job.fence + (event is JobEvent.LEASE)
    assert after.identity == job.identity
    assert move.line.action == f"job.{event.value}"
    assert (move.line.job_id, move.line.tenant, move.line.at) == (job.id, "ward", at(7))


def test_attempts_count_at_the_lease_and_only_a_give_back_returns_one() -> None:
    counts = {
        event: happen(held(state, stages=2 if event is JobEvent.ADVANCE else 1), event).after.attempts
        for (state, event) in TRANSITIONS
        if (state, event) != (JobState.QUEUED, JobEvent.CANCEL)
    }
    assert counts == {
        JobEvent.LEASE: 3,
        JobEvent.ADVANCE: 0,
        JobEvent.COMPLETE: 2,
        JobEvent.RETRY_LATER: 2,
        JobEvent.EXHAUST: 2,
        JobEvent.REJECT: 2,
        JobEvent.GIVE_BACK: 1,
        JobEvent.EXPIRE: 2,
        JobEvent.CANCEL: 2,
        JobEvent.REDRIVE: 0,
    }


def test_a_lost_worker_on_the_last_attempt_is_the_end() -> None:
    job = replace(held(), attempts=3)
    move = moves.expire(job, at(61))
    assert (move.event, move.after.state) == (JobEvent.EXHAUST, JobState.DEAD)
    assert move.after.failure is not None
    assert BY_NAME[move.after.failure.error].retryable
    assert "attempt 3 of 3" in move.after.failure.message


def test_a_lease_holds_for_its_fence_while_the_job_runs() -> None:
    job = held()
    lease = Lease(job=job, worker="w1", fence=4, until=at(60))
    assert moves.stale(lease, job) is None
    assert moves.stale(lease, replace(job, progress=0.9, lease_until=at(99))) is None
    for found in (None, replace(job, fence=5), held(JobState.CANCELLED), held(JobState.QUEUED)):
        assert isinstance(moves.stale(lease, found), StaleLease)


def test_the_last_stage_completes_and_the_others_advance() -> None:
    with pytest.raises(UsageError, match="stage1 follows stage0"):
        moves.complete(held(stages=2), at(7))
    with pytest.raises(UsageError, match="stage0 is the last of 1"):
        moves.advance(held(), at(7))
    assert moves.advance(held(stages=2), at(7)).line.detail == "stage1"


def test_a_line_of_history_tells_of_a_failure_again() -> None:
    found = failure_in(FAILURE.line)
    assert found is not None and (found.error, found.message) == (FAILURE.error, FAILURE.message)
    assert failure_in("stage1") is None and failure_in("Surprise: nobody knows it") is None


def test_only_a_queued_job_changes_its_place() -> None:
    assert moves.prioritise(make_job(), 5).priority == 5
    with pytest.raises(UsageError, match="it is running"):
        moves.prioritise(held(), 5)


def test_another_arrival_is_another_job() -> None:
    assert make_job(make_arrival(1)).id != make_job(make_arrival(2)).id
