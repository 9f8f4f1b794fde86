"""The loop of a worker: lease a job, run its stage, deliver, go on; until asked to stop.

Owns what happens to a lease, whatever happens in between: it ends well, is failed by the policy in
`retry`, goes back, or is lost, and in the last case nothing is written. This is the one place that
catches everything, because a worker that dies of one job's surprise takes the next job with it.
"""

import contextlib
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bedside.domain.figures import WAIT
from bedside.domain.job import ENDED, REDRIVABLE, Failure, Job, Lease
from bedside.domain.phantom import is_phantom
from bedside.domain.release import Role
from bedside.errors import BedsideError, ModelFailed, StaleLease, Unavailable, known_name
from bedside.log import Log, silent
from bedside.ports import BlobStore, Clock, Ledger, ModelRunner
from bedside.runtime.record import Spent
from bedside.worker.deliver import deliver, forget_stages, hand_on
from bedside.worker.execute import execute
from bedside.worker.heartbeat import Heartbeat
from bedside.worker.observe import Observer
from bedside.worker.releases import Releases
from bedside.worker.retry import Next, judge
from bedside.worker.stop import Stop

#: Pause after the ledger was out of reach, so that a restart of it is not met by a storm.
OUT_OF_REACH_S = 2.0

#: Between two looks for work that nobody waits for, and after one that went wrong.
ASIDE_S, SURPRISED_S = 2.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a worker works with.

    Attributes:
        ledger: Gives leases.
        blobs: The store, of any tenant; the job's tenant is chosen for each job.
        runner: Runs stages.
        releases: Knows bundles by digest.
        clock: The time.
        log: Takes notes.
        aside: What is done when nobody waits, e.g. comparing shadows; returns how much it did.
        lookout: Looks for releases that will be needed, before each job and when there is none.
        archives: There is an archive: what is delivered is queued for it.
        observer: Tells people, and counts.
    """

    ledger: Ledger
    blobs: BlobStore
    runner: ModelRunner
    releases: Releases
    clock: Clock
    log: Log = silent
    aside: Callable[[], int] | None = None
    lookout: Callable[[], None] | None = None
    archives: bool = False
    observer: Observer = field(default_factory=Observer)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works.

    Attributes:
        name: Names it in leases, unique among all workers of the ledger.
        pools: Queues it leases from; none named is every queue, also one that comes later.
        scratch: Its private folder, on the store's file system where links are wanted.
        lease_s: How long a lease lasts without a heartbeat.
        poll_s: Pause when there is nothing to do.
        backoff_s: Wait before a second attempt.
        machine: Kind of machine it runs on; empty where results shall not say.
        usd_per_h: What an hour of that costs.
    """

    name: str
    pools: Sequence[str]
    scratch: Path
    lease_s: float = 60.0
    poll_s: float = 0.5
    backoff_s: float = 5.0
    machine: str = ""
    usd_per_h: float = 0.0


