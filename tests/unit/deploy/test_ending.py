"""What happens around a removal, at an account whose machines take their time."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from bedside.deploy.ending import PATIENCE_S, remove_late_logs, send_home
from bedside.deploy.runner import Held
from bedside.errors import NotFound, Unavailable
from bedside.ports import Clock
from bedside.ports.cloud import Cloud, Group


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


class Account:
    """Groups of machines that go so many seconds after they were told to, and groups of logs."""

    def __init__(self, time: Time, **takes_s: float) -> None:
        self.time = time
        self.takes_s = takes_s
        self.told_at: dict[str, float] = {}
        self.logs = {"/aws/rds/ward", "/bedside/ward"}

    def rest_group(self, name: str) -> None:
        if name not in self.takes_s:
            raise NotFound(f"no group {name}")
        self.told_at[name] = self.time.passed_s

    def group(self, name: str) -> Group:
        if name not in self.takes_s:
            raise NotFound(f"no group {name}")
        works = name not in self.told_at or self.time.passed_s < self.told_at[name] + self.takes_s[name]
        return Group(desired=0, in_service=0, max=0, machines=2 * works)

    def remove_logs(self, name: str) -> bool:
        there = name in self.logs
        self.logs.discard(name)
        return there


def sent(account: Account, *groups: str) -> list[str]:
    told: list[str] = []
    send_home(cast(Cloud, account), cast(Clock, account.time), groups, told.append)
    return told


def test_all_are_told_at_once_and_the_last_is_waited_for() -> None:
    account = Account(Time(), gpu=600.0, cpu=0.0)
    told = sent(account, "gpu", "cpu", "gone")
    assert set(account.told_at.values()) == {0.0}
    assert 600 <= account.time.passed_s < 610
    assert told[0] == "waiting for 2 machines, which finish their work or give it back"


def test_one_that_never_goes_ends_the_removal_before_it_began() -> None:
    account = Account(Time(), gpu=1e9)
    with pytest.raises(Unavailable, match="2 machines still run 20 minutes after") as stays:
        sent(account, "gpu")
    assert account.time.passed_s >= PATIENCE_S and "once more" in stays.value.hint


def test_logs_that_came_back_go_but_not_those_that_terraform_still_has() -> None:
    made = [
        Held(address=f"a.{name}", type="aws_cloudwatch_log_group", id=name, arn="")
        for name in ("/aws/rds/ward", "/bedside/ward", "/gone")
    ]
    account = Account(Time())
    assert remove_late_logs(cast(Cloud, account), made, left=made[1:2]) == 1
    assert account.logs == {"/bedside/ward"}
