"""The page of a result: what it says, to whom, and in which state."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bedside.domain.release import Role
from bedside.phantom import make_phantom
from bedside.phantom.study import write_study
from bedside.ports.audit import AuditFilter
from portal_results import SEED, SHAPE, SPACING_MM, TENANT, ResultSite, put, read
from portal_site import ENGINEER, VIEWER, person


def trail(results: ResultSite) -> list[tuple[str, str, dict[str, str]]]:
    """Return what somebody did to results, oldest first: action, object, detail."""
    records = results.deployment.records.audit.walk(AuditFilter(action="result"))
    return [(record.deed.action, record.deed.object, dict(record.deed.detail)) for record in records]


def test_the_page_says_what_was_found_on_what_and_by_what(read_only: ResultSite) -> None:
    answer = read_only.client.get(read_only.page)
    assert answer.status_code == 200, answer.text
    document = read_only.client.get(read_only.api).json()["document"]
    spleen = document["measurements"][0]
    for shown in (
        "spleen",
        f"{spleen['volume_ml']:.1f}",
        f"{spleen['max_diameter_mm']:.1f}",
        document["release"]["digest"],
        document["release"]["version"],
        "It is what the model reads.",
        read_only.made.job_id,
        f"/t/{TENANT}/studies/{read_only.made.arrival_id}",
        f"{read_only.page}/preview.png",
        "PHANTOM-1000",
        "SYNTHETIC CT ABDOMEN",
        "running the network",
        "nobody has verified it",
    ):
        assert shown in answer.text, shown
    assert "superseded" not in answer.text and "on trial" not in answer.text
    assert str(read_only.made.folder) not in answer.text


def test_the_page_speaks_spanish(results: ResultSite) -> None:
    results.gate.language = "es"
    page = results.client.get(results.page).text
    assert "Medidas" in page and "Descargas" in page and "Preparando cortes" in page


def test_only_whoever_may_read_there_sees_a_result(read_only: ResultSite) -> None:
    for path in (read_only.page, f"{read_only.page}/preview.png", read_only.api, f"{read_only.api}/images"):
        for who in (ENGINEER, person()):
            assert read_only.asks(who).get(path).status_code == 403, path
        assert read_only.asks(VIEWER).get(path).status_code in {200, 202}, path
    elsewhere = read_only.page.replace(f"/t/{TENANT}/", "/t/ward-3/")
    both = person(*((post.role, node) for post in VIEWER.posts for node in (TENANT, "ward-3")))
    assert read_only.asks(both).get(elsewhere).status_code == 404


def test_what_somebody_saw_and_took_is_in_the_trail(results: ResultSite) -> None:
    client, job = results.client, results.made.job_id
    client.get(results.page)
    client.get(f"{results.page}/preview.png")
    client.get(f"{results.api}/files/dicom/seg.dcm")
    client.get(f"{results.api}/archive.zip")
    client.get(f"{results.api}/files/dicom/none.dcm")
    assert trail(results) == [
        ("result.viewed", job, {}),
        ("result.viewed", job, {"part": "preview"}),
        ("result.downloaded", job, {"file": "dicom/seg.dcm"}),
        ("result.downloaded", job, {"file": "archive.zip"}),
    ]


def test_the_preview_is_the_file_of_the_result(read_only: ResultSite) -> None:
    answer = read_only.client.get(f"{read_only.page}/preview.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.content == read_only.deployment.blobs.tenant(TENANT).get(
        f"{read_only.job.prefix}/preview.png"
    )


def test_a_later_version_of_the_study_supersedes_and_each_leads_to_the_other(
    results: ResultSite, tmp_path: Path
) -> None:
    phantom = make_phantom(
        SEED, shape=(SHAPE[0] + 2, *SHAPE[1:]), spacing_mm=SPACING_MM, affine=results.made.phantom.affine
    )
    paths = write_study(tmp_path / "late", phantom, seed=SEED)
    put(results.deployment, paths[-2:])
    later = next(job for job in read(results.deployment) if job.arrival_version == 2)
    old = results.client.get(results.page).text
    assert "no longer the current one" in old
    assert f'href="/t/{TENANT}/results/{later.id}"' in old and 'rel="next"' in old
    new = results.client.get(results.page.replace(results.made.job_id, later.id)).text
    assert f'rel="prev" href="{results.page}"' in new and "no longer the current one" not in new
    listing = results.api.rpartition("/")[0]
    listed = results.client.get(listing).json()["results"]
    assert [one["job_id"] for one in listed] == [later.id]
    every = results.client.get(listing, params={"superseded": True}).json()["results"]
    assert {one["job_id"] for one in every} == {later.id, results.made.job_id}
    first = results.client.get(listing, params={"superseded": True, "limit": 1}).json()
    assert (first["results"][0]["job_id"], first["more"]) == (later.id, True)
    second = results.client.get(listing, params={"superseded": True, "limit": 1, "offset": 1}).json()
    assert (second["results"][0]["job_id"], second["more"]) == (results.made.job_id, False)
    of_one = {"superseded": True, "arrival": results.made.arrival_id}
    assert len(results.client.get(listing, params=of_one).json()["results"]) == 1


def test_a_shadows_result_says_that_it_is_no_delivered_one(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = results.deployment.ledger
    shadow = replace(results.job, role=Role.SHADOW)
    monkeypatch.setattr(ledger, "job", lambda tenant, job_id: shadow)
    page = results.client.get(results.page).text
    assert "do not use it for a patient" in page and "on trial" in page
    assert '<span class="tag good">current</span>' not in page


def rewrite(results: ResultSite, **changes: object) -> None:
    """Let the result say something else of itself, as another program's would."""
    store = results.deployment.blobs.tenant(TENANT)
    key = f"{results.job.prefix}/result.json"
    document = json.loads(store.get(key)) | changes
    store.put(key, json.dumps({k: v for k, v in document.items() if v is not None}).encode())


