"""What every record of uploads keeps to: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bedside.adapters.memory.uploads import MemoryUploads
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.uploads import SqlUploads
from bedside.domain.upload import Upload, UploadMove, UploadState
from bedside.ports.uploads import Uploads
from ledger_samples import T0, at
from services import PostgresServer

ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))


@pytest.fixture(params=["memory", "sqlite", ON_A_SERVER])
def uploads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Uploads]:
    if request.param == "memory":
        yield MemoryUploads()
        return
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    ledger = SqlLedger(url)
    ledger.prepare()
    yield ledger.records.uploads
    ledger.close()


def make(upload_id: str = "u1", **changes: object) -> Upload:
    made = Upload(
        tenant="ward",
        id=upload_id,
        person="p-1",
        name="Muster Jürgen/CT",
        fingerprint=f"of {upload_id}",
        files=3,
        size_bytes=20_000_000_000,
        ticket=f"t-{upload_id}",
        begun_at=T0,
        changed_at=T0,
        expires_at=T0 + timedelta(days=7),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("adapter", [MemoryUploads, SqlUploads])
def test_every_adapter_has_the_ports_calls(adapter: type) -> None:
    for name, call in inspect.getmembers(Uploads, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(adapter, name)) == inspect.signature(call), name


def test_an_upload_comes_back_as_it_was_recorded(uploads: Uploads) -> None:
    made = make()
    assert uploads.begin(made) == made
    assert uploads.upload("ward", "u1") == made
    assert uploads.upload("clinic", "u1") is None and uploads.upload("ward", "u2") is None


def test_picking_the_same_files_again_finds_the_open_one(uploads: Uploads) -> None:
    first = uploads.begin(make())
    assert uploads.begin(make("u2", fingerprint=first.fingerprint)) == first
    others = [
        make("u3", fingerprint=first.fingerprint, person="p-2"),
        make("u4", fingerprint=first.fingerprint, tenant="clinic"),
        make("u5"),
    ]
    assert [uploads.begin(other) for other in others] == others
    assert uploads.move(first, first.moved(UploadMove.CANCEL, at(1)))
    again = make("u6", fingerprint=first.fingerprint)
    assert uploads.begin(again) == again


def test_of_many_that_begin_the_same_at_once_all_get_one(uploads: Uploads) -> None:
    wanted = [make(f"u{n}", fingerprint="same") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        begun = {upload.id for upload in pool.map(uploads.begin, wanted)}
    assert len(begun) == 1 and len(uploads.of_person("ward", "p-1")) == 1


def test_a_move_is_written_only_from_where_it_was_made(uploads: Uploads) -> None:
    before = uploads.begin(make())
    completing = before.moved(UploadMove.COMPLETE, at(1))
    assert uploads.move(before, completing)
    assert not uploads.move(before, before.moved(UploadMove.CANCEL, at(2)))
    done = completing.moved(UploadMove.COMPLETED, at(3), entry="e1")
    assert uploads.move(completing, done)
    assert uploads.upload("ward", "u1") == done and done.state is UploadState.COMPLETE
    assert not uploads.move(make("nobody's"), done)


def test_a_person_sees_their_own_newest_first(uploads: Uploads) -> None:
    for n in range(4):
        uploads.begin(make(f"u{n}", begun_at=at(n)))
    uploads.begin(make("theirs", person="p-2"))
    uploads.begin(make("elsewhere", tenant="clinic"))
    assert [u.id for u in uploads.of_person("ward", "p-1", limit=3)] == ["u3", "u2", "u1"]


def test_bytes_are_counted_until_an_upload_ends(uploads: Uploads) -> None:
    assert uploads.open_bytes("ward") == 0
    first, second = uploads.begin(make("a", size_bytes=5)), uploads.begin(make("b", size_bytes=7))
    uploads.begin(make("c", size_bytes=11, tenant="clinic"))
    assert uploads.open_bytes("ward") == 12
    completing = first.moved(UploadMove.COMPLETE, at(1))
    uploads.move(first, completing)
    uploads.move(second, second.moved(UploadMove.CANCEL, at(1)))
    assert uploads.open_bytes("ward") == 5
    uploads.move(completing, completing.moved(UploadMove.COMPLETED, at(2)))
    assert uploads.open_bytes("ward") == 0


def test_what_is_stale_is_found_and_what_hangs_while_it_is_completed(uploads: Uploads) -> None:
    uploads.begin(make("young", expires_at=at(100)))
    uploads.begin(make("old", expires_at=at(10)))
    hangs = uploads.begin(make("hangs"))
    uploads.move(hangs, hangs.moved(UploadMove.COMPLETE, at(5)))
    assert [u.id for u in uploads.stale(at(10), at(5))] == ["old"]
    assert {u.id for u in uploads.stale(at(20), at(6))} == {"old", "hangs"}
    assert [u.id for u in uploads.stale(at(20), at(6), limit=1)] == ["old"]


def test_uploads_go_with_their_tenant(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.prepare()
    ledger.records.uploads.begin(make())
    ledger.records.uploads.begin(make("kept", tenant="clinic"))
    assert ledger.forget_tenant("ward") == 1
    assert ledger.records.uploads.upload("ward", "u1") is None
    assert ledger.records.uploads.upload("clinic", "kept") is not None
    ledger.close()
