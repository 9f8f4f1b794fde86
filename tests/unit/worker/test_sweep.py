"""What a crash left is found and repaired, and what is alive is left alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bedside.domain.job import JobState
from bedside.errors import Unavailable
from bedside.worker.sweep import hold, is_held, release_dead_workers, sweep_blobs, worker_lock
from unit.worker.workshop import Workshop

HOLDER = """
import sys, time
from pathlib import Path
from bedside.worker.sweep import hold
with hold(Path(sys.argv[1]), "test"):
    print("held", flush=True)
    time.sleep(60)
"""


def leased_by(shop: Workshop, worker: str) -> None:
    assert shop.ledger.lease(pools=["default"], worker=worker, now=shop.clock.now(), lease_s=60)


def test_a_lock_is_held_until_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    assert is_held(lock) is None
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert is_held(lock) is True
        with pytest.raises(Unavailable, match=f"process {holder.pid} has it"), hold(lock, "deployment"):
            pass
        holder.kill()
    assert is_held(lock) is False
    with hold(lock, "deployment"):
        assert is_held(lock) is True
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_dead_workers_job_is_free_at_once_and_its_attempt_counts(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    leased_by(shop, "w1")
    worker_lock(tmp_path, "w1").touch()
    (tmp_path / "w1").mkdir()
    freed = release_dead_workers(shop.ledger, ["ward"], scratch=tmp_path, clock=shop.clock)
    assert [(found.id, found.state, found.attempts) for found in freed] == [(job.id, JobState.QUEUED, 1)]
    assert list(tmp_path.iterdir()) == []
    leased_by(shop, "w2")


def test_a_job_that_kills_workers_is_buried(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    for number in range(3):
        leased_by(shop, f"w{number}")
        worker_lock(tmp_path, f"w{number}").touch()
        release_dead_workers(shop.ledger, ["ward"], scratch=tmp_path, clock=shop.clock)
    dead = shop.now(job)
    assert dead.state is JobState.DEAD
    assert dead.failure is not None and "died during attempt 3" in dead.failure.message


@pytest.mark.parametrize("alive_here", [True, False])
def test_living_workers_and_those_of_other_machines_keep_their_jobs(tmp_path: Path, alive_here: bool) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    leased_by(shop, "w1")
    if alive_here:
        with hold(worker_lock(tmp_path, "w1"), "w1"):
            assert release_dead_workers(shop.ledger, ["ward"], scratch=tmp_path, clock=shop.clock) == []
            assert worker_lock(tmp_path, "w1").exists()
    else:
        assert release_dead_workers(shop.ledger, ["ward"], scratch=tmp_path, clock=shop.clock) == []
    assert shop.now(job).state is JobState.RUNNING


def test_only_what_no_job_will_use_is_removed(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.blobs.put(f"work/{job.id}/prepare/stage.json", b"{}")
    shop.blobs.put("work/forgotten/prepare/stage.json", b"{}")
    shop.blobs.put(f"{job.prefix}/dicom/half.dcm", b"half")
    assert sweep_blobs(shop.ledger, shop.blobs, "ward") == 1
    assert shop.keys("work/") == [f"work/{job.id}/prepare/stage.json"]
    assert shop.keys("results/") == [f"{job.prefix}/dicom/half.dcm"]
    shop.ledger.cancel("ward", job.id, shop.clock.now())
    assert sweep_blobs(shop.ledger, shop.blobs, "ward") == 1
    assert shop.keys("work/") == [f"work/{job.id}/prepare/stage.json"], "it may be sent again"
    assert shop.keys("results/") == []
    shop.ledger.redrive("ward", job.id, shop.clock.now())
    shop.worker.step()
    assert sweep_blobs(shop.ledger, shop.blobs, "ward") == 1
    assert shop.keys("work/") == []
    assert sweep_blobs(shop.ledger, shop.blobs, "ward") == 0


def test_a_finished_result_is_never_swept(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    job = shop.submit()
    shop.worker.step()
    before = shop.keys("")
    assert sweep_blobs(shop.ledger, shop.blobs, "ward") == 0
    assert shop.keys("") == before
    assert shop.now(job).state is JobState.SUCCEEDED
