"""Files of a result: one, a range, all as a ZIP; and nothing else."""

import hashlib
import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bedside.portal.results.files import range_of, type_of
from bedside.viewing.zipped import Packed, zip_of
from portal_results import TENANT, ResultSite

SEG = "/files/dicom/seg.dcm"


def test_a_file_is_given_whole_marked_by_its_hash_and_named_without_a_patient(read_only: ResultSite) -> None:
    answer = read_only.client.get(read_only.api + SEG)
    assert answer.status_code == 200
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["cache-control"] == "no-store"
    assert (
        answer.headers["content-disposition"]
        == f'attachment; filename="{read_only.made.job_id[:12]}-seg.dcm"'
    )
    again = read_only.client.get(read_only.api + SEG, headers={"If-None-Match": f'W/"x", "{digest}"'})
    assert (again.status_code, again.content) == (304, b"")
    about = read_only.client.head(read_only.api + SEG)
    assert (about.status_code, about.content) == (200, b"")
    assert about.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None), ("bytes=5-5", 5, 6)],
)
def test_a_range_is_given_alone(read_only: ResultSite, wanted: str, start: int, end: int | None) -> None:
    whole = read_only.client.get(read_only.api + SEG).content
    part = read_only.client.get(read_only.api + SEG, headers={"Range": wanted})
    assert part.status_code == 206
    assert part.content == whole[start:end]
    first = start % len(whole)
    assert part.headers["content-range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(whole)}"


def test_ranges_that_lie_outside_are_refused_and_odd_ones_ignored(read_only: ResultSite) -> None:
    whole = read_only.client.get(read_only.api + SEG).content
    outside = read_only.client.get(read_only.api + SEG, headers={"Range": f"bytes={len(whole)}-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == f"bytes */{len(whole)}"
    for odd in ("bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,5-6"):
        assert read_only.client.get(read_only.api + SEG, headers={"Range": odd}).status_code == 200
    changed = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert read_only.client.get(read_only.api + SEG, headers=changed).status_code == 200
    assert range_of("bytes=-0", 10) == (0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "../../../../ledger.db",
        "..%2F..%2F..%2F..%2Fledger.db",
        "%2e%2e/result.json",
        "/etc/passwd",
        "dicom%2F..%2Fresult.json",
        "dicom",
        "",
        "dicom/seg.dcm%00.png",
        "..\\..\\ledger.db",
    ],
)
def test_nothing_but_the_results_files_can_be_named(read_only: ResultSite, path: str) -> None:
    answer = read_only.client.get(f"{read_only.api}/files/{path}")
    assert answer.status_code == 404
    assert b"SQLite" not in answer.content and b"root:" not in answer.content


def test_all_files_come_as_one_zip(read_only: ResultSite) -> None:
    answer = read_only.client.get(f"{read_only.api}/archive.zip")
    name = f"result-{read_only.made.job_id[:12]}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        listed = [file["path"] for file in read_only.client.get(read_only.api).json()["files"]]
        assert names == [f"{name}/{path}" for path in [*listed, "result.json"]]
        store = read_only.deployment.blobs.tenant(TENANT)
        for path in listed:
            assert packed.read(f"{name}/{path}") == store.get(f"{read_only.job.prefix}/{path}")


class _Long(io.RawIOBase):
    """A stream of many bytes that are never in memory at once."""

    def __init__(self, size_bytes: int) -> None:
        self.left = size_bytes

    def read(self, size: int = -1, /) -> bytes:
        given = min(self.left, size)
        self.left -= given
        return bytes(given)


class _LongStore:
    def open(self, key: str) -> _Long:
        return _Long(64 * 2**20)


def test_a_zip_is_made_piece_by_piece() -> None:
    entries = [Packed(key="a", name="result/a.png", size_bytes=64 * 2**20)]
    pieces: Iterator[bytes] = zip_of(_LongStore(), entries, at=datetime(2026, 3, 1, tzinfo=UTC))  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        total = sum(len(piece) for piece in pieces)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > 64 * 2**20
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.xhtml", "application/octet-stream"),
        ("a.js", "application/octet-stream"),
        ("noend", "application/octet-stream"),
        ("a.png", "image/png"),
        ("a.csv", "text/csv"),
        ("a.stl", "model/stl"),
    ],
)
def test_no_file_is_given_as_what_a_browser_would_run(path: str, kind: str) -> None:
    assert type_of(path) == kind
