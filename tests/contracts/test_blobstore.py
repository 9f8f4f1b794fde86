"""What every store of objects keeps: atomic, whole, ordered, and one tenant's only."""

import inspect
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.domain.tenant import TenantBuckets
from bedside.errors import NotFound, UsageError
from bedside.ports import BlobStore
from clouds import Cloud


def _s3(request: pytest.FixtureRequest, prefix: str) -> BlobStore:
    cloud: Cloud = request.getfixturevalue("cloud")
    return S3BlobStore(Bucket(name=cloud.bucket(), prefix=prefix))


def _routed(request: pytest.FixtureRequest) -> BlobStore:
    cloud: Cloud = request.getfixturevalue("cloud")
    shared = S3BlobStore(Bucket(name=cloud.bucket()))
    own = TenantBuckets(input=cloud.bucket(), output=cloud.bucket())
    return RoutedBlobStore(shared, lambda tenant: own if tenant == "default" else None)


STORES: dict[str, Callable[[pytest.FixtureRequest, Path], BlobStore]] = {
    "folder": lambda request, tmp: FolderBlobStore(tmp / "store"),
    "memory": lambda request, tmp: MemoryBlobStore(),
    "s3": lambda request, tmp: _s3(request, ""),
    "s3-prefix": lambda request, tmp: _s3(request, "hospital/one/"),
    "routed-apart": lambda request, tmp: _routed(request),
}
#: Stores without folders: a key may be an object and begin others at once.
WITHOUT_FOLDERS = {"s3", "s3-prefix", "routed-apart"}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return STORES[request.param](request, tmp_path)


def keys(store: BlobStore, prefix: str = "") -> list[str]:
    return [blob.key for blob in store.list(prefix)]


