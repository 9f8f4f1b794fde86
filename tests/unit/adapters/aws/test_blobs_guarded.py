"""The bucket's store where signatures and policies are checked: what docs/aws.md permits is enough."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.parts import CHECKSUM_HEADER
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.transfers import MIB, S3Options
from bedside.errors import Unavailable
from bedside.ports.parts import Part
from guarded_cloud import ROOT, GuardedCloud, run_ministack

BUCKET = "bedside-guarded"
ON_BUCKET = ("s3:ListBucket", "s3:ListBucketMultipartUploads")
ON_OBJECTS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)

As = Callable[[tuple[str, str]], S3BlobStore]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCloud]:
    with run_ministack(tmp_path_factory.mktemp("ministack")) as cloud:
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        yield cloud


@pytest.fixture
def as_(guarded: GuardedCloud, monkeypatch: pytest.MonkeyPatch) -> As:
    """Give the store of whoever has these keys."""

    def store(keys: tuple[str, str]) -> S3BlobStore:
        for name, value in guarded.environment(keys).items():
            monkeypatch.setenv(name, value)
        made = S3BlobStore(Bucket(name=BUCKET), "ward-3", S3Options(part_bytes=5 * MIB, threads=4))
        made._client()  # reads the environment now
        return made

    return store


def policy(without: str = "") -> Mapping[str, Sequence[str]]:
    arn = f"arn:aws:s3:::{BUCKET}"
    wanted = {arn: ON_BUCKET, f"{arn}/*": ON_OBJECTS}
    return {on: [action for action in actions if action != without] for on, actions in wanted.items()}


def test_a_signed_url_is_for_one_object_of_one_length(as_: As) -> None:
    store = as_(ROOT)
    url = store.presign_put("input/study one.zip", 60, size_bytes=5)
    assert httpx.put(url, content=b"longer than that").status_code == 403
    assert httpx.put(url.replace("study", "other"), content=b"study").status_code == 403
    assert httpx.put(url.replace("ward-3", "ward-4"), content=b"study").status_code == 403
    assert list(store.list("")) == []
    assert httpx.put(url, content=b"study").status_code == 200
    read = store.presign_get("input/study one.zip", 60)
    assert httpx.get(read).content == b"study"
    assert httpx.get(read.partition("?")[0]).status_code == 403
    assert httpx.put(read, content=b"study").status_code == 403
    store.delete("input/study one.zip")


def test_a_signed_part_is_for_one_content(guarded: GuardedCloud, as_: As) -> None:
    keys = guarded.user("portal")
    guarded.permit("portal", policy())
    store, key = as_(keys), "input/u1.zip"
    ticket = store.begin_parts(key)
    data = [os.urandom(5 * MIB), b"the end"]
    parts = [
        Part(
            number=n,
            offset_bytes=(n - 1) * 5 * MIB,
            size_bytes=len(piece),
            sha256=hashlib.sha256(piece).hexdigest(),
        )
        for n, piece in enumerate(data, 1)
    ]
    for part, piece in zip(parts, data, strict=True):
        signed = store.presign_part(key, ticket, part, 60)
        other = {CHECKSUM_HEADER: base64.b64encode(hashlib.sha256(b"other").digest()).decode()}
        assert httpx.put(signed.url, content=piece, headers=other).status_code == 403
        assert httpx.put(signed.url, content=piece + b"!", headers=signed.headers).status_code == 403
        assert httpx.put(signed.url.replace("ward-3", "ward-4"), content=piece).status_code == 403
        assert httpx.put(signed.url, content=piece, headers=signed.headers).status_code == 200
    assert [part.number for part in store.stored_parts(key, ticket)] == [1, 2]
    store.complete_parts(key, ticket, parts)
    assert store.get(key) == b"".join(data)
    store.delete(key)


def test_an_object_that_is_replaced_before_it_is_copied_does_not_move(as_: As) -> None:
    store = as_(ROOT)  # moto copies whatever lies there
    store.put("input/x.zip", b"first")

    def replace(**_: object) -> None:
        store._client().meta.events.unregister("before-call.s3.CopyObject", replace)
        store.put("input/x.zip", b"second")

    store._client().meta.events.register("before-call.s3.CopyObject", replace)
    with pytest.raises(Unavailable, match="changed by others meanwhile"):
        store.move("input/x.zip", "inferred/1.zip")
    assert store.get("input/x.zip") == b"second"
    assert store.stat("inferred/1.zip") is None
    store.move("input/x.zip", "inferred/1.zip")  # the retry
    assert [blob.key for blob in store.list("")] == ["inferred/1.zip"]
    assert store.get("inferred/1.zip") == b"second"
    store.delete("inferred/1.zip")


def test_what_the_documentation_permits_is_enough(
    guarded: GuardedCloud, as_: As, tmp_path: Path, repository: Path
) -> None:
    documented = (repository / "docs" / "aws.md").read_text()
    assert all(f"`{action}`" in documented for action in (*ON_BUCKET, *ON_OBJECTS))
    keys = guarded.user("worker")
    guarded.permit("worker", policy())
    store = as_(keys)
    big = tmp_path / "big"
    big.write_bytes(os.urandom(11 * MIB))
    store.put_files({"input/x/1": big, "input/x/2": big})
    store.put("work/a", b"a")
    assert store.stat("input/nothing") is None
    store.move("input/x", "inferred/y")
    store.fetch("inferred/y/2", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    with store.open("inferred/y/1") as stream:
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == big.read_bytes()[-5:]
    assert [blob.key for blob in store.list("")] == ["inferred/y/1", "inferred/y/2", "work/a"]
    guarded.client("s3").create_multipart_upload(Bucket=BUCKET, Key="input/ward-3/left")
    assert store.sweep() == 0
    assert store.sweep(older_s=-60) == 1
    for blob in store.list(""):
        store.delete(blob.key)
    assert store.check().startswith(f"s3://{BUCKET} answers")


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("s3:ListBucket", lambda store: list(store.list("input/"))),
        ("s3:ListBucket", lambda store: store.check()),
        ("s3:ListBucketMultipartUploads", lambda store: store.sweep()),
        ("s3:GetObject", lambda store: store.get("input/Meitner.zip")),
        ("s3:GetObject", lambda store: store.open("input/Meitner.zip")),
        ("s3:PutObject", lambda store: store.put("input/Meitner.zip", b"")),
        ("s3:PutObject", lambda store: store.move("input/Meitner.zip", "inferred/1")),
        ("s3:DeleteObject", lambda store: store.delete("input/Meitner.zip")),
    ],
)
def test_each_permission_that_is_missing_is_named(
    guarded: GuardedCloud, as_: As, missing: str, call: Callable[[S3BlobStore], object]
) -> None:
    as_(ROOT).put("input/Meitner.zip", b"study")
    name = f"without-{os.urandom(4).hex()}"
    keys = guarded.user(name)
    guarded.permit(name, policy(without=missing))
    with pytest.raises(Unavailable) as caught:
        call(as_(keys))
    assert missing in caught.value.message
    assert missing in caught.value.hint
    assert "Meitner" not in f"{caught.value.message} {caught.value.hint}"
