"""What is particular to the store in a folder: links, modes, flushes, leftovers, full disks."""

import errno
import os
import time
from pathlib import Path

import pytest

from bedside.adapters.local import durable
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.errors import NotFound, Unavailable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> FolderBlobStore:
    return FolderBlobStore(root)


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


def test_objects_lie_where_a_person_looks_for_them(store: FolderBlobStore, root: Path) -> None:
    store.put("results/1/result.json", b"{}")
    assert files(root) == ["default/results/1/result.json"]


def test_fetch_links_what_is_ours_and_copies_what_others_dropped(
    store: FolderBlobStore, root: Path, tmp_path: Path
) -> None:
    store.put("arrivals/x.dcm", b"x")
    store.fetch("arrivals/x.dcm", tmp_path / "linked")
    assert (tmp_path / "linked").samefile(root / "default/arrivals/x.dcm")
    dropped = root / "default/input/x.zip"
    dropped.parent.mkdir()
    dropped.write_bytes(b"before")
    store.fetch("input/x.zip", tmp_path / "copied")
    dropped.write_bytes(b"after")
    assert (tmp_path / "copied").read_bytes() == b"before"


def test_a_work_file_is_linked_in_and_a_users_file_is_copied(
    store: FolderBlobStore, root: Path, tmp_path: Path
) -> None:
    work = root / ".work/1/slice"
    work.parent.mkdir(parents=True)
    work.write_bytes(b"x")
    store.put_file("arrivals/x.dcm", work)
    assert work.samefile(root / "default/arrivals/x.dcm")
    store.put_file("arrivals/x.dcm", work)  # a rename of one file onto itself leaves two names
    assert files(root) == [".work/1/slice", "default/arrivals/x.dcm"]
    mine = tmp_path / "mine.zip"
    mine.write_bytes(b"y")
    mode = mine.stat().st_mode
    store.put_file("input/mine.zip", mine)
    mine.write_bytes(b"changed later")
    assert store.get("input/mine.zip") == b"y"
    assert mine.stat().st_mode == mode


def test_links_in_the_store_are_not_followed(store: FolderBlobStore, root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "k").write_bytes(b"secret")
    drop = root / "default/input"
    drop.mkdir(parents=True)
    (drop / "file").symlink_to(secret / "k")
    (drop / "folder").symlink_to(secret)
    (root / "default/elsewhere").symlink_to(secret)
    os.mkfifo(drop / "pipe")
    assert list(store.list("")) == []
    for key in ("input/file", "input/folder/k", "elsewhere/k", "input/pipe"):
        assert store.stat(key) is None
        with pytest.raises(NotFound):
            store.get(key)
        with pytest.raises(NotFound):
            store.fetch(key, tmp_path / "out")
    with pytest.raises(NotFound):
        store.put("input/folder/new", b"")
    store.delete("elsewhere/k")
    assert list(store.list("elsewhere/")) == []
    assert [p.name for p in secret.iterdir()] == ["k"]


def test_leftovers_of_a_crash_are_not_listed_and_are_swept(store: FolderBlobStore, root: Path) -> None:
    store.put("a/k", b"")
    left = durable.temporary(root / "default/a")
    left.write_bytes(b"half")
    assert [b.key for b in store.list("")] == ["a/k"]
    assert store.sweep(older_s=60) == 0
    time.sleep(0.02)
    assert store.sweep(older_s=0.01) == 1
    assert files(root) == ["default/a/k"]


def test_empty_folders_do_not_stay_but_the_map_does(store: FolderBlobStore, root: Path) -> None:
    store.put("input/study/series/1.dcm", b"")
    store.move("input/study/series/1.dcm", "inferred/1/000001.dcm")
    assert sorted(p.name for p in (root / "default").iterdir()) == ["inferred", "input"]
    assert list((root / "default/input").iterdir()) == []
    store.delete("inferred/1/000001.dcm")
    assert list((root / "default/inferred").iterdir()) == []


def test_a_name_that_is_not_unicode_has_a_key(store: FolderBlobStore, root: Path, tmp_path: Path) -> None:
    raw = root / "default/input" / os.fsdecode(b"M\xfcller.zip")
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"zip")
    (blob,) = store.list("input/")
    blob.key.encode()  # a database takes it
    assert store.get(blob.key) == b"zip"
    store.fetch(blob.key, tmp_path / "out")
    store.move(blob.key, "inferred/1/000001.zip")
    assert not raw.exists()


def test_a_file_from_the_year_5000_or_before_time_is_listed(store: FolderBlobStore, root: Path) -> None:
    store.put("a", b"")
    os.utime(root / "default/a", (10**12, 10**12))
    assert [b.key for b in store.list("")] == ["a"]
    os.utime(root / "default/a", (-(10**10), -(10**10)))
    assert [b.key for b in store.list("")] == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_fails_is_unavailable_and_nothing_half_written_is_seen(
    store: FolderBlobStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store.put("k", b"before")
    (tmp_path / "f").write_bytes(b"x")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code), "/root/default/input/DOE_JANE.zip")

    monkeypatch.setattr(os, "fsync", fail)
    for call in (
        lambda: store.put("k", b"after"),
        lambda: store.put_files({f"a/{n}": tmp_path / "f" for n in range(10)}),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert "DOE" not in caught.value.message
    monkeypatch.undo()
    assert store.get("k") == b"before"
    assert files(root) == ["default/k"]


def test_bytes_are_flushed_before_the_rename_and_folders_after(
    store: FolderBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(handle: int) -> None:
        seen.append(("flush", str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(str(root))))
        fsync(handle)

    def note_replace(self: Path, target: Path) -> Path:
        seen.append(("rename", str(target).removeprefix(str(root))))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    store.put("a/b/k", b"x")
    kinds = [kind for kind, _ in seen]
    assert kinds[:2] == ["flush", "rename"]
    assert seen[0][1].startswith("/default/a/b/.bedside-")
    # every folder that got a new name: a/b got k, a got b, default got a, the root got default
    assert {path for kind, path in seen[2:]} >= {"/default/a/b", "/default/a", "/default", ""}


def test_across_file_systems_objects_are_copied_and_removed(
    store: FolderBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("input/a/1", "input/a/b/2", "input/c"):
        store.put(key, key.encode())
    rename, replace = Path.rename, Path.replace

    def crosses(self: Path, target: Path) -> bool:
        return ("input" in self.parts) != ("input" in Path(target).parts)

    def guarded(real):  # type: ignore[no-untyped-def]
        def call(self: Path, target: Path) -> Path:
            if crosses(self, target):
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return real(self, target)

        return call

    monkeypatch.setattr(Path, "rename", guarded(rename))
    monkeypatch.setattr(Path, "replace", guarded(replace))
    store.move("input/a", "inferred/1")
    store.move("input/c", "inferred/2/000001")
    assert files(root) == ["default/inferred/1/1", "default/inferred/1/b/2", "default/inferred/2/000001"]
    assert store.get("inferred/1/b/2") == b"input/a/b/2"
