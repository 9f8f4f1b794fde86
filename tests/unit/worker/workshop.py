"""A worker with everything in memory, one arrival of two files, and a runner that a test writes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.domain.job import Job, job_id, job_identity
from bedside.domain.pipeline import Pipeline, Release, Stage, StageKind
from bedside.ports import Outcome, Progress, Task
from bedside.worker.loop import Parts, Worker, WorkerOptions
from bedside.worker.releases import Releases
from bedside.worker.stop import Stop

T0 = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
RELEASE = "sha256:" + "ab" * 32
Script = Callable[[Task, Progress], Outcome]


def writes_a_mask(task: Task, progress: Progress) -> Outcome:
    """Write one file that depends on the input only."""
    progress("forward", 0.5)
    (task.output / "dicom").mkdir()
    read = b"".join(path.read_bytes() for path in sorted(task.input.rglob("*")) if path.is_file())
    (task.output / "dicom" / "seg.dcm").write_bytes(b"mask of " + read)
    return Outcome(report={"measurements": [{"label": "spleen", "volume_ml": 1.5}]}, timings_s={"run": 0.1})


class ScriptedRunner:
    """A runner in this process: the scripts it is given, one per run, the last one for ever."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.tasks: list[Task] = []

    def run(self, task: Task, progress: Progress) -> Outcome:
        self.tasks.append(task)
        script = self.scripts[0] if len(self.scripts) == 1 else self.scripts.pop(0)
        return script(task, progress)

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class Workshop:
    """Everything a worker needs, and the worker."""

    folder: Path
    runner: ScriptedRunner = field(default_factory=lambda: ScriptedRunner(writes_a_mask))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    blobs: MemoryBlobStore = field(default_factory=lambda: MemoryBlobStore("ward"))
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0))
    stop: Stop = field(default_factory=lambda: Stop(grace_s=0.0))
    lines: list[str] = field(default_factory=list)
    machine: str = ""
    usd_per_h: float = 0.0
    pipeline: Pipeline = field(
        default_factory=lambda: Pipeline(
            name="spleen",
            stages=(
                Stage(name="infer", kind=StageKind.BUNDLE, release=RELEASE, settings={"outputs": ["seg"]}),
            ),
        )
    )

    def __post_init__(self) -> None:
        self.ledger.add_release(Release(digest=RELEASE, name="spleen", version="1.0", added_at=T0))
        self.worker = self.another_worker("w1")

    def another_worker(self, name: str) -> Worker:
        return Worker(
            Parts(
                ledger=self.ledger,
                blobs=self.blobs,
                runner=self.runner,
                releases=Releases(self.folder / "releases", ledger=self.ledger, clock=self.clock),
                clock=self.clock,
                log=lambda action, /, **fields: self.lines.append(f"{action} {fields}"),
            ),
            WorkerOptions(
                name=name,
                pools=("default", "gpu"),
                scratch=self.folder / "scratch" / name,
                machine=self.machine,
                usd_per_h=self.usd_per_h,
            ),
            self.stop,
        )

    def arrive(self) -> Arrival:
        files = tuple(
            StoredFile(sop_instance_uid=f"1.2.{n}", sha256=f"{n:064x}", size_bytes=5) for n in (1, 2)
        )
        for file in files:
            self.blobs.put(file.key, f"file{file.sop_instance_uid[-1]}".encode())
        return self.ledger.add_arrival(
            Arrival(
                tenant="ward",
                id=arrival_id(files),
                kind=ArrivalKind.DICOM,
                subject="1.2.3",
                version=0,
                files=files,
                received_at=T0,
            )
        )

    def submit(self, pipeline: Pipeline | None = None) -> Job:
        arrival = self.arrive()
        pipeline = pipeline or self.pipeline
        identity = job_identity(tenant="ward", arrival_id=arrival.id, pipeline=pipeline)
        job = Job(
            tenant="ward",
            id=job_id(identity, 0),
            identity=identity,
            run=0,
            arrival_id=arrival.id,
            subject=arrival.subject,
            arrival_version=arrival.version,
            pipeline=pipeline,
            rule="all",
            not_before=self.clock.now(),
            created_at=self.clock.now(),
        )
        return self.ledger.enqueue(job)[0]

    def now(self, job: Job) -> Job:
        return self.ledger.job(job.tenant, job.id)

    def keys(self, prefix: str) -> list[str]:
        return [blob.key for blob in self.blobs.list(prefix)]


def two_stages() -> Pipeline:
    """Return a pipeline of a command and a bundle, each with its own pool."""
    return Pipeline(
        name="video",
        stages=(
            Stage(name="prepare", kind=StageKind.COMMAND, command=("prepare",)),
            Stage(name="infer", kind=StageKind.BUNDLE, pool="gpu", release=RELEASE),
        ),
    )
