"""Repairs what a crash left between two steps: leases nobody holds, files nobody will finish.

Every step here may run at any time, any number of times, beside running workers. Owns no state but
the lock files of this machine's workers, which are how a dead worker is told from a slow one: the
kernel lets go of a lock when its holder dies, however it dies.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bedside.domain.job import ENDED, REDRIVABLE, Failure, Job, JobState, Lease
from bedside.domain.result import RESULT_FILE
from bedside.errors import NotFound, StaleLease, Unavailable
from bedside.ports import BlobStore, Clock, JobFilter, Ledger
from bedside.worker.deliver import forget_stages

#: Jobs that ended badly, looked at for files that nobody will finish; the newest are enough, since
#: the sweep runs often.
LOOKED_AT = 200

#: A look at a lock holds it for microseconds; after these tries it is another's.
_TRIES, _PAUSE_S = 5, 0.05


@contextmanager
def hold(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file for as long as this process lives or the block lasts.

    Raises:
        Unavailable: Another process holds it.
    """
    descriptor = _locked(lock)
    if descriptor is None:
        holder = _holder(lock)
        raise Unavailable(f"{what}: process {holder or '(unknown)'} has it", hint=f"kill {holder}")
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(lock: Path) -> int | None:
    """Open and lock a file, or return None where another process keeps it locked."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass  # held, or only looked at by `is_held`; or removed as a dead worker's before it was locked
        os.close(descriptor)
        time.sleep(_PAUSE_S)
    return None


def _holder(lock: Path) -> str:
    try:
        return lock.read_text().strip()
    except OSError:
        return ""


def is_held(lock: Path) -> bool | None:
    """Return whether a process holds a lock file, or None where there is no such file."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def worker_lock(scratch: Path, name: str) -> Path:
    """Return the lock file of a worker."""
    return scratch / f"{name}.lock"


def release_dead_workers(ledger: Ledger, tenants: Sequence[str], *, scratch: Path, clock: Clock) -> list[Job]:
    """Queue again, or bury after the last attempt, the jobs of this machine's dead workers.

    Without it they would wait for their leases to run out. Then removes what those workers left.

    Returns:
        The jobs, as they are now.
    """
    moved: list[Job] = []
    for tenant in tenants:
        running = JobFilter(states=frozenset({JobState.RUNNING}))
        for job in ledger.jobs(tenant, running, limit=10_000):
            if is_held(worker_lock(scratch, job.worker)) is False:
                moved += _release(ledger, job, clock)
    for lock in scratch.glob("*.lock"):
        if is_held(lock) is False:
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    return moved


def _release(ledger: Ledger, job: Job, clock: Clock) -> list[Job]:
    now = clock.now()
    lease = Lease(job=job, worker=job.worker, fence=job.fence, until=job.lease_until or now)
    last = job.attempts >= job.pipeline.max_attempts
    failure = Failure(error="Unavailable", message=f"worker {job.worker}: died during attempt {job.attempts}")
    try:
        return [ledger.fail(lease, failure, now=now, retry_at=None if last else now)]
    except StaleLease:
        return []


def sweep_blobs(ledger: Ledger, blobs: BlobStore, tenant: str) -> int:
    """Remove what no job will use any more; return the number of jobs tidied up after.

    These are the stages' outputs of jobs that ended for good (a dead or cancelled one may be sent again
    and goes on at its stage), and the half-written results of jobs that ended badly. Their
    ``result.json`` is not there, so nobody could see them.
    """
    tidied = 0
    store = blobs.tenant(tenant)
    for job_id in {blob.key.split("/")[1] for blob in store.list("work/")}:
        try:
            ended = ledger.job(tenant, job_id).state in ENDED - REDRIVABLE
        except NotFound:
            ended = True
        if ended:
            forget_stages(job_id, store)
            tidied += 1
    badly = JobFilter(states=ENDED - {JobState.SUCCEEDED})
    for job in ledger.jobs(tenant, badly, limit=LOOKED_AT):
        left = [blob.key for blob in store.list(f"{job.prefix}/")]
        if left and f"{job.prefix}/{RESULT_FILE}" not in left:
            for key in left:
                store.delete(key)
            tidied += 1
    return tidied