class Worker:
    """Does jobs, one at a time.

    Args:
        parts: What it works with.
        options: How.
        stop: The wish to stop.
    """

    def __init__(self, parts: Parts, options: WorkerOptions, stop: Stop) -> None:
        self._parts = parts
        self._options = options
        self._stop = stop
        self._aside_at = 0.0

    def run(self) -> None:
        """Work until asked to stop."""
        while not self._stop.requested:
            try:
                if self._parts.lookout is not None:
                    self._parts.lookout()
                worked = self.step() or self._step_aside()
            except Unavailable as missing:
                self._parts.log("worker.waits", reason=missing.message)
                self._stop.wait(OUT_OF_REACH_S)
                continue
            if not worked:
                self._stop.wait(self._options.poll_s)

    def step(self) -> bool:
        """Do one stage of one job; return whether there was any.

        Raises:
            Unavailable: The ledger is out of reach; a lease held just now runs out by itself.
        """
        lease = self._parts.ledger.lease(
            pools=self._options.pools,
            worker=self._options.name,
            now=self._parts.clock.now(),
            lease_s=self._options.lease_s,
        )
        if lease is None:
            return False
        self._note("job.leased", lease.job)
        leased_at = self._parts.clock.now()
        self._parts.observer.leased(lease.job, leased_at)
        heartbeat = Heartbeat(
            self._parts.ledger, lease, lease_s=self._options.lease_s, clock=self._parts.clock, stop=self._stop
        )
        try:
            self._attempt(lease.job, heartbeat, leased_at)
        except BedsideError as failed:
            self._end(heartbeat.lease, failed)
        except Exception as surprise:  # noqa: BLE001 - one job's surprise must not end the worker
            hint = "this is a fault of bedside; please report it with this line"
            self._end(heartbeat.lease, ModelFailed(f"worker: {_told(surprise)}", hint=hint))
        if lease.job.role is Role.SHADOW or self._parts.archives:
            # A serve that only drains its queue ends after the last job, and a busy worker is never idle.
            self._step_aside(at_once=True)
        return True

    def _step_aside(self, *, at_once: bool = False) -> bool:
        """Do what nobody waits for, now and then; return whether there was any.

        Raises:
            Unavailable: The ledger or the store is out of reach.
        """
        now = self._parts.clock.monotonic()
        if self._parts.aside is None or (now < self._aside_at and not at_once):
            return False
        self._aside_at = now + ASIDE_S
        try:
            return self._parts.aside() > 0
        except Unavailable:
            raise
        except Exception as surprise:  # noqa: BLE001 - what nobody waits for must not end the worker
            self._aside_at = now + SURPRISED_S
            self._parts.log("worker.surprised", reason=_told(surprise))
            return False

    def _attempt(self, job: Job, heartbeat: Heartbeat, leased_at: datetime) -> None:
        """Run a stage and deliver what it gave."""
        parts = self._parts
        blobs = parts.blobs.tenant(job.tenant)
        began = parts.clock.monotonic()
        folder = self._options.scratch / f"{job.id}-{heartbeat.lease.fence}"
        try:
            request, outcome = execute(
                job,
                folder=folder,
                ledger=parts.ledger,
                blobs=blobs,
                runner=parts.runner,
                releases=parts.releases,
                heartbeat=heartbeat,
            )
            waited_s = round(max((leased_at - job.not_before).total_seconds(), 0.0), 4)
            outcome = replace(outcome, timings_s={WAIT: waited_s, **outcome.timings_s})
            self._note("job.delivering", job)
            if job.stage_index + 1 < len(job.pipeline.stages):
                hand_on(
                    job,
                    outcome,
                    output=folder / "output",
                    blobs=blobs,
                    ledger=parts.ledger,
                    heartbeat=heartbeat,
                    now=parts.clock.now(),
                    spent=self._spent(began),
                )
                self._note("job.advanced", job)
                parts.observer.stage_ended(job, outcome, parts.clock.monotonic() - began, last=False)
                return
            deliver(
                job,
                outcome,
                request=request,
                output=folder / "output",
                blobs=blobs,
                ledger=parts.ledger,
                heartbeat=heartbeat,
                now=parts.clock.now(),
                spent=self._spent(began),
                archive=parts.archives,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._note("job.succeeded", job)
        parts.observer.stage_ended(job, outcome, parts.clock.monotonic() - began, last=True)
        self._ended(job)

    def _spent(self, began: float) -> Spent | None:
        """Return what an attempt took of this machine, where its kind is known."""
        options = self._options
        if not options.machine:
            return None
        seconds = self._parts.clock.monotonic() - began
        return Spent(machine=options.machine, usd_per_h=options.usd_per_h, seconds=round(seconds, 3))

    def _end(self, lease: Lease, failed: BedsideError) -> None:
        """Tell the ledger how an attempt ended badly."""
        job = lease.job
        now = self._parts.clock.now()
        verdict = judge(
            failed,
            attempts=job.attempts,
            max_attempts=job.pipeline.max_attempts,
            backoff_s=self._options.backoff_s,
        )
        failure = Failure(error=known_name(failed), message=failed.message, hint=failed.hint)
        ledger = self._parts.ledger
        ended = job
        try:
            match verdict.what:
                case Next.ABANDON:
                    pass
                case Next.GIVE_BACK:
                    ledger.give_back(lease, now=now)
                case Next.REJECT:
                    ended = ledger.reject(lease, failure, now=now)
                case Next.RETRY:
                    ended = ledger.fail(lease, failure, now=now, retry_at=now + verdict.wait)
                case Next.BURY:
                    ended = ledger.fail(lease, failure, now=now, retry_at=None)
        except StaleLease:
            verdict = judge(StaleLease(""), attempts=0, max_attempts=0, backoff_s=0)
        self._note(
            f"job.{_PAST[verdict.what]}",
            job,
            error=failure.error,
            reason=failure.message,
            wait_s=verdict.wait.total_seconds() or None,
        )
        if verdict.what in (Next.REJECT, Next.RETRY, Next.BURY):
            self._parts.observer.attempt_failed(ended, failure)
        if ended.state in ENDED - REDRIVABLE:
            self._ended(ended)

    def _ended(self, job: Job) -> None:
        """Tidy up after a job that ended for good; what fails here is done later by the sweep."""
        if len(job.pipeline.stages) > 1:
            with contextlib.suppress(BedsideError):
                forget_stages(job.id, self._parts.blobs.tenant(job.tenant))

    def _note(self, action: str, job: Job, **fields: object) -> None:
        self._parts.log(
            action,
            tenant=job.tenant,
            job=job.id,
            stage=job.stage.name,
            attempt=job.attempts,
            phantom="yes" if is_phantom(job.subject) else None,
            **fields,
        )


_PAST = {
    Next.ABANDON: "lost",
    Next.GIVE_BACK: "given_back",
    Next.REJECT: "rejected",
    Next.RETRY: "failed",
    Next.BURY: "dead",
}


def _told(surprise: Exception) -> str:
    """Return an error's type and place; its text may quote a header, and goes nowhere."""
    traceback.print_tb(surprise.__traceback__)
    where = traceback.extract_tb(surprise.__traceback__)[-1]
    return f"{type(surprise).__name__} at {Path(where.filename).name}:{where.lineno}"
