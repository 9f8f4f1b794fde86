"""What every feed keeps: things are told whole, when they stopped changing or their sender says so."""

import inspect
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.feed import FeedOptions, SqsFeed
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.queue import SqsQueue
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.local.feed import FolderFeed
from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.feed import MemoryFeed
from bedside.config import FileSetSettings
from bedside.ports import ArrivalFeed, BlobStore, Dropped
from bedside.worker.dropbox import DropboxWatch
from clouds import Cloud

RECORDING = FileSetSettings(name="recording", patterns=("*.mp4", "*.hpf"), pipeline="video")
QUIET_S = 5.0


@dataclass
class Box:
    """A drop-box, the feed that watches it and the clock."""

    feed: ArrivalFeed
    store: BlobStore
    clock: ManualClock
    write: Callable[[str, str, bytes], None]

    def drop(self, name: str, data: bytes = b"x", tenant: str = "default") -> None:
        self.write(tenant, name, data)

    def ready(self, tenant: str = "default") -> dict[str, Dropped]:
        return {d.key: d for d in self.feed.ready(tenant)}

    def after(self, seconds: float, tenant: str = "default") -> dict[str, Dropped]:
        """Look once now, wait, and look again."""
        self.ready(tenant)
        self.clock.advance(seconds)
        return self.ready(tenant)


def folder_box(tmp: Path, _request: pytest.FixtureRequest) -> Box:
    clock = ManualClock()

    def write(tenant: str, name: str, data: bytes) -> None:
        path = tmp / tenant / "input" / name  # as a person's copy does, not through the store
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return Box(FolderFeed(tmp, QUIET_S, clock, [RECORDING]), FolderBlobStore(tmp), clock, write)


def memory_box(_tmp: Path, _request: pytest.FixtureRequest) -> Box:
    clock, store = ManualClock(), MemoryBlobStore()

    def write(tenant: str, name: str, data: bytes) -> None:
        store.tenant(tenant).put(f"input/{name}", data)

    return Box(MemoryFeed(store, QUIET_S, clock, [RECORDING]), store, clock, write)


def sqs_box(_tmp: Path, request: pytest.FixtureRequest) -> Box:
    cloud: Cloud = request.getfixturevalue("cloud")
    clock, bucket = ManualClock(), Bucket(name=cloud.bucket(), prefix="hospital/")
    queue = cloud.queue(announces=bucket.name, prefix="hospital/input/")
    store, s3 = S3BlobStore(bucket), cloud.client("s3")

    def write(tenant: str, name: str, data: bytes) -> None:
        s3.put_object(Bucket=bucket.name, Key=f"hospital/input/{tenant}/{name}", Body=data)

    feed = SqsFeed(
        queues=[SqsQueue(queue, beats=False)],
        bucket=bucket,
        watch=DropboxWatch(store, QUIET_S, clock, [RECORDING]),
        tenants=["default", "alpha", "beta"],
        hint_done=lambda _hint: True,
        clock=clock,
        options=FeedOptions(poll_s=0, wait_s=0),
    )
    return Box(feed, store, clock, write)


@pytest.fixture(params=[folder_box, memory_box, sqs_box])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return request.param(tmp_path, request)


def a_zip(size: int = 10) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", os.urandom(size))
    return stream.getvalue()


def test_an_empty_drop_box_has_nothing(box: Box) -> None:
    assert box.after(100) == {}


def test_a_zip_is_ready_when_quiet_and_until_it_is_moved_away(box: Box) -> None:
    box.drop("one.zip", a_zip())
    assert box.ready() == {}
    assert box.after(4.9) == {}
    box.clock.advance(0.2)
    (dropped,) = box.ready().values()
    assert (dropped.key, dropped.parts) == ("input/one.zip", ("input/one.zip",))
    assert box.ready() == {dropped.key: dropped}
    box.store.move("input/one.zip", "inferred/1/000001.zip")
    assert box.ready() == {}


def test_a_slow_upload_is_not_taken_half_written(box: Box) -> None:
    whole = os.urandom(1000)
    for size in range(0, 1000, 100):
        box.drop("one.dcm", whole[:size])
        assert box.after(4) == {}
    box.drop("one.dcm", whole)
    assert box.after(5)


def test_a_zip_whose_upload_stalls_is_waited_for_and_given_up_at_last(box: Box) -> None:
    whole = a_zip(1000)
    box.drop("one.zip", whole[:600])
    assert box.after(20) == {}
    box.drop("one.zip", whole)
    assert box.after(5)
    box.drop("two.zip", whole[:600])
    assert "input/two.zip" not in box.after(20)
    box.clock.advance(60)
    assert "input/two.zip" in box.ready()  # unpacking will say what is wrong


def test_something_that_is_no_zip_under_a_zips_name_is_not_waited_for(box: Box) -> None:
    box.drop("one.zip", b"hello")
    assert box.after(5)


def test_a_folder_is_one_thing_once_all_of_it_is_quiet(box: Box) -> None:
    box.drop("study/series 1/1.dcm")
    box.ready()
    box.clock.advance(4)
    box.drop("study/series 1/2.dcm")
    assert box.after(4) == {}
    box.clock.advance(1)
    (dropped,) = box.ready().values()
    assert dropped.key == "input/study"
    assert dropped.parts == ("input/study/series 1/1.dcm", "input/study/series 1/2.dcm")


