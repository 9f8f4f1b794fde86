"""What is told to people and counted for dashboards, at each turn of a study's path.

Owns which event is a notice and which a number, in one place, so that the parts of the path say what
happened in one line each. Is called after the ledger knows, never inside its transaction; nothing here
waits, and nothing raises. What nobody waits for, a shadow, is measured in seconds and told to nobody; of a
phantom whoever verifies is told, and nothing is counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bedside.domain.arrival import Entry
from bedside.domain.export import Export, ExportState
from bedside.domain.job import Failure, Job, JobState
from bedside.domain.measure import Measurement, Metric
from bedside.domain.notice import Notice, NoticeKind
from bedside.domain.phantom import PREFIX, is_phantom
from bedside.domain.release import How, Promotion, Role
from bedside.ports import Outcome
from bedside.ports.metrics import Metrics, Unmeasured
from bedside.runtime.record import gpu_seconds
from bedside.worker.announce import Tell, ignore

#: How a job may have ended badly: what is counted, and what is told. In another state it is tried again.
_BADLY: Mapping[JobState, tuple[Metric, NoticeKind | None]] = {
    JobState.DEAD: (Metric.JOBS_DEAD, NoticeKind.JOB_DEAD),
    JobState.REJECTED: (Metric.JOBS_REJECTED, NoticeKind.JOB_REJECTED),
}


@dataclass(slots=True, kw_only=True)
class Observer:
    """Tells and counts. Not frozen: it remembers which model was loaded when.

    Attributes:
        tell: Takes notices.
        metrics: Takes measurements.
    """

    tell: Tell = ignore
    metrics: Metrics = field(default_factory=Unmeasured)
    _loaded: dict[str, float] = field(init=False, repr=False, default_factory=dict)

    # Jobs

    def leased(self, job: Job, now: datetime) -> None:
        """A worker took a job, which could have been taken since `Job.not_before`."""
        if _counts(job):
            waited = max((now - job.not_before).total_seconds(), 0.0)
            self.metrics.record(
                Measurement.of({Metric.WAIT_SECONDS: waited}, pool=job.stage.pool, digest=job.stage.release)
            )

    def stage_ended(self, job: Job, outcome: Outcome, seconds: float, *, last: bool) -> None:
        """A stage ended well.

        Args:
            job: As it was leased.
            outcome: What the runner gave.
            seconds: From the lease until the delivery.
            last: The job has no stage after it: it succeeded.
        """
        if is_phantom(job.subject):
            return
        values = {Metric.STAGE_SECONDS: seconds}
        if "run" in outcome.timings_s:
            values[Metric.RUN_SECONDS] = outcome.timings_s["run"]
        # Every run says how long its model took to load; a warm child says the same again.
        load = outcome.timings_s.get("load", 0.0)
        if load and self._loaded.get(job.stage.release) != load:
            self._loaded[job.stage.release] = values[Metric.LOAD_SECONDS] = load
        if gpu := gpu_seconds(outcome.report, outcome.timings_s):
            values[Metric.GPU_SECONDS] = gpu
        if last and _counts(job):
            values[Metric.JOBS_SUCCEEDED] = 1
        self.metrics.record(Measurement.of(values, pool=job.stage.pool, digest=job.stage.release))

    def attempt_failed(self, job: Job, failure: Failure) -> None:
        """An attempt ended badly.

        Args:
            job: As the ledger has it from now on: dead, rejected, or queued for another attempt.
            failure: Why.
        """
        if not _counts(job):
            return
        metric, kind = _BADLY.get(job.state, (Metric.JOBS_RETRIED, None))
        self._count(metric, job)
        if kind is not None:
            self.tell(self._of_job(kind, job, cause=failure.error))

    def workers_gone(self, jobs: Iterable[Job], *, machine: str = "") -> None:
        """Workers died or lost contact.

        Args:
            jobs: What they had in hand, as the ledger has it from now on.
            machine: Name of this machine, told where they had nothing.
        """
        lost = list(jobs)
        if not lost and machine:
            self.tell(Notice.of(NoticeKind.WORKER_GONE, worker=machine))
        workers = {job.worker for job in lost}
        if workers or machine:
            self.metrics.record(Measurement.of({Metric.WORKERS_GONE: len(workers) or 1}))
        for job in lost:
            self.tell(self._of_job(NoticeKind.WORKER_GONE, job, worker=job.worker))
            self.attempt_failed(job, job.failure or Failure(error="Unavailable", message=""))

    # Drop-boxes, archive, releases

    def taken(self, entry: Entry) -> None:
        """A drop-box entry became arrivals."""
        if not entry.key.rpartition("/")[2].startswith(PREFIX):
            self.metrics.record(Measurement.of({Metric.ARRIVALS: len(entry.arrivals)}))

    def rejected(self, entry: Entry) -> None:
        """Nothing of a drop-box entry could be used."""
        self.metrics.record(Measurement.of({Metric.INPUTS_REJECTED: 1}))
        self.tell(
            Notice.of(NoticeKind.INPUT_REJECTED, tenant=entry.tenant, entry=entry.id, cause="InputRejected")
        )

    def association_ended(self, *, instances: int, size_bytes: int, refused: int) -> None:
        """A sender went away, and this came of what it sent."""
        values = {Metric.INSTANCES_RECEIVED: instances, Metric.RECEIVED_BYTES: size_bytes}
        values |= {Metric.INSTANCES_REFUSED: refused} if refused else {}
        self.metrics.record(Measurement.of(values))

    def sender_refused(self) -> None:
        """An association was refused, or broken off by us."""
        self.metrics.record(Measurement.of({Metric.SENDERS_REFUSED: 1}))

    def exported(self, export: Export) -> None:
        """An export's state changed."""
        if export.state is ExportState.STORED:
            self.metrics.record(Measurement.of({Metric.RESULTS_ARCHIVED: 1}))
        if export.state is ExportState.FAILED:
            self.metrics.record(Measurement.of({Metric.RESULTS_NOT_ARCHIVED: 1}))
            self.tell(Notice.of(NoticeKind.ARCHIVE_REFUSED, tenant=export.tenant, job=export.job_id))

    def promoted(self, promotion: Promotion) -> None:
        """A release was made the current one; trials are nobody's news."""
        if promotion.role is Role.CURRENT:
            back = promotion.how is How.ROLLBACK
            self.tell(
                Notice.of(
                    NoticeKind.RELEASE_ROLLED_BACK if back else NoticeKind.RELEASE_PROMOTED,
                    pipeline=promotion.pipeline,
                    stage=promotion.stage,
                    release=promotion.digest,
                )
            )

    def _count(self, metric: Metric, job: Job) -> None:
        self.metrics.record(Measurement.of({metric: 1}, pool=job.stage.pool, digest=job.stage.release))

    def _of_job(self, kind: NoticeKind, job: Job, **more: str) -> Notice:
        return Notice.of(
            kind,
            tenant=job.tenant,
            job=job.id,
            pipeline=job.pipeline.name,
            stage=job.stage.name,
            release=job.stage.release,
            **more,
        )


def _counts(job: Job) -> bool:
    """Whether somebody waits for a job: not so for a shadow, nor for the phantom of a verification."""
    return job.role is not Role.SHADOW and not is_phantom(job.subject)
