"""Parts in a folder: what is not whole is not kept, and what a disk or a second writer spoils is found."""

import errno
import fcntl
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from bedside.adapters.local import journal, parts
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.errors import Full, Incomplete, InputRejected, NotFound, Overtaken, UsageError
from bedside.ports.parts import Part

KEY = "input/u1.zip"
A, B = b"a" * 1000, b"b" * 500


def part(number: int, data: bytes, offset: int = 0) -> Part:
    return Part(
        number=number,
        offset_bytes=offset,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


BOTH = [part(1, A), part(2, B, 1000)]


@pytest.fixture
def store(tmp_path: Path) -> FolderBlobStore:
    return FolderBlobStore(tmp_path / "store", "ward")


def folder_of(store: FolderBlobStore, ticket: str) -> Path:
    return store._base / parts.FOLDER / ticket


def send(store: FolderBlobStore, ticket: str, which: Part, data: bytes) -> None:
    with store.receive_part(KEY, ticket, which) as sink:
        sink.write([data])
        sink.finish()


def test_other_bytes_than_were_said_are_not_kept(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    with pytest.raises(InputRejected, match="SHA-256"):
        send(store, ticket, BOTH[0], b"x" * 1000)
    with pytest.raises(InputRejected, match="10 bytes came, it has 1000"):
        send(store, ticket, BOTH[0], A[:10])
    with pytest.raises(InputRejected, match="more than the 1000 bytes"):
        send(store, ticket, BOTH[0], A + b"!")
    with store.receive_part(KEY, ticket, BOTH[0]) as sink:
        sink.write([A])  # and the line is cut
    assert list(store.stored_parts(KEY, ticket)) == []


def test_a_whole_part_survives_a_replay_that_breaks_off(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    for which, data in zip(BOTH, (A, B), strict=True):
        send(store, ticket, which, data)
    with store.receive_part(KEY, ticket, BOTH[0]) as sink:
        sink.write([A[:10]])
    with pytest.raises(InputRejected), store.receive_part(KEY, ticket, BOTH[0]) as sink:
        sink.write([b"x" * 1000])
        sink.finish()
    store.complete_parts(KEY, ticket, BOTH)
    assert store.get(KEY) == A + B


def test_another_content_that_breaks_off_takes_the_part_away(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    send(store, ticket, BOTH[0], A)
    with store.receive_part(KEY, ticket, part(1, b"n" * 1000)) as sink:
        sink.write([b"n" * 10])
    assert list(store.stored_parts(KEY, ticket)) == []


def test_bytes_that_changed_on_the_disk_make_no_object(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    for which, data in zip(BOTH, (A, B), strict=True):
        send(store, ticket, which, data)
    with (folder_of(store, ticket) / journal.BYTES).open("r+b") as stream:
        stream.seek(1200)
        stream.write(b"?")
    with pytest.raises(Incomplete, match="1 of 2 parts are damaged: 2") as caught:
        store.complete_parts(KEY, ticket, BOTH)
    assert caught.value.missing == (2,) and store.stat(KEY) is None
    assert [p.number for p in store.stored_parts(KEY, ticket)] == [1]
    send(store, ticket, BOTH[1], B)
    store.complete_parts(KEY, ticket, BOTH)
    assert store.get(KEY) == A + B


def test_a_torn_line_of_the_journal_says_nothing(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    send(store, ticket, BOTH[0], A)
    file = folder_of(store, ticket) / journal.JOURNAL
    whole = file.read_text()
    file.write_text(whole + whole.strip().replace("1 1000", "2 500", 1)[:-3])
    assert [p.number for p in store.stored_parts(KEY, ticket)] == [1]
    send(store, ticket, BOTH[1], B)
    assert [p.number for p in store.stored_parts(KEY, ticket)] == [1, 2]


def test_nothing_is_completed_while_a_part_is_written(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_LOCK_S", 0.05)
    ticket = store.begin_parts(KEY)
    for which, data in zip(BOTH, (A, B), strict=True):
        send(store, ticket, which, data)
    writing = parts._locked(folder_of(store, ticket), fcntl.LOCK_SH)
    with writing, pytest.raises(Overtaken):
        store.complete_parts(KEY, ticket, BOTH)
    monkeypatch.setattr(parts, "_LOCK_S", 10)
    with parts._locked(folder_of(store, ticket), fcntl.LOCK_SH):
        ending = threading.Thread(target=store.complete_parts, args=(KEY, ticket, BOTH))
        ending.start()
        time.sleep(0.1)
        assert store.stat(KEY) is None
    ending.join()
    assert store.get(KEY) == A + B


def test_a_line_that_went_silent_keeps_nobody_waiting_and_spoils_nothing(store: FolderBlobStore) -> None:
    ticket = store.begin_parts(KEY)
    for which, data in zip(BOTH, (A, B), strict=True):
        send(store, ticket, which, data)
    with store.receive_part(KEY, ticket, part(1, b"n" * 1000)) as late:
        store.complete_parts(KEY, ticket, BOTH)
        with pytest.raises(NotFound):
            late.write([b"n" * 1000])
    assert store.get(KEY) == A + B


def test_a_full_disk_is_said_and_what_was_sent_stays(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = store.begin_parts(KEY)
    send(store, ticket, BOTH[0], A)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        with pytest.raises(Full, match="the disk is full; what was sent before stays"):
            send(store, ticket, BOTH[1], B)
    assert [p.number for p in store.stored_parts(KEY, ticket)] == [1]
    send(store, ticket, BOTH[1], B)
    store.complete_parts(KEY, ticket, BOTH)
    assert store.get(KEY) == A + B
    assert store.free_bytes() > 0


def test_a_drop_box_on_another_file_system_gets_a_copy(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = store.begin_parts(KEY)
    for which, data in zip(BOTH, (A, B), strict=True):
        send(store, ticket, which, data)
    rename = Path.rename

    def crossing(self: Path, target: Path) -> Path:
        if parts.FOLDER in self.parts:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", crossing)
    store.complete_parts(KEY, ticket, BOTH)
    assert store.get(KEY) == A + B and not folder_of(store, ticket).exists()


def test_a_short_write_goes_on_where_it_ended(
    store: FolderBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwritev = os.pwritev
    monkeypatch.setattr(
        os, "pwritev", lambda fd, views, at: pwritev(fd, [memoryview(b"".join(views))[:7]], at)
    )
    ticket = store.begin_parts(KEY)
    with store.receive_part(KEY, ticket, BOTH[1]) as sink:
        sink.write([B[:3], b"", B[3:250], B[250:]])
        sink.finish()
    send(store, ticket, BOTH[0], A)
    store.complete_parts(KEY, ticket, BOTH)
    assert store.get(KEY) == A + B


def test_what_nobody_touches_any_more_is_swept(store: FolderBlobStore, tmp_path: Path) -> None:
    ticket = store.begin_parts(KEY)
    send(store, ticket, BOTH[0], A)
    assert store.sweep() == 0
    assert parts.sweep_parts(tmp_path / "store", older_s=0) == 1
    with pytest.raises(NotFound):
        store.stored_parts(KEY, ticket)


def test_a_ticket_leads_nowhere_else(store: FolderBlobStore, tmp_path: Path) -> None:
    for ticket in ("../../etc", "", "x" * 32):
        with pytest.raises(UsageError):
            store.stored_parts(KEY, ticket)
    store.begin_parts(KEY)
    area = store._base / parts.FOLDER
    area.rename(tmp_path / "elsewhere")
    area.symlink_to(tmp_path / "elsewhere")
    for moved in (tmp_path / "elsewhere").iterdir():
        with pytest.raises(NotFound):
            store.stored_parts(KEY, moved.name)
