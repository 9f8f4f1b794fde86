"""What the store in a bucket does beyond the promises of every store."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedside.adapters.aws import blobs
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.transfers import MIB, S3Options
from bedside.errors import NotFound, Unavailable, UsageError
from clouds import Cloud

#: Small enough that a test's objects travel in parts; S3 takes no smaller ones.
SMALL = S3Options(part_bytes=5 * MIB, copy_bytes=6 * MIB, copy_part_bytes=5 * MIB, threads=4)


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return cloud.bucket()


@pytest.fixture
def store(bucket: str) -> S3BlobStore:
    return S3BlobStore(Bucket(name=bucket), "ward-3", SMALL)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of three parts, none like another."""
    path = tmp_path / "big"
    path.write_bytes(os.urandom(11 * MIB + 17))
    return path


class Heard:
    """Counts the requests of a store by operation, and may act before some."""

    def __init__(self, store: S3BlobStore) -> None:
        self.operations: list[str] = []
        self.before: dict[str, Any] = {}
        client = store._client()
        client.meta.events.register("before-call.s3", self._hear)

    def _hear(self, model: Any, **_: Any) -> None:
        self.operations.append(model.name)
        act = self.before.pop(model.name, None)
        if act:
            act()

    def since(self) -> list[str]:
        told, self.operations = sorted(self.operations), []
        return told


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def objects(cloud: Cloud, bucket: str) -> list[str]:
    return [o["Key"] for o in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_the_area_stands_before_the_tenant(cloud: Cloud, bucket: str, store: S3BlobStore) -> None:
    store.put("input/study.zip", b"")
    store.put("results/a/b.json", b"")
    store.put("top", b"")
    store.tenant("default").put("input/study.zip", b"")
    assert objects(cloud, bucket) == [
        ".bedside-top/ward-3/top",
        "input/default/study.zip",
        "input/ward-3/study.zip",
        "results/ward-3/a/b.json",
    ]


def test_a_big_file_travels_in_parts_and_comes_back_whole(
    cloud: Cloud, bucket: str, store: S3BlobStore, big: Path, tmp_path: Path
) -> None:
    heard = Heard(store)
    store.put_file("input/big.zip", big)
    assert heard.since() == ["CompleteMultipartUpload", "CreateMultipartUpload", *["UploadPart"] * 3]
    assert sha256(big) == hashlib.sha256(store.get("input/big.zip")).hexdigest()
    heard.since()
    store.fetch("input/big.zip", tmp_path / "back")
    assert heard.since() == ["GetObject"] * 4
    assert sha256(tmp_path / "back") == sha256(big)
    store.move("input/big.zip", "inferred/1/000001.zip")
    assert heard.since().count("UploadPartCopy") == 3
    store.fetch("inferred/1/000001.zip", tmp_path / "moved")
    assert sha256(tmp_path / "moved") == sha256(big)
    assert objects(cloud, bucket) == ["inferred/ward-3/1/000001.zip"]


def test_parts_and_objects_are_sent_with_checksums(store: S3BlobStore, big: Path, tmp_path: Path) -> None:
    told: list[bool] = []

    def hear(request: Any, **_: Any) -> None:
        told.append(any(name.lower() == "x-amz-checksum-crc32" for name in request.headers))

    store._client().meta.events.register("before-send.s3", hear)
    (tmp_path / "slice").write_bytes(b"slice")
    store.put("a/b", b"bytes")
    store.put_files({"a/c": tmp_path / "slice"})
    assert told == [True, True]
    told.clear()
    store.put_file("a/d", big)
    assert told.count(True) == 3  # its parts; the beginning and the end carry none


def test_a_small_object_is_one_request(store: S3BlobStore, tmp_path: Path) -> None:
    heard = Heard(store)
    (tmp_path / "slice").write_bytes(b"slice")
    store.put_files({"arrivals/1.dcm": tmp_path / "slice"})
    assert heard.since() == ["PutObject"]
    store.put("work/x", b"")
    assert heard.since() == ["PutObject"]
    store.fetch("arrivals/1.dcm", tmp_path / "back")
    assert heard.since() == ["GetObject"]


def test_a_fetch_that_fails_leaves_nothing(store: S3BlobStore, big: Path, tmp_path: Path) -> None:
    store.put_file("k", big)
    (tmp_path / "out").mkdir()
    heard = Heard(store)

    def replace() -> None:
        store.put("k", b"x" * (6 * MIB))

    # The first request tells size and version; the object is replaced before the second.
    heard.before["GetObject"] = lambda: heard.before.update(GetObject=replace)
    with pytest.raises(Unavailable, match="changed by others meanwhile"):
        store.fetch("k", tmp_path / "out" / "file")
    assert list((tmp_path / "out").iterdir()) == []
    store.fetch("k", tmp_path / "out" / "file")  # the retry
    assert (tmp_path / "out" / "file").read_bytes() == b"x" * (6 * MIB)


def test_a_name_that_is_taken_is_not_overwritten_by_a_fetch(store: S3BlobStore, tmp_path: Path) -> None:
    store.put("k", b"object")
    heard = Heard(store)
    heard.before["GetObject"] = lambda: (tmp_path / "out").write_bytes(b"somebody's")  # just now
    with pytest.raises(UsageError, match="exists"):
        store.fetch("k", tmp_path / "out")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("out", b"somebody's")]


