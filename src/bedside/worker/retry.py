"""What follows a failed attempt: nothing, another attempt later, or the end.

Owns the policy and no state: a function of the error and the attempts counted, so that every way an
attempt can end is one table in a test. Back-off doubles and has no jitter: two jobs of one
deployment rarely wait for the same thing, and a test can foresee it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bedside.errors import BedsideError, Cancelled, InputRejected, StaleLease, Unavailable

#: No wait is longer; a repaired disk or database is noticed within minutes.
MOST_BACKOFF_S = 300.0

#: What is missing now usually comes back: these many attempts span more than an hour.
UNAVAILABLE_ATTEMPTS = 20


class Next(StrEnum):
    """What becomes of a job after a failed attempt."""

    ABANDON = "abandon"  # the lease is not ours any more: write nothing
    GIVE_BACK = "give_back"  # the worker stops: the attempt does not count
    REJECT = "reject"  # the input cannot be read correctly
    RETRY = "retry"  # again, after a wait
    BURY = "bury"  # dead letter: a person decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do, and how long to wait before it where it is `Next.RETRY`."""

    what: Next
    wait: timedelta = timedelta()


def judge(failed: BedsideError, *, attempts: int, max_attempts: int, backoff_s: float) -> Verdict:
    """Decide what follows an attempt that raised ``failed``.

    Args:
        failed: What ended the attempt.
        attempts: Attempts begun at this stage, this one included.
        max_attempts: Of the pipeline.
        backoff_s: Wait before the second attempt, seconds.
    """
    if isinstance(failed, StaleLease):
        return Verdict(what=Next.ABANDON)
    if isinstance(failed, Cancelled):
        return Verdict(what=Next.GIVE_BACK)
    if isinstance(failed, InputRejected):
        return Verdict(what=Next.REJECT)
    most = max(max_attempts, UNAVAILABLE_ATTEMPTS) if isinstance(failed, Unavailable) else max_attempts
    if not failed.retryable or attempts >= most:
        return Verdict(what=Next.BURY)
    wait_s = min(backoff_s * 2 ** (attempts - 1), MOST_BACKOFF_S)
    return Verdict(what=Next.RETRY, wait=timedelta(seconds=wait_s))
