"""The cataloguer over memory: what it looks at, what it leaves out, and that it may be repeated."""

import threading
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.catalogue import MemoryCatalogue
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.catalogue import cataloguer as module
from bedside.catalogue import follow
from bedside.catalogue.cataloguer import Cataloguer
from bedside.catalogue.follow import following
from bedside.dicom.identify import identify
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.errors import Unavailable
from dicom_samples import assign, ramp, series
from ledger_samples import T0, at, make_job, make_result


class Ward:
    """A ledger, a store and a catalogue in memory."""

    def __init__(self) -> None:
        self.ledger, self.blobs, self.clock = MemoryLedger(), MemoryBlobStore(), ManualClock()
        self.catalogue = MemoryCatalogue(self.ledger)
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.cataloguer = Cataloguer(
            ledger=self.ledger,
            catalogue=self.catalogue,
            blobs=self.blobs,
            clock=self.clock,
            log=lambda action, /, **fields: self.lines.append((action, fields)),
        )

    def arrive(self, *paths: Path, junk: bytes = b"") -> Arrival:
        files = []
        for path in paths:
            found = identify(path)
            assert found is not None
            files.append(self.store(path.read_bytes(), found.sop_instance_uid))
        if junk:
            files.append(self.store(junk, "1.2.3.999"))
        arrival = Arrival(
            tenant="ward",
            id=arrival_id(files),
            kind=ArrivalKind.DICOM,
            subject=str(pydicom.dcmread(paths[0]).StudyInstanceUID),
            version=0,
            files=tuple(sorted(files)),
            received_at=T0,
        )
        return self.ledger.add_arrival(arrival)

    def store(self, data: bytes, uid: str) -> StoredFile:
        import hashlib

        file = StoredFile(sop_instance_uid=uid, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        self.blobs.tenant("ward").put(file.key, data)
        return file


@pytest.fixture
def ward() -> Ward:
    return Ward()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "s").mkdir()
    return series(tmp_path / "s", array=ramp((4, 10, 12)))


def test_what_was_there_before_is_caught_up_with_and_then_left_alone(ward: Ward, paths: list[Path]) -> None:
    arrival = ward.arrive(*paths)
    assert ward.cataloguer.step() == 1
    study = ward.catalogue.study("ward", arrival.subject)
    assert study is not None and study.instances == 4
    assert ward.cataloguer.step() == 0
    ward.cataloguer.start_over()
    assert ward.cataloguer.step() == 0
    assert [action for action, _ in ward.lines] == ["catalogue.filled"]


def test_of_a_later_version_only_what_is_new_is_looked_at(
    ward: Ward, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.arrive(*paths[:3])
    ward.cataloguer.step()
    seen: list[str] = []
    looked = module.looked
    monkeypatch.setattr(module, "looked", lambda s, key, *rest: seen.append(key) or looked(s, key, *rest))
    arrival = ward.arrive(*paths)
    ward.cataloguer.step()
    assert len(seen) == 1
    study = ward.catalogue.study("ward", arrival.subject)
    assert study is not None and study.instances == 4


def test_an_instance_that_is_sent_again_changed_takes_the_place_of_the_first(
    ward: Ward, paths: list[Path]
) -> None:
    first = ward.arrive(*paths)
    ward.cataloguer.step()
    assign(paths[0], SeriesDescription="mended")
    second = ward.arrive(*paths)
    assert second.version == first.version + 1
    ward.cataloguer.step()
    keys = {one.key for one in ward.catalogue.instances("ward", first.subject)}
    assert keys == {file.key for file in second.files}


def test_what_is_no_instance_is_left_out_and_told_in_numbers(ward: Ward, paths: list[Path]) -> None:
    assign(paths[1], StudyInstanceUID="1.2.3.4")
    arrival = ward.arrive(*paths, junk=b"\0" * 500)
    ward.blobs.tenant("ward").delete(arrival.files[0].key)
    ward.cataloguer.step()
    study = ward.catalogue.study("ward", arrival.subject)
    assert study is not None
    (line,) = [fields for action, fields in ward.lines if action == "catalogue.filled"]
    assert line["instances"] == study.instances and line["refused"] == 5 - study.instances
    assert ward.cataloguer.step() == 0, "it is not tried again and again"


def test_a_result_comes_with_its_dicom_and_goes_when_it_is_superseded(ward: Ward, paths: list[Path]) -> None:
    arrival = ward.arrive(*paths[:2])
    ward.ledger.enqueue(make_job(arrival))
    lease = ward.ledger.lease(pools=("default",), worker="w", now=at(1), lease_s=60)
    assert lease is not None
    ward.ledger.complete(lease, make_result(lease), now=at(2))
    store = ward.blobs.tenant("ward")
    assign(paths[2], Modality="SEG", SeriesInstanceUID="1.2.3.5")
    store.put(f"{lease.job.prefix}/dicom/seg.dcm", paths[2].read_bytes())
    store.put(f"{lease.job.prefix}/dicom/notes.txt", b"none")
    store.put(f"{lease.job.prefix}/other/seg.dcm", paths[3].read_bytes())
    ward.cataloguer.bring("ward", arrival.subject)
    study = ward.catalogue.study("ward", arrival.subject)
    assert study is not None and study.modalities == ("CT", "SEG") and study.instances == 3
    ward.ledger.rerun("ward", lease.job.id, at(3))
    again = ward.ledger.lease(pools=("default",), worker="w", now=at(4), lease_s=60)
    assert again is not None
    ward.ledger.complete(again, replace(make_result(again), created_at=at(5)), now=at(5))
    ward.cataloguer.bring("ward", arrival.subject)
    assert len(ward.catalogue.instances("ward", arrival.subject)) == 3, "in step a moment ago"
    ward.clock.advance(module.FRESH_S)
    ward.cataloguer.bring("ward", arrival.subject)
    study = ward.catalogue.study("ward", arrival.subject)
    assert study is not None and study.modalities == ("CT",) and study.instances == 2


def test_a_store_out_of_reach_is_asked_again(
    ward: Ward, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrival = ward.arrive(*paths)
    with monkeypatch.context() as broken:

        def gone(*_: object) -> None:
            raise Unavailable("store: cannot read")

        broken.setattr(MemoryBlobStore, "open", gone)
        with pytest.raises(Unavailable):
            ward.cataloguer.step()
    assert ward.catalogue.study("ward", arrival.subject) is None
    assert ward.cataloguer.step() == 1
    assert ward.catalogue.study("ward", arrival.subject) is not None


def test_a_thread_follows_and_outlives_a_failure(
    ward: Ward, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "POLL_S", 0.01)
    monkeypatch.setattr(follow, "OUT_OF_REACH_S", 0.01)
    done = threading.Event()
    steps = iter([ZeroDivisionError(), Unavailable("gone"), 1, 0])

    def step() -> int:
        found = next(steps, 0)
        if isinstance(found, Exception):
            raise found
        if not found:
            done.set()
        return found

    monkeypatch.setattr(ward.cataloguer, "step", step)
    with following(ward.cataloguer, ward.cataloguer._log):
        assert done.wait(5)
    assert ward.lines[:2] == [
        ("catalogue.failed", {"error": "ZeroDivisionError"}),
        ("catalogue.waits", {"reason": "gone"}),
    ]
