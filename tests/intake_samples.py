"""An intake over real folders: a drop-box people copy into, a ledger in memory, a clock that is moved."""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.config import FileSetSettings, IntakeSettings
from bedside.dicom.create import SeriesSpec, write_series
from bedside.domain.arrival import Entry
from bedside.domain.job import Failure, Job, JobState
from bedside.domain.pipeline import Pipeline, Rule, Stage, StageKind
from bedside.domain.result import Result
from bedside.ports import JobFilter, Ledger
from bedside.worker.dropbox import DropboxWatch
from bedside.worker.intake import Intake

#: In every file name of the tests, and nowhere else.
PATIENT = "DOE_JANE"
QUIET_S = 5.0


def pipeline(name: str = "spleen", release: str = "sha256:aa") -> Pipeline:
    return Pipeline(name=name, stages=(Stage(name="infer", kind=StageKind.BUNDLE, release=release),))


def instances(
    folder: Path,
    seed: str,
    *,
    slices: int = 3,
    modality: str = "CT",
    series: int = 1,
    study: str = "",
    **more: object,
) -> list[Path]:
    """Write a small series; ``more`` are attributes by keyword."""
    spec = SeriesSpec(
        seed=seed,
        modality=modality,
        series_number=series,
        study_uid=study,
        patient_name="DOE^JANE",
        attributes=more,
    )
    array = np.arange(slices * 4, dtype=np.int16).reshape(slices, 2, 2)
    affine = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    return write_series(folder, array, affine, spec=spec)


def zipped(paths: list[Path], **more: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, path in enumerate(paths):
            archive.write(path, f"{PATIENT}/{number}.dcm")
        for name, data in more.items():
            archive.writestr(name, data)
    return stream.getvalue()


RECORDING = FileSetSettings(name="recording", patterns=("*.mp4", "*.hpf"), pipeline="video")


@dataclass
class Ward:
    """One deployment below ``root`` and one tenant, with everything a test may want to look at."""

    root: Path
    rules: tuple[Rule, ...] = (Rule(name="any", pipeline="spleen"),)
    pipelines: tuple[Pipeline, ...] = (pipeline(),)
    settings: IntakeSettings = field(default_factory=lambda: IntakeSettings(quiet_s=QUIET_S))
    ledger: Ledger = field(default_factory=MemoryLedger)
    clock: ManualClock = field(default_factory=ManualClock)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = FolderBlobStore(self.root)
        self.intake = self.restarted()

    def restarted(self) -> Intake:
        """Return an intake as after a crash: it knows what is on disk and in the ledger."""
        self.intake = Intake(
            ledger=self.ledger,
            blobs=self.store,
            feed=DropboxWatch(self.store, QUIET_S, self.clock, self.settings.file_set),
            clock=self.clock,
            pipelines={p.name: p for p in self.pipelines},
            rules=self.rules,
            limits=self.settings,
            workspace=self.root / ".work/intake",
            log=lambda action, /, **fields: self.lines.append(f"{action} {fields}"),
        )
        return self.intake

    def drop(self, name: str, data: bytes, tenant: str = "default") -> Path:
        path = self.root / tenant / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def take(self, tenant: str = "default") -> int:
        """Look, wait until everything is quiet, and take."""
        taken = self.intake.step(tenant)
        self.clock.advance(QUIET_S)
        return taken + self.intake.step(tenant)

    @property
    def entries(self) -> list[Entry]:
        return sorted(self.ledger.entries("default"), key=lambda e: e.seen_at)

    @property
    def jobs(self) -> list[Job]:
        return list(self.ledger.jobs("default", JobFilter()))

    def end(self, job: Job, state: JobState = JobState.SUCCEEDED) -> None:
        """Bring a queued job to its end, as a worker does."""
        now = self.clock.now()
        lease = self.ledger.lease(pools=["default"], worker="w", now=now, lease_s=60)
        assert lease is not None
        assert lease.job.id == job.id
        failure = Failure(error="InputRejected", message="gap of 10.0 mm between slices 1 and 2")
        if state is JobState.SUCCEEDED:
            result = Result(
                tenant=job.tenant,
                job_id=job.id,
                arrival_id=job.arrival_id,
                prefix=job.prefix,
                summary={},
                created_at=now,
            )
            self.ledger.complete(lease, result, now=now)
        elif state is JobState.REJECTED:
            self.ledger.reject(lease, failure, now=now)
        elif state is JobState.DEAD:
            self.ledger.fail(lease, failure, now=now, retry_at=None)
        else:
            self.ledger.cancel(job.tenant, job.id, now)

    def files(self, prefix: str = "") -> list[str]:
        return [blob.key for blob in self.store.list(prefix)]

    def told(self) -> str:
        """Everything that must hold no file name: keys but the drop-box's, log, reasons, events, records."""
        keys = [key for key in self.files() if not key.startswith("input/")]
        records = [self.store.get(key).decode() for key in keys if key.endswith(".json")]
        reasons = [f"{e.id} {e.reason} {e.state} {e.arrivals}" for e in self.entries]
        history = [
            repr((self.ledger.events("default", arrival_id=a), self.ledger.decisions("default", a)))
            for e in self.entries
            for a in e.arrivals
        ]
        return "\n".join([*keys, *records, *reasons, *history, *self.lines, repr(self.jobs)])