def test_loose_files_that_came_together_are_one_thing(box: Box) -> None:
    for n in range(3):
        box.drop(f"{n}.dcm")
        assert box.after(3) == {}
    box.drop("other.zip", a_zip())
    ready = box.after(5)
    assert sorted(ready) == ["input/*", "input/other.zip"]
    assert ready["input/*"].parts == ("input/0.dcm", "input/1.dcm", "input/2.dcm")


def test_the_fingerprint_changes_with_the_content_only(box: Box) -> None:
    box.drop("study/1.dcm", b"a")
    first = box.after(5)["input/study"].fingerprint
    box.drop("study.complete", b"")
    box.drop("study/.complete", b"")
    box.drop("study/Thumbs.db", b"")
    assert box.after(5)["input/study"].fingerprint == first
    box.drop("study/1.dcm", b"ab")
    second = box.after(5)["input/study"].fingerprint
    box.drop("study/2.dcm")
    assert len({first, second, box.after(5)["input/study"].fingerprint}) == 3


def test_a_sender_says_that_it_is_complete(box: Box) -> None:
    box.drop("one.zip", a_zip())
    box.drop("study/1.dcm")
    box.drop("loose.dcm")
    box.drop("waiting.zip", a_zip())
    assert box.ready() == {}
    for marker in ("one.zip.complete", "study/.complete", ".complete"):
        box.drop(marker, b"")
    assert sorted(box.ready()) == ["input/*", "input/one.zip", "input/study"]


def test_a_marker_announces_a_file_set_too(box: Box) -> None:
    for name in ("a.mp4", "a.hpf", "b.mp4", "b.hpf", "c/d.mp4", "c/d.hpf"):
        box.drop(name)
    assert box.ready() == {}
    box.drop("a.complete", b"")
    box.drop("c/.complete", b"")
    assert sorted(box.ready()) == ["input/a.*", "input/c/d.*"]


def test_a_marker_beside_a_folder_counts_too_and_alone_is_nothing(box: Box) -> None:
    box.drop("study.complete", b"")
    assert box.after(100) == {}
    box.drop("study/1.dcm")
    assert list(box.ready()) == ["input/study"]


@pytest.mark.parametrize(
    "name",
    [".hidden.dcm", "x.part", "x.dcm.PART", "x.tmp", "x.zip.crdownload", "x.filepart", "~x.dcm", "x.dcm~",
     ".1.dcm.Xy3kQ2", ".DS_Store", "Thumbs.db", "__MACOSX/x.dcm", "study/.hidden", "study/x.partial"],
)  # fmt: skip
def test_names_of_copies_under_way_and_of_junk_are_nothing(box: Box, name: str) -> None:
    box.drop(name)
    assert box.after(100) == {}


def test_a_folder_waits_for_a_copy_under_way_in_it(box: Box) -> None:
    box.drop("study/1.dcm")
    for size in range(1, 10):
        box.drop("study/.2.dcm.Xy3kQ2", b"x" * size)  # rsync, one large file
        assert box.after(4) == {}
    assert list(box.after(5)) == ["input/study"]  # it stands still: left over by a broken copy


def test_a_file_set_waits_for_every_file_of_the_same_stem(box: Box) -> None:
    box.drop("rec 1.mp4")
    box.drop("rec 2.hpf")
    assert box.after(1000) == {}
    box.drop("rec 1.HPF")
    assert box.ready() == {}
    (dropped,) = box.after(5).values()
    assert dropped.key == "input/rec 1.*"
    assert dropped.parts == ("input/rec 1.HPF", "input/rec 1.mp4")


def test_file_sets_in_folders_and_dicom_beside_them_are_told_apart(box: Box) -> None:
    for name in ("a/rec.mp4", "a/rec.hpf", "b/rec.mp4", "b/rec.hpf", "b/1.dcm", "loose.dcm"):
        box.drop(name)
    assert sorted(box.after(5)) == ["input/*", "input/a/rec.*", "input/b", "input/b/rec.*"]


def test_a_restarted_feed_waits_again(box: Box, tmp_path: Path) -> None:
    box.drop("1.dcm")
    assert box.after(5)
    again = FolderFeed(tmp_path, QUIET_S, box.clock) if isinstance(box.feed, FolderFeed) else None
    assert again is None or again.ready("default") == []


def test_a_clock_set_forward_takes_nothing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.drop("1.dcm")
    box.ready()
    far = box.clock.now().replace(year=2050)
    monkeypatch.setattr(box.clock, "now", lambda: far)
    assert box.ready() == {}


def test_tenants_have_their_own_drop_boxes(box: Box) -> None:
    box.drop("1.dcm", tenant="alpha")
    assert box.after(5, "beta") == {}
    assert box.after(5, "alpha")
    assert box.ready("beta") == {}


def test_a_thing_that_was_taken_or_postponed_is_told_again_when_it_changed(box: Box) -> None:
    box.drop("study/1.dcm", b"a")
    first = box.after(5)["input/study"]
    box.feed.taken("default", first)
    box.drop("study/2.dcm", b"b")
    second = box.after(5)["input/study"]
    assert second.parts == ("input/study/1.dcm", "input/study/2.dcm")
    box.feed.postponed("default", second, 30)
    box.drop("study/3.dcm", b"c")
    assert len(box.after(5)["input/study"].parts) == 3


@pytest.mark.parametrize("adapter", [FolderFeed, MemoryFeed, SqsFeed, DropboxWatch])
@pytest.mark.parametrize("method", ["ready", "taken", "postponed", "close"])
def test_signatures_are_the_ports(adapter: type, method: str) -> None:
    assert inspect.signature(getattr(adapter, method)) == inspect.signature(getattr(ArrivalFeed, method))
