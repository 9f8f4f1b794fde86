"""Where a phantom stopped, and which log to look at; what is waited for, in words."""

import pytest

from bedside.deploy.verdict import Plan, Reached, Seen, stopped, words

PLAN = Plan(
    deployment="ward",
    bucket="b",
    tenant="ward-3",
    queue_url="q",
    groups=("g",),
    reads=True,
    patience_s=1800,
)


def seen(**what: object) -> Seen:
    nothing = {"taken": False, "settled": False, "rejected": False, "files": ()}
    return Seen(**{**nothing, "messages": 0, "wanted": 0, "working": 0, **what})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "where", "look"),
    [
        ({}, "nothing of it came to the queue after 30 minutes", "bedside deploy plan"),
        ({"messages": 3}, "3 messages wait, and nobody asked", "logs --part waker"),
        ({"messages": 3, "wanted": 1}, "1 machines were asked for, and none", "logs --part machines"),
        ({"wanted": 1, "working": 1}, "1 machines work, and none has taken it", "logs --part workers"),
        ({"taken": True, "working": 1, "job": "j1", "doing": "busy"}, "not read after 30", "--filter j1"),
    ],
)
def test_the_step_at_which_it_stopped_has_a_log_of_its_own(
    what: dict[str, object], where: str, look: str
) -> None:
    verdict = stopped(seen(**what), PLAN, 1800)
    assert not verdict.ok and where in verdict.text and look in verdict.hint
    assert verdict.reached is (Reached.TAKEN if what.get("taken") else Reached.SENT)


def test_what_is_waited_for() -> None:
    steps = ({"messages": 1}, {"wanted": 1}, {"wanted": 1, "working": 1}, {"taken": True}, {"files": ("a",)})
    said = [words(seen(**step)) for step in steps]
    assert len(set(said)) == len(said)
    assert "takes minutes" in said[1]
