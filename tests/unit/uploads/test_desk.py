"""The desk over a real folder: begun once, gone on with, completed once, expired, and only one's own."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.memory.uploads import MemoryUploads
from bedside.config.upload import UploadSettings
from bedside.domain.arrival import EntryState
from bedside.domain.upload import PART_BYTES, Upload, UploadMove, UploadState
from bedside.errors import (
    BedsideError,
    Full,
    Incomplete,
    NotFound,
    Overtaken,
    TooLarge,
    Unavailable,
    UsageError,
)
from bedside.uploads.desk import UploadDesk
from bedside.uploads.limits import Wish
from bedside.uploads.outcome import Step, outcome_of
from bedside.uploads.reasons import Kind
from bedside.worker.dropbox import DropboxWatch, markers_of
from ledger_samples import at, make_arrival, make_entry, make_job

PIECES = [b"a" * PART_BYTES, b"b" * 100]
WISH = Wish(name="Röntgen/CT", fingerprint="f" * 64, files=2, size_bytes=PART_BYTES + 100)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[UploadDesk]:
    yield UploadDesk(
        uploads=MemoryUploads(),
        ledger=MemoryLedger(),
        blobs=FolderBlobStore(tmp_path / "store"),
        clock=ManualClock(),
        limits=UploadSettings(min_free_bytes=0),
    )


def send(desk: UploadDesk, upload: Upload, *numbers: int) -> None:
    for number in numbers or (1, 2):
        data = PIECES[number - 1]
        part = desk.part(upload, number, hashlib.sha256(data).hexdigest())
        assert desk.place(upload, part) is None
        with desk.receive(upload, part) as sink:
            sink.write([data])
            sink.finish()


def clock_of(desk: UploadDesk) -> ManualClock:
    assert isinstance(desk.clock, ManualClock)
    return desk.clock


def test_an_upload_appears_in_the_drop_box_whole_and_announced(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)
    store = desk.blobs.tenant("ward")
    assert list(store.list("")) == []
    done = desk.complete(upload)
    assert done.state is UploadState.COMPLETE and desk.complete(done) == done
    assert store.get(upload.key) == b"".join(PIECES)
    assert upload.marker in markers_of(upload.key) and store.stat(upload.marker)
    assert not any(word in upload.key for word in ("Röntgen", "CT", "p-1"))
    [dropped] = DropboxWatch(desk.blobs, 60.0, desk.clock).ready("ward")
    assert dropped.parts == (upload.key,)
    desk.ledger.put_entry(replace(make_entry(upload.key), id=done.entry))
    found = desk.entry(done)
    assert found is not None and found.key == upload.key


def test_the_same_files_go_on_with_the_same_upload(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload, 2)
    again = desk.begin("ward", "p-1", WISH)
    assert again == upload and [part.number for part in desk.parts(again)] == [2]
    assert desk.begin("ward", "p-2", WISH).id != upload.id
    assert desk.begin("clinic", "p-1", WISH).id != upload.id
    with pytest.raises(UsageError, match="has this fingerprint"):
        desk.begin("ward", "p-1", replace(WISH, size_bytes=500))


def test_two_tabs_that_begin_at_once_send_one_upload(desk: UploadDesk, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        begun = {u.id for u in pool.map(lambda _: desk.begin("ward", "p-1", WISH), range(6))}
    assert len(begun) == 1
    assert len(list((tmp_path / "store").glob("ward/.bedside-uploads/*"))) == 1


def test_two_tabs_that_complete_at_once_make_one_object(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)

    def complete(_: int) -> bool:
        try:
            return desk.complete(desk.find("ward", "p-1", upload.id)).state is UploadState.COMPLETE
        except Overtaken:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert any(pool.map(complete, range(6)))
    assert desk.find("ward", "p-1", upload.id).state is UploadState.COMPLETE
    assert desk.blobs.tenant("ward").get(upload.key) == b"".join(PIECES)


def test_missing_parts_are_named_and_the_upload_stays_open(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload, 1)
    with pytest.raises(Incomplete, match="1 of 2 parts are missing: 2"):
        desk.complete(upload)
    upload = desk.find("ward", "p-1", upload.id)
    send(desk, upload, 2)
    assert desk.complete(upload).state is UploadState.COMPLETE


def test_another_person_or_tenant_finds_nothing(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    for tenant, person in (("ward", "p-2"), ("clinic", "p-1")):
        with pytest.raises(NotFound):
            desk.find(tenant, person, upload.id)
        assert list(desk.mine(tenant, person, limit=10)) == []


def test_what_is_given_up_takes_nothing_any_more(desk: UploadDesk, tmp_path: Path) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload, 1)
    gone = desk.cancel(upload)
    assert desk.cancel(gone).state is UploadState.CANCELLED
    assert list((tmp_path / "store").glob("ward/.bedside-uploads/*")) == []
    for call in (lambda: desk.part(gone, 1, "0" * 64), lambda: desk.complete(gone)):
        with pytest.raises(Overtaken):
            call()
    done = desk.begin("ward", "p-1", WISH)
    send(desk, done)
    with pytest.raises(Overtaken):
        desk.cancel(desk.complete(done))


def test_a_stale_upload_expires_when_it_is_looked_at_and_by_the_sweep(
    desk: UploadDesk, tmp_path: Path
) -> None:
    first = desk.begin("ward", "p-1", WISH)
    second = desk.begin("ward", "p-2", WISH)
    third = desk.begin("ward", "p-3", WISH)
    clock_of(desk).sleep(7 * 86400)
    assert desk.find("ward", "p-1", first.id).state is UploadState.EXPIRED
    assert [u.state for u in desk.mine("ward", "p-2", limit=5)] == [UploadState.EXPIRED]
    assert desk.sweep() == 1 and desk.sweep() == 0
    assert desk.find("ward", "p-3", third.id).state is UploadState.EXPIRED
    assert second.id and list((tmp_path / "store").glob("ward/.bedside-uploads/*")) == []
    assert desk.begin("ward", "p-1", WISH).id != first.id


def test_a_stale_upload_of_the_same_files_is_begun_anew(desk: UploadDesk) -> None:
    first = desk.begin("ward", "p-1", WISH)
    clock_of(desk).sleep(8 * 86400)
    again = desk.begin("ward", "p-1", WISH)
    assert again.id != first.id and again.state is UploadState.OPEN


def test_a_crash_between_store_and_ledger_is_repaired(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)
    completing = upload.moved(UploadMove.COMPLETE, desk.clock.now())
    desk.uploads.move(upload, completing)
    desk.blobs.tenant("ward").complete_parts(  # type: ignore[attr-defined]
        upload.key, upload.ticket, [desk.part(upload, n, "") for n in (1, 2)]
    )
    assert desk.sweep() == 0
    clock_of(desk).sleep(3600)
    assert desk.sweep() == 1
    assert desk.find("ward", "p-1", upload.id).state is UploadState.COMPLETE


def test_parts_that_are_gone_are_said_to_be(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)
    desk.blobs.tenant("ward").abort_parts(upload.key, upload.ticket)  # type: ignore[attr-defined]
    assert list(desk.parts(upload)) == []
    with pytest.raises(NotFound, match="its parts are gone"):
        desk.complete(upload)
    assert desk.find("ward", "p-1", upload.id).state is UploadState.EXPIRED
    assert list(desk.blobs.tenant("ward").list("")) == []


def test_a_store_that_fails_leaves_the_upload_open(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)

    def fail(*_: object) -> None:
        raise Unavailable("store: cannot complete")

    with monkeypatch.context() as patched:
        patched.setattr(FolderBlobStore, "complete_parts", fail)
        with pytest.raises(Unavailable):
            desk.complete(upload)
    assert desk.complete(desk.find("ward", "p-1", upload.id)).state is UploadState.COMPLETE


def test_too_much_is_refused_with_the_numbers(desk: UploadDesk) -> None:
    small = replace(desk, limits=UploadSettings(max_bytes=1000, tenant_bytes=1500, min_free_bytes=0))
    with pytest.raises(TooLarge, match="at most 1000"):
        small.begin("ward", "p-1", WISH)
    small.begin("ward", "p-1", replace(WISH, size_bytes=900))
    with pytest.raises(Full, match="unfinished uploads of this tenant have 900 bytes"):
        small.begin("ward", "p-2", replace(WISH, size_bytes=900))
    small.begin("clinic", "p-2", replace(WISH, size_bytes=900))
    for wrong in (replace(WISH, size_bytes=3), replace(WISH, fingerprint=""), replace(WISH, files=0)):
        with pytest.raises(UsageError):
            desk.begin("ward", "p-1", wrong)
    with pytest.raises(UsageError, match="no uploads in parts"):
        replace(desk, blobs=MemoryBlobStore()).begin("ward", "p-9", WISH)


def test_a_full_disk_takes_nothing_and_loses_nothing(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload, 1)
    full = replace(desk, limits=UploadSettings(min_free_bytes=2**60))
    with pytest.raises(Full, match="must stay free"):
        full.begin("ward", "p-2", WISH)
    with pytest.raises(Full):
        send(full, upload, 2)
    send(desk, upload, 2)
    assert desk.complete(upload).state is UploadState.COMPLETE


# What became of it


def done(desk: UploadDesk) -> Upload:
    upload = desk.begin("ward", "p-1", WISH)
    send(desk, upload)
    return desk.complete(upload)


def test_an_outcome_follows_the_ledger(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    assert outcome_of(desk, upload).step is Step.SENDING
    send(desk, upload)
    upload = desk.complete(upload)
    assert outcome_of(desk, upload).step is Step.RECEIVED
    arrival = desk.ledger.add_arrival(make_arrival(1, 2, received_at=at(100)))
    job, _ = desk.ledger.enqueue(make_job(arrival))
    entry = replace(make_entry(upload.key), id=upload.entry, arrivals=(arrival.id,), seen_at=at(99))
    desk.ledger.put_entry(replace(entry, reason="1 of 3 files left aside: not a DICOM instance of a study"))
    found = outcome_of(desk, upload)
    assert found.step is Step.READING and found.reason and found.reason.kind is Kind.PARTLY
    [study] = found.studies
    assert (study.arrival_id, study.instances, study.is_duplicate) == (arrival.id, 2, False)
    assert [j.id for j in study.jobs] == [job.id]
    desk.ledger.cancel("ward", job.id, at(101))
    assert outcome_of(desk, upload).step is Step.DONE


def test_the_same_study_again_is_already_here(desk: UploadDesk) -> None:
    upload = done(desk)
    came = desk.clock.now() - timedelta(days=1)
    arrival = desk.ledger.add_arrival(make_arrival(1, received_at=came))
    entry = replace(make_entry(upload.key), id=upload.entry, arrivals=(arrival.id,), state=EntryState.SETTLED)
    desk.ledger.put_entry(replace(entry, seen_at=desk.clock.now()))
    found = outcome_of(desk, upload)
    assert found.is_duplicate and found.studies[0].received_at == came


def test_a_rejected_upload_says_why(desk: UploadDesk) -> None:
    upload = done(desk)
    entry = replace(
        make_entry(upload.key), id=upload.entry, reason="ZIP: entry 4 is encrypted; send it plain"
    )
    desk.ledger.put_entry(replace(entry, state=EntryState.REJECTED))
    found = outcome_of(desk, upload)
    assert found.step is Step.REJECTED and found.reason and found.reason.kind is Kind.ENCRYPTED


def test_errors_of_the_desk_name_nobody(desk: UploadDesk) -> None:
    upload = desk.begin("ward", "p-1", WISH)
    said = [repr(upload), repr(WISH)]
    for call in (lambda: desk.complete(upload), lambda: desk.find("ward", "p-2", upload.id)):
        with pytest.raises(BedsideError) as caught:
            call()
        said.append(caught.value.message)
    assert not any("Röntgen" in text for text in said)
