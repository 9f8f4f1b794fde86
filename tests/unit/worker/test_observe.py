"""What is told and counted at each turn of a study's path, from the worker's loop to the sweep."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bedside.deploy.cost import METRICS, POOL_METRICS, RECEIVER_METRICS
from bedside.domain.job import Job, JobState
from bedside.domain.measure import Metric
from bedside.domain.notice import NoticeKind
from bedside.domain.release import Role
from bedside.errors import InputRejected, ModelFailed
from bedside.ports import Outcome, Progress, Task
from bedside.ports.archive import Parcel, Receipt, RefusedInstance, Sending
from bedside.worker.archive import Archivist
from bedside.worker.upkeep import Upkeep
from measured import ENTRY, FAILURE, JOB, OUTCOME, PROMOTION, RELEASE, T0, Heard, dimensions, every_turn
from unit.worker.workshop import ScriptedRunner, Workshop, two_stages, writes_a_mask


def watched(shop: Workshop) -> Heard:
    """Let the workshop's worker be observed."""
    heard = Heard()
    shop.worker._parts = replace(shop.worker._parts, observer=heard.observer)
    return heard


def counted(heard: Heard) -> dict[Metric, float]:
    """Sum up what was measured."""
    found: dict[Metric, float] = {}
    for measurement in heard.measurements:
        for metric, value in measurement.values.items():
            found[metric] = found.get(metric, 0) + value
    return found