def test_an_object_comes_back_as_it_was_put(store: BlobStore, tmp_path: Path) -> None:
    store.put("results/a/b.json", b"{}")
    (tmp_path / "slice").write_bytes(b"\0" * 70_000)
    store.put_file("arrivals/x.dcm", tmp_path / "slice")
    assert store.get("results/a/b.json") == b"{}"
    with store.open("arrivals/x.dcm") as stream:
        assert stream.read(10) == b"\0" * 10
        stream.seek(69_999)
        assert stream.read() == b"\0"
    blob = store.stat("arrivals/x.dcm")
    assert blob is not None
    assert (blob.key, blob.size_bytes) == ("arrivals/x.dcm", 70_000)
    assert abs(blob.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_some_bytes_of_an_object_are_read_and_no_more_than_there_are(store: BlobStore) -> None:
    store.put("results/a/b.bin", bytes(range(100)))
    assert store.read("results/a/b.bin", 0, 1) == b"\0"
    assert store.read("results/a/b.bin", 40, 20) == bytes(range(40, 60))
    assert store.read("results/a/b.bin", 90, 20) == bytes(range(90, 100))
    assert store.read("results/a/b.bin", 100, 5) == store.read("results/a/b.bin", 1000, 5) == b""
    with pytest.raises(NotFound):
        store.read("results/a/c.bin", 0, 1)
    for offset, length in ((-1, 5), (0, 0), (0, -1)):
        with pytest.raises(UsageError):
            store.read("results/a/b.bin", offset, length)


def test_a_second_put_replaces_the_whole_object(store: BlobStore) -> None:
    store.put("k", b"a long first version")
    store.put("k", b"short")
    assert store.get("k") == b"short"
    store.put("empty", b"")
    assert store.get("empty") == b""


def test_many_files_are_put_at_once(store: BlobStore, tmp_path: Path) -> None:
    files = {}
    for n in range(50):
        (tmp_path / str(n)).write_bytes(str(n).encode())
        files[f"arrivals/files/{n % 7}/{n}.dcm"] = tmp_path / str(n)
    store.put_files(files)
    store.put_files({})
    assert all(store.get(key) == path.read_bytes() for key, path in files.items())
    assert all(path.exists() for path in files.values())
    store.put_files(files)  # again: content-addressed objects are put twice
    assert keys(store) == sorted(files)


def test_a_file_to_put_must_be_there(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        store.put_file("k", tmp_path / "nothing")
    assert keys(store) == []


def test_fetch_gives_a_new_read_only_file(store: BlobStore, tmp_path: Path) -> None:
    store.put("k", b"content")
    store.fetch("k", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"content"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o444
    store.put("k", b"later")  # what was fetched does not change
    assert (tmp_path / "out").read_bytes() == b"content"
    with pytest.raises(UsageError):
        store.fetch("k", tmp_path / "out")
    (tmp_path / "out").unlink()
    assert store.get("k") == b"later"


def test_what_is_missing_is_not_found(store: BlobStore, tmp_path: Path) -> None:
    store.put("a/b", b"")
    for key in ("nothing", "a", "a/b/c", "a/c"):
        with pytest.raises(NotFound):
            store.get(key)
        with pytest.raises(NotFound):
            store.read(key, 0, 1)
        with pytest.raises(NotFound):
            store.open(key)
        with pytest.raises(NotFound):
            store.fetch(key, tmp_path / "out")
        assert store.stat(key) is None
        store.delete(key)
    with pytest.raises(NotFound):
        store.move("nothing", "somewhere")
    assert keys(store) == ["a/b"]
    assert not (tmp_path / "out").exists()


def test_list_is_in_key_order_and_by_any_prefix(store: BlobStore) -> None:
    names = ["a-b", "a/b", "a/b-c/x", "a/b/c" + "x", "a/bb", "ab", "b/ä ö.zip", "b/z", "b/\u20ac", "a0"]
    names.remove("a/b")
    for name in names:
        store.put(name, b"")
    assert keys(store) == sorted(names)
    assert keys(store, "a/b") == sorted(n for n in names if n.startswith("a/b"))
    assert keys(store, "a/") == sorted(n for n in names if n.startswith("a/"))
    assert keys(store, "a") == sorted(n for n in names if n.startswith("a"))
    assert keys(store, "x/y/") == []
    assert keys(store, "b/z/") == []


def test_delete_removes_one_object_only(store: BlobStore) -> None:
    store.put("a/b", b"")
    store.put("a/bc", b"")
    store.delete("a/b")
    store.delete("a/b")
    assert keys(store) == ["a/bc"]


def test_move_renames_an_object(store: BlobStore) -> None:
    store.put("input/x.zip", b"zip")
    store.put("inferred/1/old", b"old")
    store.move("input/x.zip", "inferred/1/000001.zip")
    assert keys(store) == ["inferred/1/000001.zip", "inferred/1/old"]
    assert store.get("inferred/1/000001.zip") == b"zip"


def test_move_renames_everything_below_a_prefix_and_nothing_else(store: BlobStore) -> None:
    for key in ("input/a/1", "input/a/b/2", "input/ab", "input/a-b"):
        store.put(key, key.encode())
    store.move("input/a", "inferred/7")
    assert keys(store) == ["inferred/7/1", "inferred/7/b/2", "input/a-b", "input/ab"]
    assert store.get("inferred/7/b/2") == b"input/a/b/2"


def test_move_joins_what_an_interrupted_move_left(store: BlobStore) -> None:
    store.put("inferred/7/1", b"moved before")
    store.put("input/a/2", b"left")
    store.put("input/a/b/3", b"left")
    store.move("input/a", "inferred/7")
    assert keys(store) == ["inferred/7/1", "inferred/7/2", "inferred/7/b/3"]


@pytest.mark.parametrize("target", ["a", "a/b"])
def test_nothing_moves_into_itself(store: BlobStore, target: str) -> None:
    store.put("a/x", b"")
    with pytest.raises(UsageError):
        store.move("a", target)


@pytest.mark.parametrize("store", sorted(STORES.keys() - WITHOUT_FOLDERS), indirect=True)
def test_a_key_is_an_object_or_a_prefix(store: BlobStore) -> None:
    store.put("a/b", b"")
    with pytest.raises(UsageError):
        store.put("a", b"")
    with pytest.raises(UsageError):
        store.put("a/b/c", b"")
    assert keys(store) == ["a/b"]


@pytest.mark.parametrize("store", sorted(WITHOUT_FOLDERS), indirect=True)
def test_a_store_that_takes_an_object_and_a_prefix_of_one_key_keeps_both(
    store: BlobStore, tmp_path: Path
) -> None:
    store.put("a/b/c", b"below")
    store.put("a/b", b"object")
    store.put("a", b"top")
    assert keys(store) == ["a", "a/b", "a/b/c"]
    assert keys(store, "a/b") == ["a/b", "a/b/c"]
    assert [store.get(key) for key in ("a", "a/b", "a/b/c")] == [b"top", b"object", b"below"]
    store.delete("a/b")
    assert keys(store) == ["a", "a/b/c"]
    store.put("a/b", b"object")
    store.move("a/b", "m/n")  # first the object, as it stands first in any listing
    store.move("a/b", "m/n")
    assert [store.get(key) for key in ("a", "m/n", "m/n/c")] == [b"top", b"object", b"below"]
    assert keys(store) == ["a", "m/n", "m/n/c"]


BAD_KEYS = [
    "", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../other/k", "a/../../other/k", "a/./b", "a/..",
    "a\0b", "x" * 256, "ä" * 128, "a/" * 600 + "a", "a/.bedside-1-x", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS)
def test_what_is_no_key_is_refused_everywhere(store: BlobStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "f").write_bytes(b"")
    store.put("k", b"")
    calls: list[Callable[[], object]] = [
        lambda: store.put(key, b""),
        lambda: store.put_file(key, tmp_path / "f"),
        lambda: store.put_files({"fine": tmp_path / "f", key: tmp_path / "f"}),
        lambda: store.get(key),
        lambda: store.open(key),
        lambda: store.read(key, 0, 1),
        lambda: store.fetch(key, tmp_path / "out"),
        lambda: store.stat(key),
        lambda: store.move("k", key),
        lambda: store.move(key, "l"),
        lambda: store.delete(key),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert len(key) < 4 or key not in str(caught.value)
    assert keys(store) == ["k"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".work", "ä", "x" * 64, "a b", "a\n"])
def test_what_is_no_tenant_is_refused(store: BlobStore, name: str) -> None:
    with pytest.raises(UsageError):
        store.tenant(name)


def test_two_tenants_do_not_see_one_another(store: BlobStore, tmp_path: Path) -> None:
    alpha, beta = store.tenant("alpha"), store.tenant("beta")
    alpha.put("k", b"alpha's")
    alpha.put("only/alpha", b"secret")
    beta.put("k", b"beta's")
    assert (alpha.get("k"), beta.get("k")) == (b"alpha's", b"beta's")
    assert keys(beta) == ["k"]
    assert keys(alpha) == ["k", "only/alpha"]
    assert beta.stat("only/alpha") is None
    for call in (
        lambda: beta.get("only/alpha"),
        lambda: beta.fetch("only/alpha", tmp_path / "out"),
        lambda: beta.move("only/alpha", "mine"),
        lambda: beta.move("only", "mine"),
    ):
        with pytest.raises(NotFound):
            call()
    beta.delete("only/alpha")
    beta.delete("k")
    assert keys(alpha) == ["k", "only/alpha"]
    assert beta.tenant("alpha").get("k") == b"alpha's"  # tenant() alone changes whose they are


def test_readers_see_one_whole_version_while_many_write(store: BlobStore) -> None:
    versions = [bytes([n]) * 50_000 for n in range(4)]
    store.put("a/b/k", versions[0])
    wrong: list[object] = []
    done = threading.Event()

    def write(data: bytes) -> None:
        try:
            for n in range(25):
                store.put("a/b/k", data)
                store.put(f"a/{data[0]}/{n}", data)
                store.delete(f"a/{data[0]}/{n}")  # its folder goes and comes under the others
        except Exception as exc:  # noqa: BLE001 - told by the test's own thread
            wrong.append(exc)

    def read() -> None:
        while not done.is_set():
            if store.get("a/b/k") not in versions:
                wrong.append("a torn object")
            wrong.extend(blob for blob in store.list("a/") if blob.size_bytes != 50_000)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=[v]) for v in versions]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert wrong == []
    assert keys(store) == ["a/b/k"]


@pytest.mark.parametrize("adapter", [FolderBlobStore, MemoryBlobStore, S3BlobStore, RoutedBlobStore])
def test_signatures_are_the_ports(adapter: type) -> None:
    for name, method in inspect.getmembers(BlobStore, inspect.isfunction):
        if not name.startswith("_"):
            theirs, ours = inspect.signature(method), inspect.signature(getattr(adapter, name))
            assert list(theirs.parameters.values()) == list(ours.parameters.values()), name
            if name != "tenant":  # returns its own kind
                assert theirs.return_annotation == ours.return_annotation, name