def test_a_stream_reads_where_it_is_wound_to_and_no_more(store: S3BlobStore, big: Path) -> None:
    store.put_file("k", big)
    content = big.read_bytes()
    asked: list[str] = []
    store._client().meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"].get("Range", ""))
    )
    with store.open("k") as stream:
        assert stream.read(2) == content[:2]
        assert stream.seek(0, os.SEEK_END) == len(content)
        assert stream.read() == b""
        stream.seek(-22, os.SEEK_END)
        assert stream.read() == content[-22:]
        stream.seek(1000)
        assert stream.read(70_000) == content[1000:71_000]
        assert stream.tell() == 71_000
    assert len(asked) <= 4
    assert all(range_.startswith("bytes=") for range_ in asked)
    with store.open("k") as stream:
        assert stream.read() == content


def test_a_stream_never_mixes_two_versions(store: S3BlobStore) -> None:
    store.put("k", b"a" * MIB)
    with store.open("k") as stream:
        assert stream.read(1) == b"a"
        store.put("k", b"b" * MIB)
        with pytest.raises(Unavailable, match="changed by others meanwhile"):
            stream.read()


def test_a_move_that_broke_off_is_finished_by_calling_again(store: S3BlobStore) -> None:
    for number in range(20):
        store.put(f"input/a/{number:02d}", str(number).encode())
    heard = Heard(store)

    def fail() -> None:
        raise OSError("the power went")

    heard.before["DeleteObject"] = fail
    with pytest.raises(OSError, match="the power went"):
        store.move("input/a", "inferred/7")
    assert len(list(store.list("input/"))) + len(list(store.list("inferred/"))) >= 20
    store.move("input/a", "inferred/7")
    assert [blob.key for blob in store.list("")] == [f"inferred/7/{n:02d}" for n in range(20)]
    assert all(store.get(f"inferred/7/{n:02d}") == str(n).encode() for n in range(20))
    with pytest.raises(NotFound):
        store.move("input/a", "inferred/7")


@pytest.mark.parametrize("size_bytes", [4, 7 * MIB])
def test_what_is_written_under_a_name_while_it_moves_stays(store: S3BlobStore, size_bytes: int) -> None:
    old = b"1" * size_bytes
    store.put("input/x.zip", old)
    heard = Heard(store)
    heard.before["DeleteObject"] = lambda: store.put("input/x.zip", b"another")
    store.move("input/x.zip", "inferred/1/x.zip")
    assert store.get("inferred/1/x.zip") == old
    assert store.get("input/x.zip") == b"another"


