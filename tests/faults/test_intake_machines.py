"""Several machines do intake on one ledger and one store, and meet in the moment between look and word."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.sql import SqlLedger
from bedside.config import IntakeSettings
from bedside.domain.arrival import Arrival, EntryState
from bedside.domain.pipeline import Rule
from bedside.domain.result import Result
from bedside.ports import BlobStore, Dropped, JobFilter
from bedside.worker import admit
from bedside.worker.dropbox import group
from bedside.worker.intake import Intake
from clouds import Cloud
from intake_samples import instances, pipeline, zipped
from services import PostgresServer

STUDY = "1.2.826.0.1.3680043.8.498.77"
#: Far beyond what a step takes on a busy machine; a rival that never comes fails the test.
PATIENCE_S = 60.0
PLACES = [
    "sqlite and a folder",
    pytest.param("postgresql and a bucket", marks=pytest.mark.needs("initdb", "pg_ctl")),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What all machines share.

    Attributes:
        url: Of the ledger.
        blobs: The store.
    """

    url: str
    blobs: BlobStore


@dataclass
class Told:
    """A feed that brings one entry, as a queue does: each machine hears of another one."""

    blobs: BlobStore
    key: str

    def ready(self, tenant: str) -> list[Dropped]:
        things = group(self.blobs.tenant(tenant).list("input/"))
        return [thing.dropped() for thing in things if thing.key == self.key]

    def taken(self, tenant: str, dropped: Dropped) -> None:
        pass

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        pass

    def close(self) -> None:
        pass


class Meeting(SqlLedger):
    """A ledger whose machine waits, with its joined files in hand, until it may record them."""

    before_recording: Callable[[], object] = staticmethod(lambda: None)

    def add_arrival(self, arrival: Arrival, *, after: int | None = None) -> Arrival:
        self.before_recording()
        return super().add_arrival(arrival, after=after)


@dataclass
class Machine:
    """One machine's intake: its own connection, its own work folder."""

    place: Place
    folder: Path
    key: str
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Meeting(self.place.url)
        self.intake = Intake(
            ledger=self.ledger,
            blobs=self.place.blobs,
            feed=Told(self.place.blobs, self.key),
            clock=ManualClock(),
            pipelines={"spleen": pipeline()},
            rules=(Rule(name="any", pipeline="spleen"),),
            limits=IntakeSettings(),
            workspace=self.folder,
            log=lambda action, /, **fields: self.lines.append(action),
        )


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == PLACES[0]:
        yield Place(url=f"sqlite:///{tmp_path}/ledger.db", blobs=FolderBlobStore(tmp_path / "store"))
        return
    from bedside.adapters.aws.blobs import S3BlobStore
    from bedside.adapters.aws.places import Bucket

    server: PostgresServer = request.getfixturevalue("postgres")
    cloud: Cloud = request.getfixturevalue("cloud")
    yield Place(url=server.database(), blobs=S3BlobStore(Bucket(name=cloud.bucket(), prefix="")))


@pytest.fixture
def machines(place: Place, tmp_path: Path) -> Iterator[list[Machine]]:
    """Three machines; each was told of another third of one study."""
    made = []
    for n in range(3):
        data = zipped(instances(tmp_path / f"dicom-{n}", f"series {n}", series=n + 1, study=STUDY))
        place.blobs.tenant("default").put(f"input/{n}.zip", data)
        made.append(Machine(place, tmp_path / f"machine-{n}", f"input/{n}.zip"))
    made[0].ledger.prepare()
    yield made
    for machine in made:
        machine.ledger.close()


def end_all_jobs(machine: Machine) -> None:
    """Bring every queued job to its end, as workers do."""
    ledger, clock = machine.ledger, machine.intake.clock
    while lease := ledger.lease(pools=(), worker="w", now=clock.now(), lease_s=60):
        job = lease.job
        result = Result(
            tenant=job.tenant,
            job_id=job.id,
            arrival_id=job.arrival_id,
            prefix=job.prefix,
            summary={},
            created_at=clock.now(),
        )
        ledger.complete(lease, result, now=clock.now())


def test_parts_of_a_study_taken_at_once_by_several_machines_become_one_study(
    machines: list[Machine], place: Place
) -> None:
    """All have joined with nothing when the first one records: the others must join again, twice even."""
    together = threading.Barrier(len(machines), timeout=PATIENCE_S)
    waited = threading.local()

    def meet() -> None:
        if not getattr(waited, "once", False):  # the first words only; after that they run freely
            waited.once = True
            together.wait()

    for machine in machines:
        machine.ledger.before_recording = meet
    with ThreadPoolExecutor(len(machines)) as pool:
        assert list(pool.map(lambda m: m.intake.step("default"), machines)) == [1] * len(machines)
    assert sum(m.lines.count("arrival.overtaken") for m in machines) >= len(machines) - 1
    assert not any("entry.postponed" in m.lines for m in machines)

    ledger = machines[0].ledger
    newest = ledger.newest_arrival("default", STUDY)
    assert newest is not None
    assert (newest.version, len(newest.files)) == (len(machines), 3 * len(machines))
    jobs = ledger.jobs("default", JobFilter())
    assert sorted(job.arrival_version for job in jobs) == [1, 2, 3]
    store = place.blobs.tenant("default")
    assert all(store.stat(file.key) for file in newest.files)
    assert store.stat(newest.manifest_key)

    end_all_jobs(machines[1])
    (current,) = ledger.results("default")
    assert current.arrival_id == newest.id
    assert [m.intake.settle("default") for m in machines] == [3, 0, 0]
    entries = ledger.entries("default")
    assert [entry.state for entry in entries] == [EntryState.SETTLED] * 3
    assert list(store.list("input/")) == []
    assert {blob.key.split("/")[1] for blob in store.list("inferred/")} == {entry.id for entry in entries}


def test_an_entry_that_is_overtaken_at_every_try_is_postponed_and_not_lost(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, *others = machines
    monkeypatch.setattr(admit, "JOINED", 2)
    slow.ledger.before_recording = lambda: others.pop().intake.step("default") if others else None
    assert slow.intake.step("default") == 0
    assert slow.lines.count("arrival.overtaken") == 2
    assert slow.lines[-1] == "entry.postponed"
    assert isinstance(slow.intake.clock, ManualClock)
    slow.intake.clock.advance(60)
    assert slow.intake.step("default") == 1
    newest = slow.ledger.newest_arrival("default", STUDY)
    assert newest is not None
    assert (newest.version, len(newest.files)) == (3, 9)
