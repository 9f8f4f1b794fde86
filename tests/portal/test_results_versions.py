"""Corrections on the page of a result: which version is shown, and that each can be seen and taken away."""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.judging.versions import MODEL
from bedside.portal.shell import statics
from bedside.ports.audit import AuditFilter
from portal_corrections import correct_as, shifted
from portal_results import TENANT, Made, ResultSite, result_site
from portal_site import CLINICIAN, ENGINEER, VIEWER, person


@pytest.fixture(scope="module")
def twice(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultSite]:
    """A result that was corrected twice, for tests that change nothing."""
    with result_site(made_result, tmp_path_factory.mktemp("twice")) as opened:
        correct_as(opened, "p-7", "Lin Ortiz", edit=lambda mask, frame, segment: mask[::-1] & mask)
        correct_as(opened, "p-1", "Pat", edit=shifted)
        yield opened


def versions(site: ResultSite) -> list[dict[str, object]]:
    found: list[dict[str, object]] = site.client.get(site.api).json()["versions"]
    return found


def told(page: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(re.findall(r'id="told">(.*?)</script>', page)[0])
    return found


def masks(site: ResultSite, **asked: str) -> NDArray[np.bool_]:
    """Return where the spleen is in a version, (z, y, x), as the viewer gets it."""
    about = described(site, **asked)
    (label,) = about["labels"]
    parts = [
        site.client.get(f"{site.api}/images/levels/0/{n}", params={**asked, "part": "labels"}).content
        for n in range(about["levels"][0]["slabs"])
    ]
    return np.frombuffer(b"".join(parts), "u1").reshape(about["shape"]) == label["value"]


def described(site: ResultSite, **asked: str) -> dict[str, object]:
    for _ in range(200):
        answer = site.client.get(f"{site.api}/images", params=asked)
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            return answer.json()
        time.sleep(0.05)
    raise AssertionError("they were never there")


def test_a_result_lists_its_versions_and_says_which_counts(twice: ResultSite) -> None:
    newest, older, model = versions(twice)
    assert [one["reviewer"] for one in (newest, older, model)] == ["p-1", "p-7", ""]
    assert [one["counts"] for one in (newest, older, model)] == [True, False, False]
    assert model["id"] == MODEL and model["labels"] == []
    (label,) = newest["labels"]
    assert label["label"] == "spleen" and 0.1 < label["dice"] < 0.9
    assert re.fullmatch(r"2\.25\.\d+", newest["sop_instance_uid"])


def test_the_page_shows_the_one_that_counts_and_says_so(twice: ResultSite) -> None:
    newest, older, _ = versions(twice)
    page = twice.client.get(twice.page).text
    choice = page[page.index('<nav class="masks') : page.index("</nav>", page.index('<nav class="masks'))]
    shown = choice[: choice.index("Also there")]
    assert "corrected by p-1" in shown and "that count" in shown and "of-reviewer" in shown
    assert re.findall(r'href="([^"]+)"', choice) == [
        f"{twice.page}?version={older['id']}",
        f"{twice.page}?version={MODEL}",
    ]
    assert told(page)["version"] == newest["id"]
    assert told(page)["surfaces"] == [], "the surface is of the model's masks"
    (label,) = newest["labels"]
    assert told(page)["measured"] == {"spleen": label["reviewer_ml"]}
    for words in (f"{label['reviewer_ml']:.1f}", f"{label['model_ml']:.1f}", f"{label['dice']:.3f}"):
        assert f'<td class="number">{words}</td>' in page
    assert "This preview shows the model" in page
    assert f'href="{twice.page}/images?version={newest["id"]}"' in page


def test_another_version_is_a_click_away(twice: ResultSite) -> None:
    _, older, _ = versions(twice)
    page = twice.client.get(twice.page, params={"version": MODEL}).text
    assert "of-model" in page and told(page)["version"] == MODEL and told(page)["surfaces"]
    assert "This preview shows the model" not in page and "Corrected masks" not in page
    page = twice.client.get(twice.page, params={"version": older["id"]}).text
    assert told(page)["version"] == older["id"] and "corrected by p-7" in page
    twice.gate.language = "es"
    assert "corregidas por p-7" in twice.client.get(twice.page).text
    twice.gate.language = ""


def test_where_there_is_one_version_there_is_no_choice(read_only: ResultSite) -> None:
    page = read_only.client.get(read_only.page).text
    assert 'class="masks ' not in page and 'id="against"' not in page
    assert told(page)["version"] == MODEL
    (only,) = versions(read_only)
    assert (only["id"], only["counts"]) == (MODEL, True)


def test_each_version_is_drawn_where_it_is_over_the_same_images(twice: ResultSite) -> None:
    newest, older, _ = versions(twice)
    model = masks(twice)
    np.testing.assert_array_equal(masks(twice, version=MODEL), model)
    corrected, before = (masks(twice, version=one["id"]) for one in (newest, older))
    # What the reviewer did, by the sample: to the patient's left, which is where x grows.
    np.testing.assert_array_equal(corrected, np.roll(model, 6, axis=2))
    assert before.sum() < model.sum() and not (before & ~model).any()
    spacing = described(twice)["spacing_mm"]
    assert newest["labels"][0]["reviewer_ml"] == pytest.approx(
        corrected.sum() * np.prod(spacing) / 1000, rel=1e-4
    )
    images = [
        twice.client.get(f"{twice.api}/images/planes/axial/20", params={"version": one}).content[
            : 96 * 96 * 2
        ]
        for one in (MODEL, newest["id"])
    ]
    assert images[0] == images[1] and any(images[0])
    bare = twice.client.get(
        f"{twice.api}/images/planes/coronal/40", params={"version": newest["id"], "part": "labels"}
    )
    np.testing.assert_array_equal(np.frombuffer(bare.content, "u1").reshape(40, 96) > 0, corrected[:, 40, :])
    nifti = twice.client.get(f"{twice.api}/images/labels.nii", params={"version": newest["id"]}).content
    np.testing.assert_array_equal(np.frombuffer(nifti[352:], "u1").reshape(corrected.shape) > 0, corrected)


def test_the_study_is_read_once_for_all_versions(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct_as(results, "p-1", "Pat", edit=shifted)
    newest, _ = versions(results)
    described(results, version=newest["id"])
    monkeypatch.setattr("bedside.viewing.images.build", lambda *_: pytest.fail("the study was read again"))
    described(results, version=MODEL)
    assert masks(results, version=MODEL).any()


def test_versions_that_are_not_there(twice: ResultSite) -> None:
    for path in (twice.page, f"{twice.page}/images", f"{twice.api}/images", f"{twice.api}/images/levels/0/0"):
        assert twice.client.get(path, params={"version": "ffff"}).status_code == 404, path
        assert twice.client.get(path, params={"version": "../x"}).status_code == 422, path
    for name in ("ffff", MODEL):
        assert twice.client.get(f"{twice.api}/corrections/{name}").status_code == 404


def test_a_correction_whose_file_is_gone_is_not_offered_and_refused(results: ResultSite) -> None:
    correct_as(results, "p-1", "Pat", edit=shifted)
    newest, _ = versions(results)
    store = results.deployment.blobs.tenant(TENANT)
    (kept,) = store.list(f"{results.job.prefix}/corrections/")
    store.delete(kept.key)
    page = results.client.get(results.page)
    assert page.status_code == 200 and "Corrected segmentations" not in page.text
    assert results.client.get(f"{results.api}/corrections/{newest['id']}").status_code == 404
    for _ in range(200):
        answer = results.client.get(f"{results.api}/images", params={"version": newest["id"]})
        if answer.status_code != 202:
            break
        time.sleep(0.05)
    assert answer.status_code == 404 and "correction is not in the store" in answer.json()["detail"]
    with zipfile.ZipFile(io.BytesIO(results.client.get(f"{results.api}/archive.zip").content)) as packed:
        assert packed.testzip() is None and not [n for n in packed.namelist() if "corrections" in n]


def test_corrections_are_taken_away_one_by_one_and_with_all_the_rest(twice: ResultSite) -> None:
    newest, older, _ = versions(twice)
    page = twice.client.get(twice.page).text
    for one in (newest, older):
        assert f'href="{twice.api}/corrections/{one["id"]}" download' in page
    address = f"{twice.api}/corrections/{newest['id']}"
    whole = twice.client.get(address)
    assert pydicom.dcmread(io.BytesIO(whole.content)).SOPInstanceUID == newest["sop_instance_uid"]
    name = re.fullmatch(r'attachment; filename="(.+)"', whole.headers["content-disposition"])
    assert name and name[1].startswith(f"{twice.made.job_id[:12]}-corrected-") and newest["id"][:8] in name[1]
    part = twice.client.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    again = twice.client.get(address, headers={"If-None-Match": whole.headers["etag"]})
    assert again.status_code == 304
    with zipfile.ZipFile(io.BytesIO(twice.client.get(f"{twice.api}/archive.zip").content)) as packed:
        found = [entry for entry in packed.namelist() if "/corrections/" in entry]
        assert len(found) == 2 and packed.testzip() is None
        (mine,) = [entry for entry in found if newest["id"][:8] in entry]
        assert packed.read(mine) == whole.content


def test_only_whoever_may_read_sees_versions_and_every_look_is_noted(results: ResultSite) -> None:
    correct_as(results, "p-1", "Pat", edit=shifted)
    newest, _ = versions(results)
    asked = {"version": newest["id"]}
    paths = (results.page, f"{results.api}/images", f"{results.api}/corrections/{newest['id']}")
    for path in paths:
        for who in (ENGINEER, person()):
            assert results.asks(who).get(path, params=asked).status_code == 403, path
        assert results.asks(VIEWER).get(path, params=asked).status_code in {200, 202}, path
        both = person(*((post.role, node) for post in VIEWER.posts for node in (TENANT, "ward-3")))
        elsewhere = path.replace(f"/{TENANT}/", "/ward-3/")
        assert results.asks(both).get(elsewhere, params=asked).status_code == 404, path
    results.asks(CLINICIAN)
    audit = results.deployment.records.audit
    head = audit.head()
    described(results, **asked)
    results.client.get(results.page)
    results.client.get(results.page, params={"version": MODEL})
    results.client.get(f"{results.api}/images/levels/0/0")
    results.client.get(f"{results.api}/images/levels/0/0", params=asked)
    results.client.get(f"{results.api}/images/levels/0/0", params=asked)
    since = audit.walk(AuditFilter(object=results.made.job_id), after=head.number if head else 0)
    assert [dict(record.deed.detail) for record in since] == [
        {"part": "images", "version": newest["id"]},
        {"version": newest["id"]},
        {},
        {"part": "images"},
        {"part": "images", "version": newest["id"]},
    ]


def test_accepting_means_the_masks_that_are_shown(results: ResultSite) -> None:
    assert "masks</button>" not in results.client.get(results.page).text
    correct_as(results, "p-7", "Lin Ortiz", edit=shifted)
    page = results.client.get(results.page, params={"version": MODEL}).text
    assert re.findall(r'value="(\w+)">Accept the model&#39;s masks', page) == ["accepted"]
    results.client.post(f"{results.page}/judgements", data={"verdict": "accepted"})
    drawn, model = versions(results)
    assert (drawn["counts"], model["counts"]) == (False, True)
    assert told(results.client.get(results.page).text)["version"] == MODEL

    # And back: somebody else stands by what was drawn.
    page = results.client.get(results.page, params={"version": str(drawn["id"])}).text
    assert re.findall(r'value="(\w+)">Accept these corrected masks', page) == ["corrected"]
    form = {"verdict": "corrected", "correction": re.findall(r'name="correction" value="(\w+)"', page)[0]}
    assert results.client.post(f"{results.page}/judgements", data=form).status_code == 303
    note = results.deployment.records.audit.head()
    assert note and note.deed.detail == {"verdict": "corrected", "correction": drawn["id"]}
    (again, model), said = versions(results), results.client.get(f"{results.api}/judgements").json()
    assert again == {**drawn, "counts": True}, "it is no other version, and its author stays"
    newest = said["judgements"][0]
    assert (newest["reviewer"], newest["correction"]["labels"]) == ("p-1", drawn["labels"])
    page = results.client.get(results.page).text
    assert told(page)["version"] == drawn["id"] and "Corrected masks accepted" in page
    assert results.client.get(f"{results.api}/corrections/{newest['id']}").status_code == 200
    wish = {"verdict": "corrected", "correction": "ffff"}
    assert results.client.post(f"{results.api}/judgements", json=wish).status_code == 404
    wish = {"verdict": "accepted", "correction": str(drawn["id"])}
    assert results.client.post(f"{results.api}/judgements", json=wish).status_code == 400


def test_the_list_of_judgements_leads_to_what_was_corrected(twice: ResultSite) -> None:
    newest, older, _ = versions(twice)
    listed = twice.client.get(f"/t/{TENANT}/judgements").text
    for one in (newest, older):
        assert f'href="{twice.page}?version={one["id"]}"' in listed
        assert f"Dice {one['labels'][0]['dice']:.3f}" in listed


def test_ohif_opens_with_the_version_that_counts_or_the_one_asked_for(
    results: ResultSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "vendor" / "ohif"
    folder.mkdir(parents=True)
    (folder / "app.bundle.0a.js").write_bytes(b"start()")
    monkeypatch.setitem(statics.FOLDERS, "vendor", tmp_path / "vendor")
    model = loaded(results)
    correct_as(results, "p-1", "Pat", edit=shifted)
    newest, _ = versions(results)
    assert loaded(results) == newest["sop_instance_uid"] != model
    note = results.deployment.records.audit.head()
    assert note and note.deed.detail == {"version": newest["id"]}
    assert loaded(results, version=MODEL) == model
    results.client.post(f"{results.page}/judgements", data={"verdict": "accepted"})
    assert loaded(results) == model
    assert loaded(results, version=str(newest["id"])) == newest["sop_instance_uid"]


def loaded(site: ResultSite, **asked: str) -> str:
    """Return the SOP Instance UID that the viewer is told to open."""
    answer = site.client.get(f"{site.page}/images", params=asked)
    assert answer.status_code == 303, answer.text
    (uid,) = parse_qs(urlsplit(answer.headers["location"]).query)["initialSOPInstanceUID"]
    return uid
