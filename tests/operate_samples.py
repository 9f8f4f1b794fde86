"""A deployment at work, for tests of what operators see: results with times and costs, failures, workers."""

from dataclasses import replace
from datetime import datetime, timedelta

from bedside.domain.job import Failure, Lease
from bedside.domain.release import How, Role
from bedside.errors import BY_NAME
from bedside.ports import Ledger
from bedside.wiring import Deployment
from ledger_samples import (
    make_arrival,
    make_comparison,
    make_job,
    make_pipeline,
    make_promotion,
    make_release,
    make_result,
)

CURRENT, NEXT = "a", "b"
PIPELINE = make_pipeline("spleen", release=f"sha256:{CURRENT * 64}")
FAILED = Failure(error="ModelFailed", message="child ended with status 139", hint="bedside doctor")


class Busy:
    """Fills a ledger; every call makes jobs of studies of their own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seed = 0

    def _leased(self, tenant: str, at: datetime, worker: str, role: Role = Role.CURRENT) -> Lease:
        self.seed += 1
        arrival = make_arrival(self.seed, tenant=tenant, subject=f"1.2.{self.seed}", received_at=at)
        recorded = self.ledger.add_arrival(arrival)
        pipeline = (
            PIPELINE if role is Role.CURRENT else make_pipeline("spleen", release=f"sha256:{NEXT * 64}")
        )
        # Above all that waits, so that the next lease is of this job.
        made = make_job(recorded, pipeline, role=role, created_at=at, priority=self.seed)
        self.ledger.enqueue(made)
        lease = self.ledger.lease(pools=(), worker=worker, now=at + timedelta(seconds=2), lease_s=60)
        assert lease is not None and lease.job.id == made.id
        return lease

    def finish(self, tenant: str, at: datetime, *, seconds: float = 30.0, role: Role = Role.CURRENT) -> Lease:
        """Let a job succeed."""
        lease = self._leased(tenant, at, "host-a-1", role)
        summary = {
            "measurements": [{"label": "spleen", "volume_ml": 201.5}],
            "compute": {"machine": "g4dn.xlarge", "seconds": seconds, "usd": seconds / 3600 * 0.526},
            "timings_s": {
                "stage0": {"wait": 2.0, "fetch": seconds / 10, "run": seconds * 0.7, "deliver": seconds / 5}
            },
        }
        end = at + timedelta(seconds=seconds + 2)
        self.ledger.complete(lease, replace(make_result(lease, created_at=end), summary=summary), now=end)
        return lease

    def fail(self, tenant: str, at: datetime, failure: Failure = FAILED) -> Lease:
        """Let a job die, or be rejected where its input is wrong."""
        assert failure.error in BY_NAME
        lease = self._leased(tenant, at, "host-b-2")
        end = at + timedelta(seconds=20)
        if failure.error == "InputRejected":
            self.ledger.reject(lease, failure, now=end)
        else:
            self.ledger.fail(lease, failure, now=end, retry_at=None)
        return lease

    def work(self, tenant: str, at: datetime, worker: str = "host-a-1") -> Lease:
        """Let a worker have a job in hand."""
        lease = self._leased(tenant, at, worker)
        return self.ledger.extend(
            lease, now=at + timedelta(seconds=3), lease_s=60, progress=0.4, doing="forward"
        )

    def wait(self, tenant: str, at: datetime) -> None:
        """Let a job wait."""
        self.seed += 1
        arrival = make_arrival(self.seed, tenant=tenant, subject=f"1.2.{self.seed}", received_at=at)
        self.ledger.enqueue(make_job(self.ledger.add_arrival(arrival), PIPELINE, created_at=at))


def release_on(deployment: Deployment) -> None:
    """Let a deployment have two releases, one current and one on trial beside it."""
    ledger, now = deployment.ledger, deployment.clock.now()
    for digit, version in ((CURRENT, "1.0"), (NEXT, "2.0")):
        ledger.add_release(replace(make_release(digit, added_at=now), version=version))
    ledger.add_promotion(make_promotion(CURRENT, how=How.FILE, promoted_at=now - timedelta(days=20)))
    ledger.add_promotion(
        make_promotion(NEXT, role=Role.SHADOW, share=0.25, promoted_at=now - timedelta(days=2))
    )


def work_on(deployment: Deployment, *, every_days: int = 10) -> Busy:
    """Let a deployment have worked for a month: successes, failures, work in hand and waiting."""
    ledger, now = deployment.ledger, deployment.clock.now()
    busy = Busy(ledger)
    release_on(deployment)
    for day in range(29, 0, -every_days):
        busy.finish("default", now - timedelta(days=day), seconds=20 + day)
    for hour in range(22, 0, -7):
        busy.finish("default", now - timedelta(hours=hour), seconds=25 + hour)
    for hours, tenant in ((30, "default"), (5, "default"), (3, "ward-3")):
        busy.fail(tenant, now - timedelta(hours=hours))
    rejected = replace(FAILED, error="InputRejected", message="series 1.2: gap of 10.0 mm, median 5.0 mm")
    busy.fail("default", now - timedelta(hours=4), rejected)
    delivered = busy.finish("default", now - timedelta(hours=1)).job
    shadow = busy.finish("default", now - timedelta(hours=1), role=Role.SHADOW).job
    ledger.put_comparison(make_comparison(shadow, delivered, compared_at=now))
    busy.work("default", now - timedelta(seconds=20))
    busy.work("ward-3", now - timedelta(seconds=200), worker="host-c-3")  # lost: its lease has run out
    for minutes in (1, 2):
        busy.wait("default", now - timedelta(minutes=minutes))
    return busy