def test_a_phantom_is_called_one(results: ResultSite) -> None:
    rewrite(results, phantom=True)
    assert "There is no patient behind it" in results.client.get(results.page).text


def test_a_strangers_result_is_shown_as_far_as_it_says_something(results: ResultSite) -> None:
    rewrite(
        results,
        measurements=None,
        series=None,
        inputs=None,
        files=[{"path": "<script>alert(1)</script>.csv", "sha256": "ab" * 32, "size_bytes": 3}],
        numbers={"nodule": 0.93, "other": None},
        compute={"machine": "g4dn.xlarge", "usd": 0.0123},
        left_aside=[{"reason": "not a DICOM file"}] * 3,
    )
    page = results.client.get(results.page).text
    for shown in ("0.9300", "0.0123 USD", "g4dn.xlarge", "3 ×", "This result has no preview", "did not say"):
        assert shown in page, shown
    assert "<script>alert" not in page
    rewrite(results, files=[], numbers={})
    page = results.client.get(results.page).text
    assert "The model gave no measurements" in page and "This result has no files" in page
    assert results.client.get(f"{results.page}/preview.png").status_code == 404


def test_a_result_that_is_not_there_is_not_found(results: ResultSite) -> None:
    assert results.client.get(results.page + "x").status_code == 404
    store = results.deployment.blobs.tenant(TENANT)
    store.delete(f"{results.job.prefix}/result.json")
    answer = results.client.get(results.api)
    assert answer.status_code == 404 and "not in the store any more" in answer.json()["detail"]


def test_the_study_may_be_gone_and_the_result_still_shown(results: ResultSite) -> None:
    store = results.deployment.blobs.tenant(TENANT)
    for file in results.deployment.ledger.arrival(TENANT, results.made.arrival_id).files:
        store.delete(file.key)
    page = results.client.get(results.page)
    assert page.status_code == 200 and "PHANTOM-1000" not in page.text and "216.1" in page.text
