"""The policy of retries, by numbers."""

from datetime import UTC, datetime

import pytest

from bedside.errors import Unavailable
from bedside.oci.registry.retry import Again, Policy, retry_after_s, retrying


def test_waits_double_and_are_spread() -> None:
    policy = Policy(first_wait_s=1.0, longest_wait_s=5.0)
    assert [policy.wait_s(n, None, spread=1.0) for n in (1, 2, 3, 4, 50)] == [1, 2, 4, 5, 5]
    assert policy.wait_s(2, None, spread=0.0) == 1.0
    assert policy.wait_s(1, 7.0, spread=0.5) == 7.0


@pytest.mark.parametrize(("soon", "attempts"), [(False, 5), (True, 3)])
def test_attempts_are_counted_and_said(soon: bool, attempts: int) -> None:
    waits: list[float] = []
    calls = []

    def fail() -> None:
        calls.append(1)
        raise Again("it: broke", hint="wait", soon=soon)

    with pytest.raises(Unavailable, match=rf"it: broke \({attempts} attempts\)") as caught:
        retrying(Policy(), fail, waits.append)
    assert type(caught.value) is Unavailable
    assert caught.value.hint == "wait"
    assert len(calls) == attempts == len(waits) + 1


def test_what_will_not_pass_is_not_tried_again() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise Unavailable("full")

    with pytest.raises(Unavailable):
        retrying(Policy(), fail, lambda seconds: None)
    assert len(calls) == 1


def test_what_the_server_asks_for() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after_s("7") == 7
    assert retry_after_s("Thu, 01 Jan 2026 00:00:30 GMT", now) == 30
    assert retry_after_s("Wed, 31 Dec 2025 00:00:00 GMT", now) == 0
    assert retry_after_s(None) is None
    assert retry_after_s("soon") is None
