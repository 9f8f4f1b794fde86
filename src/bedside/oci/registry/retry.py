"""When a request to a registry is tried again, and after how long.

Owns the policy. What failed for a reason that passes (a cut connection, a busy server) is raised as
`Again`; everything else leaves at once. Waits grow and are spread at random, since many workers that
lost the same registry must not all come back in the same second.
"""

import email.utils
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from bedside.errors import Unavailable

#: 408 and 429 say so themselves; 500 is what registries answer when their own storage hiccups.
PASSING = frozenset({408, 429, 500, 502, 503, 504})
#: A server that asks for more patience than this is not worth a person's wait.
LONGEST_RETRY_AFTER_S = 60.0

Value = TypeVar("Value")


class Again(Unavailable):
    """Failed for a reason that may pass.

    Args:
        message: As of every error.
        hint: As of every error.
        wait_s: What the server asked to wait for, or None.
        soon: Whether it is soon clear if the reason passes: nothing listens there.
    """

    def __init__(
        self, message: str, *, hint: str = "", wait_s: float | None = None, soon: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s
        self.soon = soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient to be.

    Attributes:
        attempts: Of everything, the first included.
        soon_attempts: Where nothing listens, or a name does not resolve.
        first_wait_s: Longest wait before the second attempt; doubled each time.
        longest_wait_s: No wait is longer, unless the server asks for it.
    """

    attempts: int = 5
    soon_attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0

    def wait_s(self, attempt: int, asked_s: float | None, *, spread: float) -> float:
        """Return how long to wait after a failed attempt.

        Args:
            attempt: From 1.
            asked_s: By the server (``Retry-After``).
            spread: A random number from 0 to 1.
        """
        if asked_s is not None:
            return asked_s
        longest = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return longest * (0.5 + spread / 2)


def retrying(policy: Policy, action: Callable[[], Value], pause: Callable[[float], None]) -> Value:
    """Do something until it succeeds, fails for good, or the attempts are used up.

    Args:
        policy: How often, and how long between.
        action: Raises `Again` where another attempt may succeed.
        pause: Waits for some seconds.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return action()
        except Again as failed:
            most = policy.soon_attempts if failed.soon else policy.attempts
            patient = failed.wait_s is None or failed.wait_s <= LONGEST_RETRY_AFTER_S
            if attempt >= most or not patient:
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                raise Unavailable(f"{failed.message}{tries}", hint=failed.hint) from failed
            pause(policy.wait_s(attempt, failed.wait_s, spread=random.random()))  # noqa: S311 - no secret


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header: seconds, or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
