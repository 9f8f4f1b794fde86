"""What every store that takes objects in parts keeps: any order, again, checked, whole or not at all."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.aws.routes import RoutedBlobStore
from bedside.adapters.local.blobs import FolderBlobStore
from bedside.domain.tenant import TenantBuckets
from bedside.errors import Incomplete, NotFound
from bedside.ports import BlobStore
from bedside.ports.parts import Part, ReceivedParts, SignedParts, StoredPart, UploadParts
from clouds import Cloud

#: The least that S3 takes.
PART = 5 * 2**20
KEY = "input/u1.zip"


class Store(BlobStore, UploadParts):
    """What the tests ask of both."""


def _folder(request: pytest.FixtureRequest, tmp: Path) -> BlobStore:
    return FolderBlobStore(tmp / "store")


def _s3(request: pytest.FixtureRequest, tmp: Path) -> BlobStore:
    cloud: Cloud = request.getfixturevalue("cloud")
    return S3BlobStore(Bucket(name=cloud.bucket(), prefix="hospital/"))


def _routed(request: pytest.FixtureRequest, tmp: Path) -> BlobStore:
    cloud: Cloud = request.getfixturevalue("cloud")
    own = TenantBuckets(input=cloud.bucket(), output=cloud.bucket())
    return RoutedBlobStore(S3BlobStore(Bucket(name=cloud.bucket())), lambda _: own)


STORES: dict[str, Callable[[pytest.FixtureRequest, Path], BlobStore]] = {
    "folder": _folder,
    "s3": _s3,
    "routed-apart": _routed,
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = STORES[request.param](request, tmp_path)  # type: ignore[assignment]
    return made


def content(last_bytes: int = 1000) -> list[bytes]:
    return [bytes([65 + n]) * PART for n in range(2)] + [b"Z" * last_bytes]


def part_of(pieces: list[bytes], number: int) -> Part:
    offset = sum(len(piece) for piece in pieces[: number - 1])
    data = pieces[number - 1]
    return Part(
        number=number,
        offset_bytes=offset,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def all_of(pieces: list[bytes]) -> list[Part]:
    return [part_of(pieces, n) for n in range(1, len(pieces) + 1)]


def send(store: Store, ticket: str, part: Part, data: bytes) -> None:
    """Send a part as a browser does: through us, or to where the store says."""
    if isinstance(store, ReceivedParts):
        with store.receive_part(KEY, ticket, part) as sink:
            for at in range(0, len(data), 100_000):
                sink.write([data[at : at + 50_000], memoryview(data)[at + 50_000 : at + 100_000]])
            assert sink.finish().sha256 == part.sha256
        return
    assert isinstance(store, SignedParts)
    signed = store.presign_part(KEY, ticket, part, 600)
    assert signed.url.startswith(f"{store.origin(KEY)}/") and ticket not in repr(signed)
    assert httpx.put(signed.url, content=data, headers=dict(signed.headers)).status_code == 200


def test_parts_in_any_order_and_again_become_one_object(store: Store) -> None:
    pieces = content()
    ticket = store.begin_parts(KEY)
    assert list(store.stored_parts(KEY, ticket)) == []
    for number in (3, 1, 2, 1):
        send(store, ticket, part_of(pieces, number), pieces[number - 1])
    found = store.stored_parts(KEY, ticket)
    assert [(p.number, p.size_bytes) for p in found] == [(1, PART), (2, PART), (3, 1000)]
    assert all(p.sha256 in ("", hashlib.sha256(pieces[p.number - 1]).hexdigest()) for p in found)
    assert [blob.key for blob in store.list("")] == []
    store.complete_parts(KEY, ticket, all_of(pieces))
    assert store.get(KEY) == b"".join(pieces)
    assert [blob.key for blob in store.list("")] == [KEY]
    with pytest.raises(NotFound):
        store.stored_parts(KEY, ticket)
    with pytest.raises(NotFound):
        store.complete_parts(KEY, ticket, all_of(pieces))
    store.abort_parts(KEY, ticket)
    assert store.get(KEY) == b"".join(pieces)


def test_completing_says_which_parts_are_missing(store: Store) -> None:
    pieces = content()
    ticket = store.begin_parts(KEY)
    send(store, ticket, part_of(pieces, 2), pieces[1])
    with pytest.raises(Incomplete, match="2 of 3 parts are missing: 1, 3") as caught:
        store.complete_parts(KEY, ticket, all_of(pieces))
    assert caught.value.missing == (1, 3) and store.stat(KEY) is None
    for number in (1, 3):
        send(store, ticket, part_of(pieces, number), pieces[number - 1])
    store.complete_parts(KEY, ticket, all_of(pieces))
    assert store.get(KEY) == b"".join(pieces)


def test_a_part_is_replaced_by_another_content(store: Store) -> None:
    pieces = content()
    ticket = store.begin_parts(KEY)
    for number in (1, 2, 3):
        send(store, ticket, part_of(pieces, number), pieces[number - 1])
    pieces[1] = b"other" * (PART // 5)
    send(store, ticket, part_of(pieces, 2), pieces[1])
    store.complete_parts(KEY, ticket, all_of(pieces))
    assert store.get(KEY) == b"".join(pieces)


def test_what_is_given_up_leaves_nothing(store: Store) -> None:
    pieces = content()
    ticket = store.begin_parts(KEY)
    send(store, ticket, part_of(pieces, 1), pieces[0])
    store.abort_parts(KEY, ticket)
    store.abort_parts(KEY, ticket)
    with pytest.raises(NotFound):
        store.stored_parts(KEY, ticket)
    with pytest.raises(NotFound):
        store.complete_parts(KEY, ticket, all_of(pieces))
    assert list(store.list("")) == []


def test_another_tenant_knows_nothing_of_it(store: Store) -> None:
    ticket = store.begin_parts(KEY)
    other: Store = store.tenant("other")  # type: ignore[assignment]
    if not isinstance(store, FolderBlobStore):
        pytest.skip("moto looks at the number of an upload alone, S3 at its key too")
    with pytest.raises(NotFound):
        other.stored_parts(KEY, ticket)


def test_many_parts_are_sent_at_once(store: Store) -> None:
    pieces = content()
    ticket = store.begin_parts(KEY)
    # moto fails where the same one comes twice at once; S3 takes the last.
    numbers = (1, 2, 3) * (2 if isinstance(store, FolderBlobStore) else 1)
    threads = [
        threading.Thread(target=send, args=(store, ticket, part_of(pieces, n), pieces[n - 1]))
        for n in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.complete_parts(KEY, ticket, all_of(pieces))
    assert store.get(KEY) == b"".join(pieces)


def test_stored_parts_are_told_by_number(store: Store) -> None:
    pieces = content(1)
    ticket = store.begin_parts(KEY)
    send(store, ticket, part_of(pieces, 3), pieces[2])
    assert [
        StoredPart(number=p.number, size_bytes=p.size_bytes, sha256="")
        for p in store.stored_parts(KEY, ticket)
    ] == [StoredPart(number=3, size_bytes=1, sha256="")]
