"""Who works on what: jobs in hand with their workers, and workers that have nothing just now.

A worker beats its heart by moving the end of its lease, so the last beat is that end less its length.
One whose lease ran out has lost contact; its job is queued again within seconds by whoever sweeps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bedside.domain.figures import WorkerSeen, WorkInHand
from bedside.domain.job import Job


class HandState(StrEnum):
    """How it goes."""

    WORKS = "works"
    LONG = "long"  # longer than its stage may take; its child is about to be ended
    LOST = "lost"  # its lease ran out


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A worker at work.

    Attributes:
        job: What it has in hand.
        state: How it goes.
        since: Since when, or None where the history does not say.
        beat_at: Its last heartbeat.
    """

    job: Job
    state: HandState
    since: datetime | None
    beat_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A worker that has nothing in hand.

    Attributes:
        worker: Its name.
        seen_at: When the history last tells of it.
        alive: Whether its process is there; None where that is another machine's, or it ended in order.
    """

    worker: str
    seen_at: datetime
    alive: bool | None


def hands(held: Sequence[WorkInHand], *, now: datetime, lease_s: float) -> list[Hand]:
    """Return who works, those that need a look first."""
    found = [
        Hand(
            job=each.job,
            state=_state(each, now),
            since=each.leased_at,
            beat_at=each.job.lease_until - timedelta(seconds=lease_s) if each.job.lease_until else None,
        )
        for each in held
    ]
    return sorted(found, key=lambda hand: (hand.state is HandState.WORKS, hand.job.worker))


def idle(
    seen: Sequence[WorkerSeen], at_work: Sequence[Hand], alive: Callable[[str], bool | None]
) -> list[Idle]:
    """Return workers that were seen lately and have nothing in hand; those that died are left out.

    Args:
        seen: Of the history.
        at_work: Who works.
        alive: Whether a worker's process is there, or None where that is not known.
    """
    busy = {hand.job.worker for hand in at_work}
    found = [
        Idle(worker=each.worker, seen_at=each.at, alive=alive(each.worker))
        for each in seen
        if each.worker not in busy
    ]
    return [each for each in found if each.alive is not False]


def _state(held: WorkInHand, now: datetime) -> HandState:
    job = held.job
    if job.lease_until is not None and job.lease_until < now:
        return HandState.LOST
    if held.leased_at is not None and (now - held.leased_at).total_seconds() > job.stage.timeout_s:
        return HandState.LONG
    return HandState.WORKS
