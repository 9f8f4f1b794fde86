"""A promotion while jobs wait and a worker is killed: each job ends once, and names its release."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import nothing_bundle
from bedside.cli.main import main
from bedside.domain.job import JobState
from bedside.ports import JobFilter
from serving import Serving, eventually

#: Studies that wait when a release is promoted, and studies that come after it.
QUEUED, LATER = 20, 5


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    made = Serving(tmp_path / "deployment", f'bundle = "{bundle}"\noutputs = ["seg"]')
    yield made
    made.close()


def test_twenty_queued_jobs_a_promotion_and_a_killed_worker(
    serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty wait, a worker is killed, a release promoted; five more come, and a worker is killed again."""
    configuration = str(serving.folder / "bedside.toml")
    old, new = tmp_path / "bundle", nothing_bundle.write_bundle(tmp_path / "new", version="2.0")
    serving.start("--workers", "0")
    for number in range(QUEUED):
        serving.submit(f"before{number}", behaviour="takes_1" if number == 2 else "works")
    assert eventually(lambda: len(serving.jobs()) == QUEUED, within_s=60)
    assert all(job.state is JobState.QUEUED for job in serving.jobs())
    assert serving.stop() == 0

    serving.start("--workers", "1")
    kill_worker_once_leased(serving, 3)
    assert main(["-c", configuration, "release", "promote", str(new)]) == 0
    for number in range(LATER):
        serving.submit(f"after{number}", behaviour="takes_1" if number == 2 else "works")
    kill_worker_once_leased(serving, QUEUED + 3)
    assert eventually(lambda: serving.settled(QUEUED + LATER), within_s=180), "\n".join(serving.lines[-30:])
    assert serving.stop() == 0
    check_each_ended_once_and_names_its_release(
        serving, {nothing_bundle.digest(old): QUEUED, nothing_bundle.digest(new): LATER}
    )
    capsys.readouterr()
    assert main(["-c", configuration, "release", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["releases"]
    assert {r["version"]: r["used"] for r in listed} == {"2.0": ["current in nothing/infer"], "1.0": []}


def kill_worker_once_leased(serving: Serving, leases: int) -> None:
    assert eventually(lambda: leased(serving) >= leases, within_s=120, every_s=0.005), serving.lines[-20:]
    assert eventually(lambda: serving.kill("worker"), within_s=10, every_s=0.01)


def leased(serving: Serving) -> int:
    return sum("action=job.leased " in line for line in serving.lines)


def check_each_ended_once_and_names_its_release(serving: Serving, expected: dict[str, int]) -> None:
    jobs = serving.jobs()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * (QUEUED + LATER)
    assert len({job.subject for job in jobs}) == len({job.arrival_id for job in jobs}) == (QUEUED + LATER)
    assert Counter(job.stage.release for job in jobs) == expected
    ledger = serving.ledger
    attempts = 0
    for job in jobs:
        actions = [event.action for event in ledger.events("default", job_id=job.id)]
        assert actions.count("job.complete") == 1, actions
        attempts += actions.count("job.lease")
        document = json.loads((serving.root / "default" / job.prefix / "result.json").read_text())
        assert document["release"]["digest"] == job.stage.release
        assert document["release"]["version"] == {0: "1.0", 1: "2.0"}[list(expected).index(job.stage.release)]
    assert attempts > (QUEUED + LATER), "the killed workers held jobs"
    results = ledger.results("default", current_only=False)
    assert Counter(r.job_id for r in results) == Counter(job.id for job in jobs)
    assert not any(result.superseded_by for result in results)
    assert ledger.jobs("default", JobFilter(states=frozenset({JobState.QUEUED}))) == []
    ledger.close()
    assert serving.found("results/*/*/result.json") == (QUEUED + LATER)
