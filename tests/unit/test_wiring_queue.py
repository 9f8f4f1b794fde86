"""Which queues a machine listens to, who takes in what arrives, and where hints go."""

import sys
from pathlib import Path
from typing import Any

import pytest

from bedside.adapters.aws.hints import SqsHints
from bedside.config import Settings, load, shown
from bedside.errors import ConfigError
from bedside.wiring import open_deployment
from bedside.wiring.queue import listened, open_hints, queues_state, takes_in
from clouds import Cloud

EVENTS, CPU, GPU = (f"https://sqs.example/clinic-{name}" for name in ("events", "cpu", "gpu"))
POOLS = {"default": EVENTS, "cpu": CPU, "gpu": GPU}


def settings(*pools: str, count: int = 1, **queue: Any) -> Settings:
    return Settings.model_validate(
        {
            "store": {"url": "s3://clinic"},
            "queue": {"url": EVENTS, "pools": POOLS, **queue},
            "worker": {"pools": pools, "count": count},
        }
    )


@pytest.mark.parametrize(
    ("chosen", "takes", "queues"),
    [
        (settings("default"), True, [EVENTS]),
        (settings("gpu"), False, [GPU]),
        (settings("gpu", "default"), True, [EVENTS, GPU]),
        (settings("gpu", "cpu"), False, [GPU, CPU]),
        (settings(), True, [EVENTS, CPU, GPU]),
        (settings(count=0), True, [EVENTS]),  # the control machine: nobody here would do those jobs
        (settings("new"), True, [EVENTS]),  # a pool without a queue has the events' one
        (settings("gpu", pools={}), True, [EVENTS]),
    ],
)
def test_who_takes_in_and_who_listens_to_what(chosen: Settings, takes: bool, queues: list[str]) -> None:
    assert takes_in(chosen) is takes
    assert listened(chosen) == queues


def test_without_a_queue_nobody_is_told_and_the_ledger_is_bare(tmp_path: Path) -> None:
    deployment = open_deployment(Settings.model_validate({"system": {"root": tmp_path / "data"}}))
    assert (type(deployment.ledger).__name__, deployment.hints) == ("SqlLedger", None)
    assert deployment.remind() == 0
    deployment.close()


def test_a_queue_needs_a_bucket_and_boto3_and_pools_a_queue_of_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(chosen: Settings) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            open_hints(chosen, log=lambda *_, **__: None)
        return caught.value

    without = settings().model_copy(update={"store": Settings().store})
    assert "store.url names none" in refused(without).message
    assert "queue.url names no queue" in refused(settings(url="")).message
    monkeypatch.setitem(sys.modules, "bedside.adapters.aws.hints", None)
    assert refused(settings()).hint == "pip install 'bedside[aws]'"
    monkeypatch.undo()
    assert isinstance(open_hints(settings(), log=lambda *_, **__: None), SqsHints)


def test_what_a_check_says_is_of_the_queues_that_are_listened_to(cloud: Cloud) -> None:
    events, gpu = cloud.queue(), cloud.queue()
    cloud.client("sqs").send_message(QueueUrl=gpu, MessageBody="{}", DelaySeconds=60)
    names = [url.rpartition("/")[2] for url in (events, gpu)]
    pools = {"default": events, "gpu": gpu}
    every = queues_state(settings(url=events, pools=pools))
    assert every == f"{names[0]} holds 0 messages, {names[1]} holds 1 messages; takes in what arrives"
    other = queues_state(settings("gpu", url=events, pools=pools))
    assert other == f"{names[1]} holds 1 messages; listens for jobs only"


def test_a_variable_names_the_queue_of_each_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variable = {"BEDSIDE_QUEUE_POOLS": f"cpu={CPU}?a=b, gpu={GPU}"}
    loaded = load(None, environment=variable, flags={})
    assert loaded.settings.queue.pools == {"cpu": f"{CPU}?a=b", "gpu": GPU}
    sources = {each.key: each.source for each in shown(loaded.settings, loaded.sources)}
    assert sources["queue.pools.gpu"] == "BEDSIDE_QUEUE_POOLS"
    assert sources["queue.url"] == "default"
    (tmp_path / "bedside.toml").write_text(f'[queue.pools]\ngpu = "{CPU}"\n')
    both = load(None, environment=variable, flags={})
    assert both.settings.queue.pools["gpu"] == GPU
    sources = {each.key: each.source for each in shown(both.settings, both.sources)}
    assert sources["queue.pools.gpu"] == "BEDSIDE_QUEUE_POOLS"
    for wrong in ("gpu", f"={GPU}", "gpu="):
        with pytest.raises(ConfigError, match="expected NAME=VALUE"):
            load(None, environment={"BEDSIDE_QUEUE_POOLS": wrong}, flags={})
