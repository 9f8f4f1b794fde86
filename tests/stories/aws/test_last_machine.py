"""A study that arrives in the moment when the last machine leaves is not lost, whichever moment that is.

Group, queue and rules are those of the applied deployment; the waker, the count of what keeps a machine and
the machine's script are what it holds of them. moto keeps the group's number. The study comes before and
after every call that the script makes, one run for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from applied import Deployment
from aws_pool import Pool
from bedside.adapters.sql import SqlLedger
from deployed_machine import Node, run_agent
from deployed_waker import MINUTE
from services import PostgresServer

pytestmark = [pytest.mark.needs("bash", "initdb", "pg_ctl", "terraform"), pytest.mark.timeout(600)]

#: Rounds that a machine is watched for after the study came.
ROUNDS = 3
#: The script's calls until it is gone, where nothing arrives.
CALLS = ("start", "count", "stop", "count", "leave")


@pytest.fixture(scope="module")
def ledger(deployment: Deployment, postgres: PostgresServer) -> None:
    """An empty ledger that machines are told of, and a configuration that says nothing."""
    url = postgres.database()
    made = SqlLedger(url)
    made.prepare()
    made.close()
    deployment.send_software("")
    deployment.cloud.client("ssm").put_parameter(
        Name=deployment.outputs["ledger_url_parameter"], Value=url, Type="SecureString", Overwrite=True
    )


@dataclass(kw_only=True)
class Story:
    """One machine that has nothing to do, and one study that comes before its n-th call.

    Attributes:
        comes: Which call that is; as many as there are calls is after the last one.
    """

    aws: Deployment
    folder: Path
    comes: int
    calls: list[str] = field(default_factory=list)
    works: bool = False
    here: bool = False
    rounds_since: int = 0

    def __post_init__(self) -> None:
        outputs = self.aws.outputs
        self.bucket, self.queue = outputs["bucket"], outputs["queue_url"]
        self.pool = Pool(cloud=self.aws.cloud, group=outputs["groups"]["default"])
        self.pool.empty()
        self.aws.cloud.drop_messages(self.queue)

    def tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a first study wake the machine, be read, and leave nothing to do; then run the machine."""
        self.arrive()
        (machine,) = self.pool.machines()
        self.node = Node(cloud=self.aws.cloud, instance=machine, root=self.folder)
        self.node.set_up()
        self.count = self.node.counting(monkeypatch)
        self.aws.cloud.drop_messages(self.queue)
        self.here = False
        run_agent(self.node, self.answer)
        if not self.here:
            self.arrive()

    def arrive(self) -> None:
        """Send a study; S3 tells queue and waker."""
        self.here = True
        self.aws.cloud.client("s3").put_object(Bucket=self.bucket, Key="input/default/x.zip", Body=b"x")

    def answer(self, words: list[str]) -> str | None:
        """Do what the script's call does."""
        match words:
            case ["curl", *_] if words[-1].endswith("/target-lifecycle-state"):
                return "InService" if self.node.instance in self.pool.machines() else "Terminated"
            case ["curl", *_]:
                return self.node.metadata(words[-1])
            case ["round"]:
                self.rounds_since += self.here
                return "" if self.rounds_since < ROUNDS else None
            case ["python", _, *told]:
                return self.step("count", lambda: str(self.count(*told)))
            case ["systemctl", verb, *_] if verb in ("start", "stop"):
                return self.step(verb, lambda: self.set_works(verb == "start"))
            case ["aws", "autoscaling", "terminate-instance-in-auto-scaling-group", *more]:
                assert more == ["--instance-id", self.node.instance, "--should-decrement-desired-capacity"]
                return self.step("leave", lambda: self.pool.leave(self.node.instance))
            case ["aws", "autoscaling", "complete-lifecycle-action", *_]:
                return ""
            case ["aws", "ec2", "terminate-instances", "--instance-ids", self.node.instance]:
                return ""  # it is, since it was taken out of its group
        raise AssertionError(words)

    def step(self, name: str, act: Callable[[], str | None]) -> str:
        """Do one step of the machine's, with the study before it if it is its turn."""
        if len(self.calls) == self.comes:
            self.arrive()
        self.calls.append(name)
        return act() or ""

    def set_works(self, now: bool) -> None:
        self.works = now


@pytest.mark.parametrize("comes", range(len(CALLS) + 1))
def test_a_study_that_comes_while_the_last_machine_leaves_finds_a_machine(
    aws: Deployment, ledger: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: int
) -> None:
    aws.waker.stop_clock()
    story = Story(aws=aws, folder=tmp_path / "machine", comes=comes)
    story.tell(monkeypatch)
    assert tuple(story.calls[:comes]) == CALLS[:comes]
    stayed = story.node.instance in story.pool.machines()
    # After the last count nobody sees it, nor does the waker that saw a machine just now, but the next
    # minute's look does.
    assert (story.pool.desired() == 0) == (comes >= CALLS.index("leave"))
    assert {source for source, _ in aws.waker.calls} == {"aws.s3"}
    aws.waker.call(MINUTE)
    assert story.pool.desired() == 1
    assert len(story.pool.machines()) == 1
    assert story.works == stayed, "a machine that stays works, one that went does not"
    assert aws.cloud.messages(story.queue)["visible"] == 1
    if comes < CALLS.index("leave"):
        assert stayed, "it was there before the last count"
