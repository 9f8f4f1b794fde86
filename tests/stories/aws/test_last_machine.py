"""A study that arrives in the moment when the last machine leaves is not lost, whichever moment that is.

The waker, the count of what keeps a machine and the machine's script are the real ones; moto keeps the
group's number. The study comes before and after every call that the script makes, one run for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aws_pool import ARRIVED, MINUTE, Pool, run_machine, work
from bedside.adapters.sql import SqlLedger
from clouds import Cloud

pytestmark = [pytest.mark.needs("bash"), pytest.mark.timeout(300)]

#: Rounds that a machine is watched for after the study came.
ROUNDS = 3
#: The script's calls until it is gone, where nothing arrives.
CALLS = ("start", "count", "stop", "count", "leave")


@dataclass(kw_only=True)
class Story:
    """One machine that has nothing to do, and one study that comes before its n-th call.

    Attributes:
        comes: Which call that is; as many as there are calls is after the last one.
    """

    cloud: Cloud
    folder: Path
    comes: int
    calls: list[str] = field(default_factory=list)
    works: bool = False
    here: bool = False
    rounds_since: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.bucket = self.cloud.bucket()
        self.queue = self.cloud.queue(announces=self.bucket)
        url = f"sqlite:///{self.folder}/ledger.db"
        ledger = SqlLedger(url)
        ledger.prepare()
        ledger.close()
        self.configuration = self.folder / "bedside.toml"
        self.configuration.write_text(f'[ledger]\nurl = "{url}"\n[queue]\nurl = "{self.queue}"\n')
        self.pool = Pool(cloud=self.cloud, queue=self.queue)
        self.count = work()

    def tell(self) -> None:
        """Let a first study wake the machine, be read, and leave nothing to do; then run the machine."""
        self.arrive()
        assert self.pool.desired() == 1
        self.cloud.client("sqs").purge_queue(QueueUrl=self.queue)
        (self.machine,) = self.pool.machines()
        self.here = False
        scripts = self.folder / "scripts"
        scripts.mkdir()
        run_machine(scripts, self.answer, idle_s=50)
        if not self.here:
            self.arrive()

    def arrive(self) -> None:
        """Send a study; its event reaches queue and waker."""
        self.here = True
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key="input/default/x.zip", Body=b"x")
        self.pool.wake(ARRIVED)

    def answer(self, words: list[str]) -> str | None:
        """Do what the script's call does."""
        match words:
            case ["curl", *_] if "api/token" in words[-1]:
                return "token"
            case ["curl", *_] if words[-1].endswith("/instance-id"):
                return self.machine
            case ["curl", *_] if words[-1].endswith("/target-lifecycle-state"):
                return "InService" if self.machine in self.pool.machines() else "Terminated"
            case ["curl", *_]:
                return None  # no spot machine
            case ["round"]:
                self.rounds_since += self.here
                return "" if self.rounds_since < ROUNDS else None
            case ["python", _, deployment, pool, _]:
                return self.step("count", lambda: str(self.count(deployment, pool, str(self.configuration))))
            case ["systemctl", verb, *_] if verb in ("start", "stop"):
                return self.step(verb, lambda: self.set_works(verb == "start"))
            case ["aws", "autoscaling", "terminate-instance-in-auto-scaling-group", *more]:
                assert more == ["--instance-id", self.machine, "--should-decrement-desired-capacity"]
                return self.step("leave", lambda: self.pool.leave(self.machine))
            case ["aws", "autoscaling", "complete-lifecycle-action", *_]:
                return ""
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
    cloud: Cloud, tmp_path: Path, comes: int
) -> None:
    story = Story(cloud=cloud, folder=tmp_path / "story", comes=comes)
    story.tell()
    assert tuple(story.calls[:comes]) == CALLS[:comes]
    stayed = story.machine in story.pool.machines()
    # After the last count nobody sees it, nor does the waker that saw a machine just now, but the next
    # minute's look does.
    assert (story.pool.desired() == 0) == (comes >= CALLS.index("leave"))
    story.pool.wake(MINUTE)
    assert story.pool.desired() == 1
    assert len(story.pool.machines()) == 1
    assert story.works == stayed, "a machine that stays works, one that went does not"
    assert cloud.messages(story.queue)["visible"] == 1
    if comes < CALLS.index("leave"):
        assert stayed, "it was there before the last count"
