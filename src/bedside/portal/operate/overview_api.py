"""The dashboard's numbers for scripts."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from bedside.domain.figures import EndedFigure, Spread
from bedside.domain.job import JobState
from bedside.domain.release import Role
from bedside.operate.alarms import AlarmKind, Level
from bedside.operate.crew import Hand, HandState
from bedside.operate.disk import Disk
from bedside.operate.overview import Machine, Overview
from bedside.portal.here import InHere
from bedside.portal.operate.parts import InOperating, Operator, scope_of

router = APIRouter(prefix="/api/v1/operate", tags=["operate"])


class AlarmShown(BaseModel):
    """Something that needs a look."""

    kind: AlarmKind
    level: Level
    count: int
    name: str = Field(description="Of a pool, where it is about one.")


class QueueShown(BaseModel):
    """What waits in one pool."""

    pool: str
    due: int
    delayed: int = Field(description="Waits for another attempt.")
    waits_since: datetime | None = Field(description="Since when the longest waiting due job could be taken.")


class WorkerShown(BaseModel):
    """A worker at work."""

    worker: str
    state: HandState
    tenant: str
    job: str
    pipeline: str
    stage: str
    doing: str
    progress: float
    since: datetime | None
    heartbeat_at: datetime | None


class EndedShown(BaseModel):
    """Jobs that ended in one piece of time, by how."""

    begin: datetime
    state: JobState
    jobs: int


class FailureShown(BaseModel):
    """Jobs that ended badly for one reason."""

    error: str
    state: JobState
    pipeline: str
    stage: str
    release: str
    jobs: int
    newest_at: datetime


class SpreadShown(BaseModel):
    """How long something takes."""

    count: int
    p50_s: float
    p95_s: float
    most_s: float


class TimesShown(BaseModel):
    """How long the steps of a stage take."""

    pipeline: str
    stage: str
    steps: dict[str, SpreadShown]


class SpentShown(BaseModel):
    """What the results of a day took."""

    day: datetime
    results: int
    priced: int = Field(description="Of how many the machine's price is known.")
    usd: float
    seconds: float


class ServiceShown(BaseModel):
    """A release that works somewhere."""

    pipeline: str
    stage: str
    role: Role
    share: float
    release: str
    name: str
    version: str


class TakenShown(BaseModel):
    """What folders take."""

    store_bytes: int | None
    releases_bytes: int
    scratch_bytes: int
    whole: bool = Field(description="Whether every file was seen.")
    measured_at: datetime


class DiskShown(BaseModel):
    """The disk."""

    total_bytes: int
    free_bytes: int
    ledger_bytes: int | None
    store_here: bool = Field(description="False where the store is in S3, which is not measured.")
    taken: TakenShown | None = Field(description="Null until it was measured first.")


class IdleShown(BaseModel):
    """A worker that has nothing in hand."""

    worker: str
    seen_at: datetime
    alive: bool | None


class MachineShown(BaseModel):
    """What only the whole deployment has."""

    disk: DiskShown | None
    in_service: list[ServiceShown]
    idle: list[IdleShown]


class OverviewShown(BaseModel):
    """The figures of the tenants that the caller operates."""

    at: datetime
    tenants: list[str] | None = Field(description="Whose figures; null is the whole deployment.")
    alarms: list[AlarmShown]
    queues: list[QueueShown]
    states: dict[JobState, int]
    workers: list[WorkerShown]
    hours: list[EndedShown] = Field(description="Of the last day; hours without any are left out.")
    days: list[EndedShown] = Field(description="Of the last 30 days.")
    failures: list[FailureShown] = Field(description="Of the last 7 days.")
    times: list[TimesShown] = Field(description="Of the last 7 days' newest 1,000 results.")
    took: dict[str, SpreadShown] = Field(description="From arrival to result, by pipeline.")
    spent: list[SpentShown] = Field(description="Of the last 30 days.")
    machine: MachineShown | None = Field(description="For whoever operates the whole deployment.")


@router.get("/overview")
def overview(here: InHere, parts: InOperating, caller: Operator) -> OverviewShown:
    """Return what the dashboard shows."""
    scope = scope_of(here, caller)
    return _shown(parts.overviews.look(scope), None if scope is None else sorted(scope))


def _shown(seen: Overview, tenants: list[str] | None) -> OverviewShown:
    return OverviewShown(
        at=seen.at,
        tenants=tenants,
        alarms=[AlarmShown(kind=a.kind, level=a.level, count=a.count, name=a.name) for a in seen.alarms],
        queues=[
            QueueShown(pool=q.pool, due=q.due, delayed=q.delayed, waits_since=q.waits_since)
            for q in seen.queues
        ],
        states=dict(seen.states),
        workers=[_worker(hand) for hand in seen.hands],
        hours=[_ended(figure) for figure in seen.hours],
        days=[_ended(figure) for figure in seen.days],
        failures=[
            FailureShown(
                error=f.error,
                state=f.state,
                pipeline=f.pipeline,
                stage=f.stage,
                release=f.release,
                jobs=f.jobs,
                newest_at=f.newest_at,
            )
            for f in seen.failures
        ],
        times=[
            TimesShown(
                pipeline=t.pipeline, stage=t.stage, steps={step: _spread(s) for step, s in t.steps.items()}
            )
            for t in seen.times
        ],
        took={pipeline: _spread(spread) for pipeline, spread in seen.took.items()},
        spent=[
            SpentShown(day=s.day, results=s.results, priced=s.priced, usd=s.usd, seconds=s.seconds)
            for s in seen.spent
        ],
        machine=_machine(seen.machine) if seen.machine else None,
    )


def _worker(hand: Hand) -> WorkerShown:
    job = hand.job
    return WorkerShown(
        worker=job.worker,
        state=hand.state,
        tenant=job.tenant,
        job=job.id,
        pipeline=job.pipeline.name,
        stage=job.stage.name,
        doing=job.doing,
        progress=job.progress,
        since=hand.since,
        heartbeat_at=hand.beat_at,
    )


def _ended(figure: EndedFigure) -> EndedShown:
    return EndedShown(begin=figure.begin, state=figure.state, jobs=figure.jobs)


def _spread(spread: Spread) -> SpreadShown:
    return SpreadShown(count=spread.count, p50_s=spread.p50_s, p95_s=spread.p95_s, most_s=spread.most_s)


def _machine(machine: Machine) -> MachineShown:
    return MachineShown(
        disk=_disk(machine.disk) if machine.disk else None,
        in_service=[
            ServiceShown(
                pipeline=each.promotion.pipeline,
                stage=each.promotion.stage,
                role=each.promotion.role,
                share=each.promotion.share,
                release=each.promotion.digest,
                name=each.release.name if each.release else "",
                version=each.release.version if each.release else "",
            )
            for each in machine.in_service
        ],
        idle=[IdleShown(worker=i.worker, seen_at=i.seen_at, alive=i.alive) for i in machine.idle],
    )


def _disk(disk: Disk) -> DiskShown:
    taken = disk.taken
    return DiskShown(
        total_bytes=disk.total_bytes,
        free_bytes=disk.free_bytes,
        ledger_bytes=disk.ledger_bytes,
        store_here=disk.store_here,
        taken=TakenShown(
            store_bytes=taken.store_bytes,
            releases_bytes=taken.releases_bytes,
            scratch_bytes=taken.scratch_bytes,
            whole=taken.whole,
            measured_at=taken.measured_at,
        )
        if taken
        else None,
    )
