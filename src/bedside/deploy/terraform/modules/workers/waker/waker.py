"""The waker: raises a pool of workers from zero, and never lowers it.

One Lambda for all pools, called by S3's events and each minute by a schedule. `decide` is the whole
policy and knows no AWS; `handler` counts messages, asks `decide`, and acts. An error is raised, so that
Lambda calls again and an alarm counts it; a wake-up that still got lost, or fell into the moment when the
last worker left, is found by the next minute's call.

Only the standard library and the boto3 of Lambda's Python: the archive holds this one file.
"""

import enum
import json
import os
import time
from typing import Any

#: An event asks again about a pool that was seen awake only after this long: 200 slices are one wake-up.
AWAKE_S = 10.0

#: How long until the schedule calls again, and how much later it may call than it should.
LOOK_S, LATE_S = 60.0, 10.0

#: What the parameter that remembers the beginning of a wait holds when nobody waits.
NOBODY_WAITS = "-"

_seen_awake: dict[str, float] = {}


class Action(enum.Enum):
    """What the waker does about one pool."""

    REST = "rest"
    REMEMBER = "remember"
    FORGET = "forget"
    WAKE = "wake"


def decide(
    *,
    visible: int,
    in_flight: int,
    delayed: int,
    desired: int,
    maximum: int,
    waited_s: float | None = None,
    permitted_wait_s: float = 0.0,
    start_s: float = 0.0,
) -> Action:
    """Say what to do about one pool.

    Every message counts as work: a delayed one is a job that will be tried again, and one in flight
    without a worker is a job whose worker left or died. How many there are does not matter: a series that
    is sent as 200 objects is 200 messages, and one study.

    Args:
        visible: Messages that can be received now.
        in_flight: Messages that somebody received and has not deleted.
        delayed: Messages that become visible later.
        desired: Machines that the group should have.
        maximum: Machines that the group may have; 0 is a pool that sleeps (the night).
        waited_s: Since when work waits at zero machines, in seconds; None where no wait began.
        permitted_wait_s: How long the first study may wait for its result, so that several share one
            start; 0 is not at all.
        start_s: From waking to the first result: a wait ends so much before its time is over.

    Returns:
        ``WAKE`` sets the group to one machine; ``REMEMBER`` begins a wait, ``FORGET`` ends it.
    """
    work = visible + in_flight + delayed
    if work == 0 or desired > 0:
        return Action.REST if waited_s is None else Action.FORGET
    if maximum < 1:  # a wait goes on through the night: in the morning it has been long enough
        return Action.REST
    until_s = permitted_wait_s - start_s
    if until_s <= LOOK_S:  # no look may be left before it is over
        return Action.WAKE
    if waited_s is None:
        return Action.REMEMBER
    return Action.WAKE if waited_s >= until_s else Action.REST


def left_s(*, waited_s: float, permitted_wait_s: float, start_s: float) -> float | None:
    """Return the seconds until a wait is over, where that is before the schedule looks again; else None.

    Half a minute of each start is what a wait would lose to the schedule on average.
    """
    left = permitted_wait_s - start_s - waited_s
    return left if 0 < left <= LOOK_S + LATE_S else None


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Look at every pool and raise those at zero that have work.

    Environment: ``POOLS`` is JSON, pool to ``queue_url``, ``group``, ``max``, ``permitted_wait_s``,
    ``start_s`` and ``waiting`` (the SSM parameter that remembers a wait; empty where none is permitted).

    Returns:
        Pool to the name of what was done, for the log and for a person who tests the function by hand.
    """
    import boto3  # noqa: PLC0415 - `decide` is used where boto3 is not installed

    clients = {name: boto3.client(name) for name in ("sqs", "autoscaling", "ssm")}
    pools: dict[str, dict[str, Any]] = json.loads(os.environ["POOLS"])
    arrived = event.get("source") == "aws.s3"
    done: dict[str, str] = {}
    failed: list[Exception] = []

    def look(name: str, pool: dict[str, Any]) -> float | None:
        try:
            done[name], ends_at = _look_after(clients, name, pool)
        except Exception as error:  # noqa: BLE001 - one pool's trouble must not keep the others asleep
            failed.append(error)
            done[name], ends_at = f"failed: {type(error).__name__}: {error}", None
        return ends_at

    ending: list[tuple[float, str]] = []
    for name, pool in pools.items():
        if arrived and time.monotonic() - _seen_awake.get(name, -AWAKE_S) < AWAKE_S:
            done[name] = "seen awake"
        elif (ends_at := look(name, pool)) is not None:
            ending.append((ends_at, name))
    # Only the schedule's call stays until then: 200 slices would be 200 calls that do.
    for ends_at, name in sorted(ending) if not arrived else ():
        time.sleep(max(0.0, ends_at - time.time()))
        look(name, pools[name])
    if failed or any(action not in {"rest", "seen awake"} for action in done.values()):
        print(json.dumps({"action": "waker.looked", "pools": done}))  # noqa: T201 - Lambda's log
    if failed:
        raise failed[0]
    return done


def _look_after(clients: dict[str, Any], name: str, pool: dict[str, Any]) -> tuple[str, float | None]:
    """Act on one pool; return what was done, and when its wait is over where that is soon."""
    counts = _messages(clients["sqs"], pool["queue_url"])
    desired, maximum = _group(clients["autoscaling"], pool["group"])
    waiting = str(pool.get("waiting", ""))
    waited_s = _waited_s(clients["ssm"], waiting) if waiting else None
    permitted_s, start_s = float(pool["permitted_wait_s"]), float(pool["start_s"])
    action = decide(
        **counts,
        desired=desired,
        maximum=min(maximum, int(pool["max"])),
        waited_s=waited_s,
        permitted_wait_s=permitted_s,
        start_s=start_s,
    )
    if action is Action.WAKE:
        clients["autoscaling"].set_desired_capacity(
            AutoScalingGroupName=pool["group"], DesiredCapacity=1, HonorCooldown=False
        )
    if waiting and action in {Action.WAKE, Action.FORGET}:
        clients["ssm"].put_parameter(Name=waiting, Value=NOBODY_WAITS, Type="String", Overwrite=True)
    if action is Action.REMEMBER:
        clients["ssm"].put_parameter(Name=waiting, Value=f"{time.time():.0f}", Type="String", Overwrite=True)
    if desired > 0 or action is Action.WAKE:
        _seen_awake[name] = time.monotonic()
    if waited_s is None or action is not Action.REST:
        return action.value, None
    left = left_s(waited_s=waited_s, permitted_wait_s=permitted_s, start_s=start_s)
    return action.value, None if left is None else time.time() + left


def _messages(sqs: Any, queue_url: str) -> dict[str, int]:
    names = {
        "visible": "ApproximateNumberOfMessages",
        "in_flight": "ApproximateNumberOfMessagesNotVisible",
        "delayed": "ApproximateNumberOfMessagesDelayed",
    }
    held = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names.values()))["Attributes"]
    return {ours: int(held[theirs]) for ours, theirs in names.items()}


def _group(autoscaling: Any, name: str) -> tuple[int, int]:
    groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not groups:
        raise LookupError(f"no auto scaling group {name}: bedside deploy makes it")
    return int(groups[0]["DesiredCapacity"]), int(groups[0]["MaxSize"])


def _waited_s(ssm: Any, parameter: str) -> float | None:
    value = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
    return None if value == NOBODY_WAITS else max(0.0, time.time() - float(value))
