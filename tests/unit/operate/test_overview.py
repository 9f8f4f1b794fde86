"""What the dashboard gathers: figures with their freshness, alarms, who works, the disk, dead jobs."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.figures import MemoryFigures
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.config import PipelineSettings, RuleSettings, Settings
from bedside.config.notify import NotifySettings
from bedside.domain.figures import QueueFigure, Spread, TimedResult, spread
from bedside.domain.job import Job, JobState
from bedside.errors import Unavailable
from bedside.operate.alarms import AlarmKind, Level, Seen, alarms_of, alarms_of_machine
from bedside.operate.crew import HandState, hands, idle
from bedside.operate.dead import groups, redrive
from bedside.operate.disk import Disk, DiskGauge
from bedside.operate.overview import LIVE_S, SUMMED_S, Overviews, Watched, stage_times
from bedside.operate.ready import FRESH_S, Readiness
from ledger_samples import (
    FAILURE,
    T0,
    at,
    make_arrival,
    make_job,
    make_promotion,
    make_release,
)

QUIET = Seen(now=T0, dead=0, queues=(), hands=(), rejected_inputs=0, failed_exports=0)


class Watching:
    """A ledger in memory and what looks at it."""

    def __init__(self, root: Path) -> None:
        self.ledger = MemoryLedger()
        self.clock = ManualClock(T0)
        self.settings = Settings()
        disk = DiskGauge(root, store_here=True, tenants=lambda: ["ward"], clock=self.clock)
        self.overviews = Overviews(
            Watched(
                figures=MemoryFigures(self.ledger),
                ledger=self.ledger,
                settings=self.settings,
                disk=disk,
                alive=lambda worker: {"w1": True, "dead": False}.get(worker),
                clock=self.clock,
            )
        )

    def bury(self, seed: int, *, tenant: str = "ward", error: str = "ModelFailed") -> Job:
        self.ledger.enqueue(make_job(make_arrival(seed, tenant=tenant, subject=f"1.{seed}")))
        lease = self.ledger.lease(pools=(), worker="w1", now=T0, lease_s=60)
        assert lease is not None
        return self.ledger.fail(lease, replace(FAILURE, error=error), now=T0, retry_at=None)


def test_nothing_ran_yet(tmp_path: Path) -> None:
    seen = Watching(tmp_path).overviews.look(None)
    assert seen.is_empty and seen.took == {} and seen.times == () and seen.machine is not None
    of_its_disk = {AlarmKind.DISK_LOW, AlarmKind.DISK_FULL}  # this machine's may be anything
    alarms = [alarm for alarm in seen.alarms if alarm.kind not in of_its_disk]
    assert [alarm.level for alarm in alarms] == [Level.HINT, Level.HINT]


def test_only_the_whole_deployment_has_its_machine(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    watching.bury(1)
    watching.bury(2, tenant="other")
    watching.ledger.add_release(make_release("a"))
    watching.ledger.add_promotion(make_promotion("a"))
    watching.ledger.add_promotion(make_promotion("b", pipeline="liver"))
    part, whole = (watching.overviews.look(scope) for scope in (frozenset({"ward"}), None))
    assert part.machine is None and part.states == {JobState.DEAD: 1}
    assert [(a.kind, a.count) for a in part.alarms] == [(AlarmKind.DEAD_JOBS, 1)]
    assert whole.machine is not None and whole.states == {JobState.DEAD: 2}
    known, unknown = whole.machine.in_service
    assert known.release is not None and known.release.name == "spleen" and unknown.release is None
    assert [each.worker for each in whole.machine.idle] == ["w1"]


def test_figures_are_asked_anew_when_they_are_old(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    assert watching.overviews.look(None).states == {}
    watching.bury(1)
    assert watching.overviews.look(None).states == {}
    watching.clock.advance(LIVE_S)
    seen = watching.overviews.look(None)
    assert (seen.states, seen.failures) == ({JobState.DEAD: 1}, ())
    watching.clock.advance(SUMMED_S)
    assert [f.jobs for f in watching.overviews.look(None).failures] == [1]


def test_times_are_by_pipeline_stage_and_step() -> None:
    timed = [
        TimedResult(pipeline="spleen", took_s=1, timings_s={"infer": {"run": n, "wait": 0.5}})
        for n in range(1, 101)
    ]
    (times,) = stage_times(timed)
    assert (times.pipeline, times.stage) == ("spleen", "infer")
    assert times.steps["run"] == Spread(count=100, p50_s=50, p95_s=95, most_s=100)
    assert spread([3.0]) == Spread(count=1, p50_s=3, p95_s=3, most_s=3)
    assert spread([2.0, 1.0]).p50_s == 1.0


# Who works


def test_a_lost_and_a_slow_worker_are_told_from_one_that_works(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    for seed, worker, now, lease_s in ((1, "lost", 0, 60), (2, "slow", 0, 99_999), (3, "fine", 3600, 60)):
        watching.ledger.enqueue(make_job(make_arrival(seed, subject=f"1.{seed}")))
        assert watching.ledger.lease(pools=(), worker=worker, now=at(now), lease_s=lease_s)
    figures = MemoryFigures(watching.ledger)
    found = hands(figures.in_hand(None), now=at(3610), lease_s=60)
    assert [(h.job.worker, h.state) for h in found] == [
        ("lost", HandState.LOST),
        ("slow", HandState.LONG),
        ("fine", HandState.WORKS),
    ]
    assert (found[2].since, found[2].beat_at) == (at(3600), at(3600))
    alive = {"w1": True, "gone": False}.get
    assert [i.worker for i in idle(figures.workers(None), found, alive)] == []
    kinds = {a.kind: a.count for a in alarms_of(replace(QUIET, now=at(3610), hands=found))}
    assert kinds == {AlarmKind.LOST_WORKERS: 1, AlarmKind.LONG_RUN: 1}


# Alarms


def test_a_queue_that_nobody_works_on_is_an_alarm(tmp_path: Path) -> None:
    queue = QueueFigure(pool="default", due=3, delayed=0, waits_since=T0 - timedelta(minutes=20))
    (alarm,) = alarms_of(replace(QUIET, queues=(queue,)))
    assert (alarm.kind, alarm.level, alarm.count, alarm.name) == (
        AlarmKind.LONG_WAIT,
        Level.BAD,
        3,
        "default",
    )
    watching = Watching(tmp_path)
    watching.ledger.enqueue(make_job())
    assert watching.ledger.lease(pools=(), worker="w1", now=T0, lease_s=60)
    held = hands(MemoryFigures(watching.ledger).in_hand(None), now=T0, lease_s=60)
    assert alarms_of(replace(QUIET, queues=(queue,), hands=held)) == []
    assert alarms_of(replace(QUIET, queues=(replace(queue, waits_since=T0),))) == []
    assert [a.kind for a in alarms_of(replace(QUIET, dead=1, rejected_inputs=2, failed_exports=3))] == [
        AlarmKind.DEAD_JOBS,
        AlarmKind.REJECTED_INPUTS,
        AlarmKind.FAILED_EXPORTS,
    ]


def test_settings_and_disk_give_hints_and_alarms() -> None:
    told = Settings(
        pipeline=(PipelineSettings(name="p", command=("true",)),),
        rule=(RuleSettings(name="r", pipeline="p"),),
        notify=NotifySettings(log=True),
    )
    disk = Disk(total_bytes=1000, free_bytes=500, ledger_bytes=1, store_here=True, taken=None)
    assert alarms_of_machine(told, disk) == alarms_of_machine(told, None) == []
    low, full = replace(disk, free_bytes=80), replace(disk, free_bytes=40)
    assert [(a.kind, a.level, a.count) for a in alarms_of_machine(told, low)] == [
        (AlarmKind.DISK_LOW, Level.WARN, 8)
    ]
    assert [a.kind for a in alarms_of_machine(told, full)] == [AlarmKind.DISK_FULL]
    silent = told.model_copy(update={"notify": NotifySettings(), "rule": ()})
    assert [a.kind for a in alarms_of_machine(silent, disk)] == [AlarmKind.NO_RULE, AlarmKind.NOBODY_TOLD]


# Disk


def test_a_disk_is_walked_aside_and_each_file_counts_once(tmp_path: Path) -> None:
    for folder in ("ward", "releases", ".work", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "ward" / "file", tmp_path / "ward" / "again")
    (tmp_path / "ledger.db").write_bytes(b"x" * 123)
    clock = ManualClock(T0)
    gauge = DiskGauge(tmp_path, store_here=True, tenants=lambda: ["ward", "none"], clock=clock)
    first = gauge.look()
    assert first.ledger_bytes == 123 and 0 < first.free_bytes < first.total_bytes
    taken = walked(gauge)
    assert taken.store_bytes is not None and 100_000 <= taken.store_bytes < 110_000
    assert 100_000 <= taken.releases_bytes < 110_000 and 100_000 <= taken.scratch_bytes < 110_000
    assert taken.whole and taken.measured_at == T0
    elsewhere = DiskGauge(tmp_path, store_here=False, tenants=lambda: ["ward"], clock=clock)
    elsewhere.look()
    assert walked(elsewhere).store_bytes is None and not elsewhere.look().store_here


def walked(gauge: DiskGauge):  # type: ignore[no-untyped-def]
    until = time.monotonic() + 10
    while (taken := gauge.look().taken) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert taken is not None
    return taken


# Dead jobs


def test_dead_jobs_are_grouped_and_sent_again(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    same = [watching.bury(seed) for seed in (1, 2)]
    other = watching.bury(3, error="ConfigError")
    closed = watching.bury(4, tenant="closed")
    found = groups(MemoryFigures(watching.ledger).dead(None))
    assert [(g.reason.error, len(g.jobs)) for g in found] == [("ModelFailed", 3), ("ConfigError", 1)]
    noted: list[str] = []
    watching.ledger.redrive("ward", same[1].id, T0)
    done = redrive(
        watching.ledger,
        [*found[0].jobs, other],
        served=("ward",),
        now=T0,
        before=lambda job: noted.append(job.id),
    )
    assert {job_id for _, job_id in done.sent} == {same[0].id, other.id} == set(noted)
    assert dict(done.left) == {
        same[1].id: f"job {same[1].id} is queued by now",
        closed.id: "tenant closed is closed",
    }
    assert watching.ledger.job("ward", other.id).state is JobState.QUEUED


# Ready


def test_ready_is_ledger_and_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, blobs, clock = MemoryLedger(), MemoryBlobStore("ward"), ManualClock(T0)
    ready = Readiness(ledger=ledger, blobs=blobs, tenants=["ward"], root=tmp_path, clock=clock)
    assert ready.look().ok

    def gone() -> None:
        raise Unavailable("no connection")

    monkeypatch.setattr(ledger, "release_names", gone)
    assert ready.look().ok  # just asked
    clock.advance(FRESH_S)
    found = ready.look()
    assert (found.ledger, found.store, found.ok) == (False, True, False)
    monkeypatch.undo()
    lost = Readiness(ledger=ledger, blobs=blobs, tenants=["ward"], root=tmp_path / "gone", clock=clock)
    assert (lost.look().ledger, lost.look().store) == (True, False)