def test_a_job_that_succeeds_is_counted_and_nobody_is_told(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    heard = watched(shop)
    shop.submit()
    shop.clock.sleep(40)
    shop.worker.step()
    found = counted(heard)
    assert found[Metric.WAIT_SECONDS] == 40
    assert (found[Metric.JOBS_SUCCEEDED], found[Metric.RUN_SECONDS]) == (1, 0.1)
    assert {(m.pool, m.release) for m in heard.measurements} == {("default", RELEASE[7:19])}
    assert heard.notices == []


def test_a_job_that_dies_is_told_once_with_its_cause_and_counted_with_its_tries(tmp_path: Path) -> None:
    def fails(task: Task, progress: Progress) -> Outcome:
        raise ModelFailed("model: NaN in Müller^Anna")

    shop = Workshop(tmp_path, ScriptedRunner(fails))
    heard = watched(shop)
    job = shop.submit()
    for _ in range(3):
        shop.worker.step()
        shop.clock.sleep(60)
    found = counted(heard)
    assert (found[Metric.JOBS_RETRIED], found[Metric.JOBS_DEAD]) == (2, 1)
    (notice,) = heard.notices
    assert notice.to_json() == {
        "kind": "job.dead",
        "tenant": "ward",
        "job": job.id,
        "pipeline": "spleen",
        "stage": "infer",
        "release": RELEASE,
        "cause": "ModelFailed",
    }
    # A retry's wait counts from when its back-off was over, not from when the job was made.
    assert found[Metric.WAIT_SECONDS] == (60 - 5) + (60 - 10)


def test_a_rejected_study_is_told(tmp_path: Path) -> None:
    def refuses(task: Task, progress: Progress) -> Outcome:
        raise InputRejected("series 1.2: gap of 10 mm")

    shop = Workshop(tmp_path, ScriptedRunner(refuses))
    heard = watched(shop)
    shop.submit()
    shop.worker.step()
    assert [(n.kind, n.cause) for n in heard.notices] == [(NoticeKind.JOB_REJECTED, "InputRejected")]
    assert counted(heard)[Metric.JOBS_REJECTED] == 1


def test_a_job_of_two_stages_succeeds_once_and_each_stage_has_its_pool(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, ScriptedRunner(writes_a_mask))
    heard = watched(shop)
    shop.submit(two_stages())
    while shop.worker.step():
        pass
    assert counted(heard)[Metric.JOBS_SUCCEEDED] == 1
    stages = [m.pool for m in heard.measurements if Metric.STAGE_SECONDS in m.values]
    assert stages == ["default", "gpu"]


def test_a_lost_lease_is_nobodys_failure(tmp_path: Path) -> None:
    def dawdles(task: Task, progress: Progress) -> Outcome:
        shop.clock.sleep(3600)
        shop.ledger.expire(shop.clock.now())
        raise ModelFailed("model: too late")

    shop = Workshop(tmp_path, ScriptedRunner(dawdles))
    heard = watched(shop)
    shop.submit()
    shop.worker.step()
    assert counted(heard).keys() == {Metric.WAIT_SECONDS}
    assert heard.notices == []


class NothingDropped:
    """An intake whose drop-boxes are empty."""

    def step(self, tenant: str) -> int:
        return 0

    settle = sweep = step


def upkeep_of(shop: Workshop, heard: Heard) -> Upkeep:
    return Upkeep(
        intake=NothingDropped(),  # type: ignore[arg-type]
        ledger=shop.ledger,
        blobs=shop.blobs,
        clock=shop.clock,
        tenants=["ward"],
        scratch=shop.folder / "scratch",
        tidy_store=lambda: 0,
        observer=heard.observer,
    )


def leased(shop: Workshop, worker: str) -> Job:
    """Let a worker take a job and be heard of no more."""
    shop.submit()
    lease = shop.ledger.lease(pools=(), worker=worker, now=shop.clock.now(), lease_s=60)
    assert lease is not None
    return lease.job


def test_a_worker_that_lost_contact_is_told_by_whoever_notices(tmp_path: Path) -> None:
    shop, heard = Workshop(tmp_path), Heard()
    job = leased(shop, "node-7-ab")
    upkeep = upkeep_of(shop, heard)
    upkeep.step()
    assert heard.notices == []
    shop.clock.sleep(61)
    upkeep.step()
    assert [(n.kind, n.worker, n.job) for n in heard.notices] == [
        (NoticeKind.WORKER_GONE, "node-7-ab", job.id)
    ]
    assert counted(heard) == {Metric.WORKERS_GONE: 1, Metric.JOBS_RETRIED: 1}


def test_a_worker_that_died_here_is_told_at_once(tmp_path: Path) -> None:
    shop, heard = Workshop(tmp_path), Heard()
    job = leased(shop, "node-7-ab")
    lock = shop.folder / "scratch" / "node-7-ab.lock"
    lock.parent.mkdir()
    lock.touch()  # nobody holds it
    upkeep_of(shop, heard).free_dead_workers(machine="node-7")
    assert [(n.kind, n.worker, n.job) for n in heard.notices] == [
        (NoticeKind.WORKER_GONE, "node-7-ab", job.id)
    ]


def test_a_result_that_the_archive_refuses_is_told_once(tmp_path: Path) -> None:
    class Refuses:
        """An archive that takes nothing."""

        def send(self, parcel: Parcel) -> Sending:
            return Sending(receipt=Receipt(stored=0, refused=(RefusedInstance(instance="a", reason="no"),)))

    shop, heard = Workshop(tmp_path), Heard()
    shop.worker._parts = replace(shop.worker._parts, archives=True)
    job = shop.submit()
    shop.worker.step()
    archivist = Archivist(
        ledger=shop.ledger,
        archive=Refuses(),  # type: ignore[arg-type]
        clock=shop.clock,
        observer=heard.observer,
    )
    archivist.step()
    archivist.step()
    assert [(n.kind, n.job) for n in heard.notices] == [(NoticeKind.ARCHIVE_REFUSED, job.id)]
    assert counted(heard) == {Metric.RESULTS_NOT_ARCHIVED: 1}


def test_a_shadow_takes_time_and_is_nobodys_news() -> None:
    heard = Heard()
    shadow = replace(JOB, role=Role.SHADOW)
    heard.observer.leased(shadow, T0)
    heard.observer.stage_ended(shadow, OUTCOME, 10.0, last=True)
    heard.observer.attempt_failed(replace(shadow, state=JobState.DEAD), FAILURE)
    assert heard.notices == []
    assert counted(heard).keys() == {
        Metric.STAGE_SECONDS,
        Metric.RUN_SECONDS,
        Metric.LOAD_SECONDS,
        Metric.GPU_SECONDS,
    }


def test_a_model_that_stays_warm_was_loaded_once() -> None:
    heard = Heard()
    for load in (3.0, 3.0, 2.5):
        outcome = Outcome(report={}, timings_s={"run": 1.0, "load": load})
        heard.observer.stage_ended(JOB, outcome, 4.0, last=True)
    assert counted(heard)[Metric.LOAD_SECONDS] == 5.5


def test_a_worker_that_died_is_told_with_its_job_or_its_machine() -> None:
    heard = Heard()
    heard.observer.workers_gone([])  # none died
    heard.observer.workers_gone([], machine="node-7")
    heard.observer.workers_gone([replace(JOB, state=JobState.DEAD, failure=FAILURE)], machine="node-7")
    assert [(n.kind, n.worker, n.job) for n in heard.notices] == [
        (NoticeKind.WORKER_GONE, "node-7", ""),
        (NoticeKind.WORKER_GONE, "node-7-ab", JOB.id),
        (NoticeKind.JOB_DEAD, "", JOB.id),
    ]
    assert counted(heard)[Metric.WORKERS_GONE] == 2


def test_trials_of_releases_are_nobodys_news() -> None:
    heard = Heard()
    heard.observer.promoted(replace(PROMOTION, role=Role.SHADOW))
    heard.observer.promoted(replace(PROMOTION, role=Role.CANARY))
    assert heard.notices == []


def test_every_kind_of_notice_and_every_metric_has_its_turn() -> None:
    heard = every_turn()
    elsewhere = {Metric.NOTICES_LOST, Metric.QUEUED_JOBS}  # of the announcer, and of the machine itself
    assert counted(heard).keys() == set(Metric) - elsewhere
    assert {n.kind for n in heard.notices} == set(NoticeKind) - {NoticeKind.TEST}
    assert counted(heard)[Metric.ARRIVALS] == 2
    said = str(heard.notices) + str(heard.measurements)
    assert not any(word in said for word in ("Müller", ENTRY.key, FAILURE.message, "thin slices", "1.2.3"))


#: Counted where studies come by C-STORE, which most deployments on AWS do without.
RECEIVER = {"InstancesReceived", "ReceivedBytes", "InstancesRefused", "SendersRefused"}


def test_an_estimate_counts_the_metrics_that_there_are() -> None:
    kinds = sum(len(found) for name, found in dimensions().items() if name not in RECEIVER)
    elsewhere = 2  # NoticesLost and QueuedJobs, under one set of dimensions each
    assert kinds + elsewhere == METRICS
    pooled = sum("Pool" in each for found in dimensions().values() for each in found)
    assert pooled + 1 == POOL_METRICS
    assert len(RECEIVER & dimensions().keys()) == RECEIVER_METRICS


def test_a_job_of_odd_names_is_told_without_them() -> None:
    heard = Heard()
    odd = replace(JOB, id="not an id", pipeline=replace(JOB.pipeline, name="Milz (Müller)"))
    heard.observer.leased(odd, T0 - timedelta(hours=1))  # a clock that was set back
    heard.observer.attempt_failed(replace(odd, state=JobState.DEAD), FAILURE)
    (notice,) = heard.notices
    assert (notice.job, notice.pipeline, notice.stage) == ("", "", "infer")
    assert counted(heard)[Metric.WAIT_SECONDS] == 0