def test_more_than_one_page_is_listed(store: S3BlobStore, cloud: Cloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    names = [f"{number:04d}" for number in range(1003)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=f"input/ward-3/{name}")
    assert [blob.key for blob in store.list("input/")] == [f"input/{name}" for name in names]


def test_what_others_put_and_no_key_names_is_not_listed(
    store: S3BlobStore, cloud: Cloud, bucket: str
) -> None:
    s3 = cloud.client("s3")
    for key in (
        "input/ward-3/",
        "input/ward-3/folder/",
        "input/ward-3/a//b",
        "input/ward-3/../x",
        "input/ok",
    ):
        s3.put_object(Bucket=bucket, Key=key)  # a console makes the first two for folders
    s3.put_object(Bucket=bucket, Key="input/ward-3/a +%C3%A4 ü\x01.zip", Body=b"odd")
    (blob,) = store.list("")
    assert blob.key == "input/a +%C3%A4 ü\x01.zip"
    assert store.get(blob.key) == b"odd"


def test_listing_and_looking_agree_on_an_object(store: S3BlobStore) -> None:
    store.put("input/x", b"abc")
    assert [store.stat("input/x")] == list(store.list("input/"))


def test_a_key_that_s3_takes_only_without_a_tenant_is_refused(store: S3BlobStore) -> None:
    longest = "a/" + "/".join(["x" * 200] * 5)
    assert len(longest) == 1006
    store.put(longest, b"")
    with pytest.raises(UsageError, match="with its tenant over 1024 bytes"):
        store.put(f"{longest}/{'y' * 16}", b"")


def test_unfinished_uploads_are_given_up_when_they_are_old(
    store: S3BlobStore, cloud: Cloud, bucket: str
) -> None:
    s3 = cloud.client("s3")
    for key in ("input/ward-3/a", "arrivals/default/b"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)  # moto says of each that it began in 2010
    assert store.sweep(older_s=100 * 366 * 86_400.0) == 0
    assert store.sweep() == 2
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_upload_that_fails_leaves_no_parts(
    store: S3BlobStore, cloud: Cloud, bucket: str, big: Path
) -> None:
    heard = Heard(store)

    def fail() -> None:
        raise OSError(5, "Input/output error")

    heard.before["UploadPart"] = fail
    with pytest.raises(Unavailable, match="cannot write: Input/output error"):
        store.put_file("input/big", big)
    assert "Uploads" not in cloud.client("s3").list_multipart_uploads(Bucket=bucket)
    assert objects(cloud, bucket) == []


def test_a_moment_has_whole_seconds_in_every_answer() -> None:
    listed = datetime(2026, 11, 28, 5, 6, 7, 890_000, UTC)  # some servers tell more in a listing than in HEAD
    found = blobs._found("k", 1, {"LastModified": listed, "ETag": '"x"'})
    assert found.blob.modified_at == datetime(2026, 11, 28, 5, 6, 7, tzinfo=UTC)


def test_signed_urls_put_and_get_one_object(store: S3BlobStore) -> None:
    url = store.presign_put("input/study one.zip", 60, size_bytes=5)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "content-length" in httpx.URL(url).params["X-Amz-SignedHeaders"].split(";")
    assert httpx.URL(url).params["X-Amz-Expires"] == "60"
    httpx.put(url, content=b"study").raise_for_status()
    assert store.get("input/study one.zip") == b"study"
    assert httpx.get(store.presign_get("input/study one.zip", 60)).content == b"study"
    for key in ("", "../other", "a//b"):
        with pytest.raises(UsageError):
            store.presign_put(key, 60)


def test_a_signed_url_leads_to_the_regions_own_address(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    url = httpx.URL(S3BlobStore(Bucket(name="bedside-ward")).presign_put("input/x.zip", 60))
    assert url.host == "bedside-ward.s3.eu-west-1.amazonaws.com"
    assert url.path == "/input/default/x.zip"


@pytest.fixture
def _nothing_answers(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("bedside.adapters.aws.clients._ATTEMPTS", 1)
    yield


@pytest.mark.usefixtures("_nothing_answers")
def test_a_store_out_of_reach_is_unavailable_and_names_no_object(tmp_path: Path) -> None:
    store = S3BlobStore(Bucket(name="bucket"))
    (tmp_path / "f").write_bytes(b"")
    for call in (
        lambda: store.put("input/DOE_JANE.zip", b""),
        lambda: store.put_file("input/DOE_JANE.zip", tmp_path / "f"),
        lambda: store.get("input/DOE_JANE.zip"),
        lambda: store.stat("input/DOE_JANE.zip"),
        lambda: list(store.list("input/DOE")),
        lambda: store.delete("input/DOE_JANE.zip"),
        lambda: store.fetch("input/DOE_JANE.zip", tmp_path / "out"),
    ):
        with pytest.raises(Unavailable, match="AWS was not reached") as caught:
            call()
        assert "DOE" not in f"{caught.value} {caught.value.hint}"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
