"""The waker: every case of its policy, and its handler against queues and groups that moto keeps."""

import importlib.util
import itertools
import json
import sys
import zipfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bedside.deploy.waker import SOURCE, waker_zip


def load_waker() -> ModuleType:
    """Import the Lambda's file, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("waker", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["waker"] = module
    spec.loader.exec_module(module)
    return module


waker = load_waker()
Action = waker.Action


def _decide(**wishes: Any) -> Any:
    return waker.decide(**{"visible": 0, "in_flight": 0, "delayed": 0, "desired": 0, "maximum": 1, **wishes})


@pytest.mark.parametrize("kind", ["visible", "in_flight", "delayed"])
def test_any_message_wakes_a_pool_at_zero(kind: str) -> None:
    assert _decide(**{kind: 1}) is Action.WAKE


def test_every_combination_obeys_the_five_laws() -> None:
    seen = set()
    for visible, in_flight, delayed, desired, maximum, waited, permitted in itertools.product(
        (0, 1, 200), (0, 1), (0, 1), (0, 1, 3), (0, 1, 4), (None, 0.0, 659.0, 660.0), (0.0, 300.0, 900.0)
    ):
        work = visible + in_flight + delayed
        action = _decide(
            visible=visible,
            in_flight=in_flight,
            delayed=delayed,
            desired=desired,
            maximum=maximum,
            waited_s=waited,
            permitted_wait_s=permitted,
            start_s=240,
        )
        seen.add(action)
        asleep = work > 0 and desired == 0 and maximum > 0
        # 900 s less 240 of the start; 300 s are no wait at all, for the next look may be a minute later
        long_enough = permitted < 900 or (waited is not None and waited >= 660)
        assert (action is Action.WAKE) == (asleep and long_enough)
        assert (action is Action.REMEMBER) == (asleep and not long_enough and waited is None)
        assert (action is Action.FORGET) == (waited is not None and (desired > 0 or work == 0))
    assert seen == set(Action)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    waker._seen_awake.clear()
    with mock_aws():
        clients = {name: boto3.client(name) for name in ("sqs", "autoscaling", "ssm", "ec2")}
        template = clients["ec2"].create_launch_template(
            LaunchTemplateName="t", LaunchTemplateData={"InstanceType": "t3.small", "ImageId": "ami-12c6146b"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        pools = {}
        for pool, wait_s in {"default": 0, "patient": 900}.items():
            url = clients["sqs"].create_queue(QueueName=pool)["QueueUrl"]
            clients["autoscaling"].create_auto_scaling_group(
                AutoScalingGroupName=f"ward-{pool}",
                MinSize=0,
                MaxSize=3,
                DesiredCapacity=0,
                LaunchTemplate={"LaunchTemplateId": template},
                AvailabilityZones=["eu-central-1a"],
            )
            pools[pool] = {
                "queue_url": url,
                "group": f"ward-{pool}",
                "max": 3,
                "permitted_wait_s": wait_s,
                "start_s": 90,
                "waiting": f"/bedside/ward/waiting/{pool}" if wait_s else "",
            }
        clients["ssm"].put_parameter(Name="/bedside/ward/waiting/patient", Value="-", Type="String")
        monkeypatch.setenv("POOLS", json.dumps(pools))
        yield {**clients, "pools": pools}


def _send(cloud: dict[str, Any], pool: str, count: int = 1) -> None:
    for _ in range(count):
        cloud["sqs"].send_message(QueueUrl=cloud["pools"][pool]["queue_url"], MessageBody="{}")


def _desired(cloud: dict[str, Any], pool: str) -> int:
    name = cloud["pools"][pool]["group"]
    groups = cloud["autoscaling"].describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return int(groups["AutoScalingGroups"][0]["DesiredCapacity"])


def _resize(cloud: dict[str, Any], pool: str, **sizes: int) -> None:
    cloud["autoscaling"].update_auto_scaling_group(
        AutoScalingGroupName=cloud["pools"][pool]["group"], **sizes
    )


def _waiting(cloud: dict[str, Any]) -> str:
    return str(cloud["ssm"].get_parameter(Name="/bedside/ward/waiting/patient")["Parameter"]["Value"])


MINUTE = {"source": "aws.events"}
ARRIVED = {"source": "aws.s3", "detail-type": "Object Created"}


def test_nothing_to_do_starts_nothing(cloud: dict[str, Any]) -> None:
    assert waker.handler(MINUTE, None) == {"default": "rest", "patient": "rest"}
    assert _desired(cloud, "default") == 0


def test_an_event_raises_only_the_pool_with_work(cloud: dict[str, Any]) -> None:
    _send(cloud, "default")
    assert waker.handler(ARRIVED, None)["default"] == "wake"
    assert (_desired(cloud, "default"), _desired(cloud, "patient")) == (1, 0)


def test_a_group_that_grew_is_never_lowered(cloud: dict[str, Any]) -> None:
    _send(cloud, "default")
    _resize(cloud, "default", DesiredCapacity=3)
    waker.handler(MINUTE, None)
    assert _desired(cloud, "default") == 3


def test_work_that_comes_while_the_last_worker_leaves_is_found_by_the_schedule(cloud: dict[str, Any]) -> None:
    _resize(cloud, "default", DesiredCapacity=1)
    assert waker.handler(ARRIVED, None)["default"] == "rest"
    _resize(cloud, "default", DesiredCapacity=0)
    _send(cloud, "default")
    assert waker.handler(ARRIVED, None)["default"] == "seen awake"
    assert _desired(cloud, "default") == 0
    assert waker.handler(MINUTE, None)["default"] == "wake"
    assert _desired(cloud, "default") == 1


def test_the_night_is_not_broken_by_the_waker(cloud: dict[str, Any]) -> None:
    _send(cloud, "default")
    _resize(cloud, "default", MaxSize=0)
    assert waker.handler(MINUTE, None)["default"] == "rest"
    _resize(cloud, "default", MaxSize=3)
    assert waker.handler(MINUTE, None)["default"] == "wake"


def test_a_permitted_wait_is_remembered_and_ends(
    cloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = _clock(monkeypatch)
    _send(cloud, "patient")
    assert waker.handler(ARRIVED, None)["patient"] == "remember"
    assert _waiting(cloud) == "1000000"
    now[0] += 900 - 90 - 71
    assert waker.handler(MINUTE, None)["patient"] == "rest"
    assert (_desired(cloud, "patient"), slept) == (0, []), "there is another look before"
    now[0] += 71
    assert waker.handler(MINUTE, None)["patient"] == "wake"
    assert (_desired(cloud, "patient"), _waiting(cloud)) == (1, "-")


def _clock(monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list[float]]:
    """Let time stand at its first item and pass in sleep only; return it, and what was slept."""
    now, slept = [1_000_000.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(waker.time, "time", lambda: now[0])
    monkeypatch.setattr(waker.time, "sleep", sleep)
    return now, slept


def test_a_wait_that_ends_before_the_next_look_ends_to_the_second(
    cloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = _clock(monkeypatch)
    _send(cloud, "patient")
    waker.handler(ARRIVED, None)
    now[0] += 900 - 90 - 41
    assert waker.handler(ARRIVED, None)["patient"] == "rest"
    assert slept == [], "each slice of a study calls, and none of these calls stays"
    assert waker.handler(MINUTE, None)["patient"] == "wake"
    assert (slept, _desired(cloud, "patient")) == ([41.0], 1)


def test_work_that_went_while_a_call_stayed_wakes_nobody(
    cloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, _ = _clock(monkeypatch)
    _send(cloud, "patient")
    waker.handler(ARRIVED, None)
    now[0] += 900 - 90 - 41
    url = cloud["pools"]["patient"]["queue_url"]
    monkeypatch.setattr(waker.time, "sleep", lambda _: cloud["sqs"].purge_queue(QueueUrl=url))
    assert waker.handler(MINUTE, None)["patient"] == "forget"
    assert _desired(cloud, "patient") == 0


def test_a_series_of_many_objects_waits_as_one_study_does(cloud: dict[str, Any]) -> None:
    _send(cloud, "patient", 25)
    assert waker.handler(ARRIVED, None)["patient"] == "remember"
    assert waker.handler(MINUTE, None)["patient"] == "rest"
    assert _desired(cloud, "patient") == 0


def test_one_broken_pool_keeps_no_other_asleep_and_is_raised(
    cloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"gone": {**cloud["pools"]["default"], "group": "ward-gone"}}
    monkeypatch.setenv("POOLS", json.dumps({**lost, **cloud["pools"]}))
    _send(cloud, "default")
    with pytest.raises(LookupError, match="ward-gone"):
        waker.handler(MINUTE, None)
    assert _desired(cloud, "default") == 1


def test_the_package_is_the_same_every_time_and_holds_the_handler(tmp_path: Any) -> None:
    first, second = waker_zip(tmp_path / "a" / "waker.zip"), waker_zip(tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == ["waker.py"]
        assert archive.read("waker.py") == SOURCE.read_bytes()
