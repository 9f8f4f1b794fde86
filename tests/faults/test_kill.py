"""SIGKILL at every stage of a job, to supervisor, worker and child: each study ends with one result.

Moments are seen from outside, in log lines and in what appears in the store; nothing in bedside knows
of the test.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import nothing_bundle
from bedside.domain.job import JobState
from bedside.domain.keys import TEMPORARY
from serving import PROGRAM, Serving, eventually


@dataclass(frozen=True)
class Moment:
    """When to kill whom.

    Attributes:
        who: ``supervisor``, ``worker`` or ``child``.
        said: Once this was said, or
        found: once there are more files of this pattern in the tenant's folder.
    """

    who: str
    said: str = ""
    found: str = ""

    def __str__(self) -> str:
        return f"{self.who} at {self.said or self.found}"


CHOSEN = (
    Moment("supervisor", found="arrivals/files/*/*"),  # files are stored, nothing is recorded
    Moment("supervisor", found="arrivals/*/manifest.json"),  # the manifest is there, the arrival not recorded
    Moment("supervisor", said="job.queued"),  # a job is queued, the entry not recorded
    Moment("supervisor", said="entry.taken"),
    Moment("supervisor", said="job.leased"),
    Moment("worker", said="job.leased"),
    Moment("child", said="job.leased"),
    Moment("worker", said="job.delivering"),
    Moment("worker", found="results/*/*/dicom/*"),  # delivery is half done
    Moment("worker", found="results/*/*/result.json"),  # the result is there, the ledger does not know
    Moment("supervisor", said="job.succeeded"),  # the entry is not settled
    Moment("supervisor", found="inferred/*/*"),  # the entry is half moved away
)


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Serving]:
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    serving = Serving(tmp_path / "deployment", f'command = ["{program}", "{{input}}", "{{output}}", "0.2"]')
    yield serving
    serving.close()


@pytest.fixture
def bundles(tmp_path: Path) -> Iterator[Serving]:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    serving = Serving(tmp_path / "deployment", f'bundle = "{bundle}"\noutputs = ["seg"]')
    yield serving
    serving.close()


def kill_at(serving: Serving, moment: Moment, *, seed: str, behaviour: str = "works") -> bool:
    """Submit a study and kill at a moment of its way; return whether the moment came."""
    mark, before = len(serving.lines), serving.found(moment.found) if moment.found else 0

    def has_come() -> bool:
        if moment.found:
            return serving.found(moment.found) > before
        return serving.said(moment.said, since=mark)

    serving.submit(seed, behaviour=behaviour)
    came = eventually(has_come, within_s=60, every_s=0.001)
    killed = came and eventually(lambda: serving.kill(moment.who), within_s=5, every_s=0.01)
    if moment.who == "supervisor":
        serving.start()
    return killed


def check_exactly_one_result_each(serving: Serving, count: int) -> None:
    jobs = serving.jobs()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * count
    assert len({job.subject for job in jobs}) == len({job.id for job in jobs}) == count
    ledger = serving.ledger
    results = ledger.results("default", current_only=False)
    assert {result.job_id for result in results} == {job.id for job in jobs}
    assert len(results) == count
    for job in jobs:
        actions = [event.action for event in ledger.events("default", job_id=job.id)]
        assert actions.count("job.complete") == 1, actions
    ledger.close()
    assert serving.found("results/*/*/result.json") == count
    for found in (serving.root / "default").glob("results/*/*"):
        listed = json.loads((found / "result.json").read_text())["files"]
        files = (path.relative_to(found) for path in found.rglob("*") if path.is_file())
        there = {path.as_posix() for path in files if not path.name.startswith(TEMPORARY)}  # swept later
        assert there == {file["path"] for file in listed} | {"result.json"}
    assert serving.found("inferred/*/*.zip") == count
    assert list(serving.inbox.iterdir()) == []
    assert serving.found("rejected/**/*") == 0


def run_through(serving: Serving, moments: list[Moment], behaviour: Callable[[int], str]) -> None:
    serving.start()
    for number, moment in enumerate(moments, start=1):
        killed = kill_at(serving, moment, seed=f"s{number}", behaviour=behaviour(number))
        assert killed, f"{moment} did not come"
        assert eventually(lambda number=number: serving.settled(number), within_s=120), (
            f"{moment}: not settled\n" + "\n".join(serving.lines[-30:])
        )
    assert serving.stop() == 0
    check_exactly_one_result_each(serving, len(moments))
    assert eventually(lambda: serving.processes() == [], within_s=10)
    assert serving.leftover() == []
    assert not any("Doe" in line for line in serving.lines)


def test_killed_at_a_few_moments(commands: Serving) -> None:
    run_through(commands, list(CHOSEN[::2]), lambda number: "works")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_every_moment_three_times_over(commands: Serving) -> None:
    run_through(commands, [*CHOSEN, *CHOSEN, *CHOSEN], lambda number: "works")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_chosen_moments_with_a_model(bundles: Serving) -> None:
    run_through(bundles, [*CHOSEN, *CHOSEN], lambda number: "takes_1" if number % 2 else "works")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_random_moments(commands: Serving, seed: int) -> None:
    """Ten studies at once, one kill after another, until all are read."""
    chance = random.Random(seed)
    for number in range(10):
        commands.submit(f"s{number}")
    commands.start("--workers", "2")
    kills = 0
    while kills < 40:
        eventually(lambda: False, within_s=chance.uniform(0.05, 2.0))
        who = chance.choice(["supervisor", "worker", "child"])
        kills += commands.kill(who)
        if who == "supervisor":
            commands.start("--workers", "2")
        if commands.settled(10):
            break
    assert eventually(lambda: commands.settled(10), within_s=180), "\n".join(commands.lines[-40:])
    assert commands.stop() == 0
    check_exactly_one_result_each(commands, 10)
    assert eventually(lambda: commands.processes() == [], within_s=10)
    assert commands.leftover() == []
