"""What goes on beside the workers: intake, settling, leases that ran out, and the sweep.

Owns how often each of these happens. Every step may run at any time and any number of times, so a
supervisor that was killed between two of them goes on where it was by simply beginning again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from bedside.config import FileSetSettings
from bedside.domain.job import JobState
from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, JobFilter, Ledger
from bedside.worker.dropbox import INPUT, group
from bedside.worker.intake import Intake
from bedside.worker.observe import Observer
from bedside.worker.sweep import release_dead_workers, sweep_blobs

#: Between two looks for leases that ran out.
EXPIRE_S = 1.0

#: Between two sweeps; the first comes at once, and repairs what a crash left.
SWEEP_S = 60.0

#: Between two looks at the whole store for half-written files, which costs a walk through it.
TIDY_S = 3600.0

#: Jobs that still are to be done.
OPEN = JobFilter(states=frozenset({JobState.QUEUED, JobState.RUNNING}))


class Upkeep:
    """Does what is due, one round at a time.

    Args:
        intake: Takes, settles and repairs drop-box entries.
        ledger: Where jobs are.
        blobs: The store, of any tenant.
        clock: The time.
        tenants: Whom this deployment serves.
        scratch: Where workers' lock files lie.
        tidy_store: Removes what crashed writers left in the store; returns how many files.
        remind: Tells pools again of waiting jobs whose hints got lost; returns how many pools.
        file_sets: Sets of other files than DICOM, as configured.
        log: Takes notes.
        observer: Tells people, and counts.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        ledger: Ledger,
        blobs: BlobStore,
        clock: Clock,
        tenants: Sequence[str],
        scratch: Path,
        tidy_store: Callable[[], int],
        remind: Callable[[], int] = lambda: 0,
        file_sets: Sequence[FileSetSettings] = (),
        log: Log = silent,
        observer: Observer | None = None,
    ) -> None:
        self._intake = intake
        self._ledger = ledger
        self._blobs = blobs
        self._clock = clock
        self._tenants = tenants  # may grow and shrink while this runs
        self._scratch = scratch
        self._tidy_store = tidy_store
        self._remind = remind
        self._file_sets = tuple(file_sets)
        self._log = log
        self._observer = observer or Observer()
        self._expire_at = self._sweep_at = self._tidy_at = clock.monotonic()

    def step(self) -> int:
        """Do one round; return how many entries were taken or settled.

        Raises:
            Unavailable: The ledger or the store is out of reach.
        """
        now = self._clock.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._sweep()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_S
            if removed := self._tidy_store():
                self._log("store.tidied", files=removed)
        if now >= self._expire_at:
            self._expire_at = now + EXPIRE_S
            expired = self._ledger.expire(self._clock.now())
            for job in expired:
                self._log("job.expired", tenant=job.tenant, job=job.id, attempt=job.attempts)
            self._observer.workers_gone(expired)
        done = 0
        for tenant in self._tenants:
            done += self._intake.step(tenant)
            done += self._intake.settle(tenant)
        return done

    def free_dead_workers(self, *, machine: str = "") -> None:
        """Queue again the jobs of workers of this machine that died.

        Args:
            machine: Its name, where a worker is known to have died, with or without a job.
        """
        freed = release_dead_workers(self._ledger, self._tenants, scratch=self._scratch, clock=self._clock)
        for job in freed:
            self._log("job.freed", tenant=job.tenant, job=job.id, attempt=job.attempts, state=job.state.value)
        self._observer.workers_gone(freed, machine=machine)

    def drained(self) -> bool:
        """Return whether nothing is left: no open job, no unsettled entry, nothing that will be taken."""
        for tenant in self._tenants:
            if self._ledger.jobs(tenant, OPEN, limit=1) or self._ledger.unsettled_entries(tenant):
                return False
            waiting = group(self._blobs.tenant(tenant).list(f"{INPUT}/"), self._file_sets)
            if any(thing.whole for thing in waiting):
                return False
        return True

    def _sweep(self) -> None:
        self.free_dead_workers()
        self._remind()
        for tenant in self._tenants:
            repaired = self._intake.sweep(tenant)
            tidied = sweep_blobs(self._ledger, self._blobs, tenant)
            if repaired or tidied:
                self._log("sweep", tenant=tenant, arrivals=repaired, jobs=tidied)
