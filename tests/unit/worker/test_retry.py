"""The policy of attempts, as one table."""

from datetime import timedelta

import pytest

from bedside.errors import (
    BedsideError,
    Cancelled,
    ConfigError,
    InputRejected,
    ModelFailed,
    NotFound,
    OutOfMemory,
    StaleLease,
    Unavailable,
)
from bedside.worker.retry import MOST_BACKOFF_S, UNAVAILABLE_ATTEMPTS, Next, judge
from bedside.worker.stop import Stopping


@pytest.mark.parametrize(
    ("failed", "attempts", "what", "wait_s"),
    [
        (StaleLease(""), 1, Next.ABANDON, 0),
        (StaleLease(""), 3, Next.ABANDON, 0),
        (Cancelled(""), 3, Next.GIVE_BACK, 0),
        (Stopping(""), 3, Next.GIVE_BACK, 0),
        (InputRejected(""), 1, Next.REJECT, 0),
        (InputRejected(""), 3, Next.REJECT, 0),
        (ModelFailed(""), 1, Next.RETRY, 5),
        (ModelFailed(""), 2, Next.RETRY, 10),
        (ModelFailed(""), 3, Next.BURY, 0),
        (OutOfMemory(""), 2, Next.RETRY, 10),
        (ConfigError(""), 1, Next.BURY, 0),
        (NotFound(""), 1, Next.BURY, 0),
        (BedsideError(""), 1, Next.BURY, 0),
        (Unavailable(""), 3, Next.RETRY, 20),
        (Unavailable(""), 19, Next.RETRY, MOST_BACKOFF_S),
        (Unavailable(""), UNAVAILABLE_ATTEMPTS, Next.BURY, 0),
    ],
)
def test_what_follows_an_attempt(failed: BedsideError, attempts: int, what: Next, wait_s: float) -> None:
    verdict = judge(failed, attempts=attempts, max_attempts=3, backoff_s=5)
    assert (verdict.what, verdict.wait) == (what, timedelta(seconds=wait_s))


def test_without_back_off_the_next_attempt_is_at_once() -> None:
    assert judge(ModelFailed(""), attempts=1, max_attempts=3, backoff_s=0).wait == timedelta()
