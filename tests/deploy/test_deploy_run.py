"""`bedside deploy run` as typed: the real bedside on a machine that moto's Systems Manager sends commands to.

The document is the module's, its script really runs, and the ledger is a real one. Not seen: AWS's agent, a
machine that starts, and how long it takes to register.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.adapters.local.clock import SystemClock
from bedside.adapters.sql import SqlLedger
from bedside.deploy import remote
from bedside.errors import NotFound
from clinic import typed
from clouds import REGION, Cloud
from command_machine import Agents, Machine
from ledger_samples import make_arrival, make_job

pytestmark = pytest.mark.needs("terraform")


@pytest.fixture
def agents(
    run_document: dict[str, Any], tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> Agents:
    """A deployment whose machines run what they are sent with the real bedside."""
    machine = Machine(root=tmp_path / "machine", document=run_document)
    bedside = Path(sys.executable).parent / "bedside"
    environment, ledger = f"BEDSIDE_SYSTEM_ROOT='{tmp_path}'\n", f"BEDSIDE_LEDGER_URL='{_ledger(tmp_path)}'\n"
    machine.set_up(f'#!/bin/sh\nexec {bedside} "$@"\n', environment, ledger)
    found = Agents(machine=machine)
    found.attach(monkeypatch)
    monkeypatch.setattr(remote, "POLL_S", 0.01)
    here = tmp_path / "here"
    here.mkdir()
    (here / "bedside.toml").write_text(f'[deploy]\nname = "asked"\nregion = "{REGION}"\n')
    monkeypatch.chdir(here)
    return found


def _ledger(folder: Path) -> str:
    return f"sqlite:///{folder}/asked.db"


@pytest.fixture(scope="module")
def scaling(moto: Cloud) -> Iterator[Any]:
    """A client of the deployment's pool."""
    client, name = moto.client("autoscaling"), "asked-default"
    client.create_launch_configuration(
        LaunchConfigurationName=name, ImageId="ami-12c6146b", InstanceType="c5.large"
    )
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    yield client
    client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


@pytest.fixture
def nobody(scaling: Any) -> Callable[[], str]:
    """No machine runs; what is returned asks for the one that was woken."""

    def only() -> str:
        found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["asked-default"])
        (instance,) = found["AutoScalingGroups"][0]["Instances"]
        return str(instance["InstanceId"])

    scaling.set_desired_capacity(AutoScalingGroupName="asked-default", DesiredCapacity=0)
    return only


@pytest.fixture
def one(scaling: Any, nobody: Callable[[], str]) -> str:
    """One machine runs."""
    scaling.set_desired_capacity(AutoScalingGroupName="asked-default", DesiredCapacity=1)
    return nobody()


def test_a_machine_is_woken_after_a_question_and_says_what_the_ledger_says(
    agents: Agents, nobody: Callable[[], str], tmp_path: Path
) -> None:
    ledger = SqlLedger(_ledger(tmp_path))
    ledger.prepare()
    job, _ = ledger.enqueue(make_job(ledger.add_arrival(make_arrival(tenant="default"))))
    ledger.close()
    asked = typed("deploy", "run", "--", "job", "list")
    assert (asked.code, agents.sent) == (2, [])
    assert "No machine of asked runs. Wake one of pool default (g4dn.xlarge, USD 0.526 an hour" in asked.err
    agents.silent = 3  # it starts, and its agent takes a while
    told = typed("deploy", "run", "--yes", "--", "job", "list", "--json")
    assert told.code == 0, told.err
    assert [found["id"] for found in told.json["jobs"]] == [job.id]
    assert "a machine starts" in told.err
    # Now one runs, and nothing is asked; what bedside answers there is answered here, its exit code too.
    again = typed("deploy", "run", "--machine", nobody(), "job", "show", "no; such 'job'")
    assert (again.code, again.out) == (NotFound.exit_code, "")
    assert "no job no; such 'job' of tenant default" in again.err
    no = typed("deploy", "run", "--", "job", "cancel", job.id)
    assert (no.code, "--yes" in no.err) == (2, True), no.err
    assert typed("deploy", "run", "--machine", "i-0", "job", "list").code == NotFound.exit_code
    assert agents.cancelled == []


def test_what_ends_the_waiting_ends_the_command(
    agents: Agents, one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents.status = "InProgress"

    def stop(clock: SystemClock, seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "sleep", stop)
        assert typed("deploy", "run", "--", "job", "list").code == 130
    assert len(agents.cancelled) == 1


def test_a_machine_that_went_away_is_noticed(
    agents: Agents, one: str, scaling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LOOK_S", 0.0)
    agents.status = "InProgress"
    agents.then = lambda: scaling.terminate_instance_in_auto_scaling_group(
        InstanceId=one, ShouldDecrementDesiredCapacity=True
    )
    told = typed("deploy", "run", "--", "job", "list")
    assert told.code == 5
    assert f"machine {one} went away while the command ran there" in told.err
    assert len(agents.cancelled) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("Execution Timed Out", "did not end on i-"),
        ("Delivery Timed Out", "did not take the command"),
        ("Undeliverable", "did not take the command"),
        ("Cancelled", "somebody cancelled the command on i-"),
    ],
)
def test_why_it_did_not_end_by_itself_is_said(agents: Agents, one: str, status: str, words: str) -> None:
    agents.status = status
    told = typed("deploy", "run", "--", "job", "list")
    assert (told.code, words in told.err) == (5, True), told.err
    assert "hint: " in told.err


def test_what_cannot_work_there_is_refused_before_anything_is_asked(
    agents: Agents,
) -> None:
    told = typed("deploy", "run", "--", "submit", "study.zip")
    assert told.code == 2
    assert "aws s3 cp STUDY.zip s3://BUCKET/input/TENANT/" in told.err
    assert "bedside deploy run -- tenant upload-link TENANT" in told.err
    for noun in ("serve", "deploy", "run", "config"):
        assert typed("deploy", "run", "--", noun, "x").code == 2
    assert typed("deploy", "run", "--", "job", "show", "x" * 9_000).code == 2
    assert agents.sent == []


def test_an_older_deployment_and_none_are_told_from_each_other(
    agents: Agents, one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "document_name", lambda name: f"{name}-of-no-version")
    told = typed("deploy", "run", "--", "job", "list")
    assert "no document asked-of-no-version: the deployment is of an older version" in told.err
    assert "hint: bedside deploy apply" in told.err
    monkeypatch.setenv("BEDSIDE_DEPLOY_NAME", "nobody")
    none = typed("deploy", "run", "--yes", "--", "job", "list")
    assert "no group of machines nobody-default" in none.err
