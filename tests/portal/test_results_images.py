"""The images of a result for browsers: prepared once, packed on the way, and refused with a reason."""

import gzip
import threading
import time

import numpy as np
import pytest
import zstandard

from bedside.ports.audit import AuditFilter
from bedside.viewing import images as images_module
from portal_results import TENANT, ResultSite
from portal_site import Site


def described(results: Site, api: str) -> dict[str, object]:
    """Ask until the images are there."""
    for _ in range(200):
        answer = results.client.get(f"{api}/images")
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            return answer.json()
        time.sleep(0.05)
    raise AssertionError("the images were never there")


def test_images_are_those_that_the_model_read_with_its_mask(read_only: ResultSite) -> None:
    about = described(read_only, read_only.api)
    phantom = read_only.made.phantom
    assert about["shape"] == list(phantom.array.shape) and about["unit"] == "HU"
    np.testing.assert_allclose(about["affine"], phantom.affine, atol=1e-3)
    (spleen,) = about["labels"]
    assert (
        spleen["name"] == "spleen"
        and spleen["voxels"]
        == read_only.client.get(read_only.api).json()["document"]["measurements"][0]["voxels"]
    )
    (level,) = about["levels"]
    data = b"".join(
        read_only.client.get(f"{read_only.api}/images/levels/0/{n}").content for n in range(level["slabs"])
    )
    voxels = phantom.array.size
    np.testing.assert_array_equal(
        np.frombuffer(data, "<i2", voxels).reshape(phantom.array.shape), phantom.array
    )
    mask = np.frombuffer(data, "u1", voxels, 2 * voxels).reshape(phantom.array.shape) == spleen["value"]
    truth = phantom.masks == phantom.labels["spleen"]
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.85


def test_they_are_packed_as_the_browser_takes_them(read_only: ResultSite) -> None:
    described(read_only, read_only.api)
    address = f"{read_only.api}/images/levels/0/0"

    def raw(accepted: str) -> tuple[str, bytes]:
        with read_only.client.stream("GET", address, headers={"Accept-Encoding": accepted}) as answer:
            return answer.headers.get("content-encoding", ""), b"".join(answer.iter_raw())

    _, plain = raw("identity")
    kind, packed = raw("gzip, deflate, br, zstd")
    assert kind == "zstd" and zstandard.ZstdDecompressor().decompress(packed) == plain
    kind, packed = raw("gzip;q=0.8, zstd;q=0")
    assert kind == "gzip" and gzip.decompress(packed) == plain
    assert len(packed) < len(plain) * 0.7
    whole = read_only.client.get(f"{read_only.api}/images/images.nii").content
    assert whole[344:347] == b"n+1" and len(whole) == 352 + 2 * read_only.made.phantom.array.size
    with read_only.client.stream(
        "GET", f"{read_only.api}/images/labels.nii", headers={"Accept-Encoding": "gzip"}
    ) as answer:
        assert len(gzip.decompress(b"".join(answer.iter_raw()))) == 352 + read_only.made.phantom.array.size


def test_what_is_not_there_is_not_found(read_only: ResultSite) -> None:
    described(read_only, read_only.api)
    for path in (
        "levels/9/0",
        "levels/0/99",
        "levels/-1/0",
        "planes/axial/40",
        "planes/coronal/-1",
        "images.nii?level=7",
    ):
        assert read_only.client.get(f"{read_only.api}/images/{path}").status_code == 404, path
    assert read_only.client.get(f"{read_only.api}/images/planes/oblique/1").status_code == 422
    plane = read_only.client.get(f"{read_only.api}/images/planes/sagittal/48")
    assert len(plane.content) == 40 * 96 * 3


def test_who_comes_too_early_is_told_how_far_it_is_and_one_study_is_read_at_a_time(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), []
    real = images_module.build

    def slow(*arguments: object) -> object:
        begun.append(1)
        go.wait(10)
        return real(*arguments)

    monkeypatch.setattr(images_module, "build", slow)
    monkeypatch.setattr("bedside.portal.results.images.PATIENCE_S", 0.05)
    try:
        for _ in range(3):
            answer = results.client.get(f"{results.api}/images")
            assert answer.status_code == 202 and 0 <= answer.json()["progress"] < 1
            assert answer.headers["retry-after"] == "1"
        for part in ("levels/0/0", "planes/axial/3", "labels.nii"):
            assert results.client.get(f"{results.api}/images/{part}").status_code == 202
    finally:
        go.set()
    described(results, results.api)
    assert begun == [1]


def test_more_than_a_few_do_not_wait(results: ResultSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "MOST_WAITING", 0)
    answer = results.client.get(f"{results.api}/images")
    assert answer.status_code == 503 and "ask again" in answer.json()["detail"]


def test_they_are_kept_below_work_and_found_again(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    described(results, results.api)
    kept = list((results.deployment.scratch / "viewing" / TENANT).glob("*/images.raw"))
    assert len(kept) == 1
    monkeypatch.setattr(images_module, "build", lambda *_: pytest.fail("they were prepared again"))
    described(results, results.api)
    assert not list((results.deployment.scratch / "viewing" / TENANT).glob(".making-*"))


def test_a_study_that_is_gone_or_broken_is_refused_with_its_reason(results: ResultSite) -> None:
    store = results.deployment.blobs.tenant(TENANT)
    arrival = results.deployment.ledger.arrival(TENANT, results.made.arrival_id)
    store.delete(arrival.files[0].key)
    answer = asked(results)
    assert answer.status_code == 404 and "not in the store any more" in answer.json()["detail"]


def test_a_broken_segmentation_is_refused_and_said_again_without_reading(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = results.deployment.blobs.tenant(TENANT)
    key = f"{results.job.prefix}/dicom/seg.dcm"
    store.put(key, store.get(key)[:20_000])
    answer = asked(results)
    assert answer.status_code == 422 and "segmentation" in answer.json()["detail"]
    assert "PHANTOM" not in answer.text
    monkeypatch.setattr(images_module, "build", lambda *_: pytest.fail("it was read again"))
    assert results.client.get(f"{results.api}/images").status_code == 422


def asked(results: ResultSite):
    """Ask until there is an answer."""
    for _ in range(200):
        answer = results.client.get(f"{results.api}/images")
        if answer.status_code != 202:
            return answer
        time.sleep(0.05)
    raise AssertionError("no answer")


def test_who_takes_voxels_without_asking_what_they_are_stands_in_the_trail(results: ResultSite) -> None:
    described(results, results.api)
    audit = results.deployment.records.audit

    def noted() -> list[str]:
        before = results.api.rpartition("/")[2]
        every = audit.walk(AuditFilter(object=before), after=first)
        return [f"{r.deed.action} {r.deed.detail.get('part') or r.deed.detail['file']}" for r in every]

    head = audit.head()
    first = head.number if head else 0
    for part in ("levels/0/0", "levels/0/0", "planes/axial/3", "planes/sagittal/9999"):
        results.client.get(f"{results.api}/images/{part}")
    assert noted() == ["result.viewed images"]
    for kind in ("images", "labels"):
        assert results.client.get(f"{results.api}/images/{kind}.nii").status_code == 200
    assert noted()[1:] == ["result.downloaded images.nii", "result.downloaded labels.nii"]
