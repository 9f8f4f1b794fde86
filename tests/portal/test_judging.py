"""Judging in the portal: a verdict, a correction beside the model's own, and what both add up to."""

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from bedside.domain.judgement import LONGEST_COMMENT
from bedside.domain.person import PersonRole
from bedside.ports.audit import AuditFilter
from portal_results import TENANT, ResultSite
from portal_site import CLINICIAN, ENGINEER, VIEWER, person
from viewer_seg import as_a_viewer_sends

SECOND = person((PersonRole.CLINICIAN, TENANT), subject="p-2")


def shaved(mask: NDArray[np.bool_], _frame: int, _segment: int) -> NDArray[np.bool_]:
    kept = mask.copy()
    kept[::2] = False
    return kept


@pytest.fixture
def sent(results: ResultSite, tmp_path: Path) -> Path:
    """What a viewer stores after somebody took every other row away."""
    original = tmp_path / "model.dcm"
    original.write_bytes(results.deployment.blobs.tenant(TENANT).get(f"{results.job.prefix}/dicom/seg.dcm"))
    return as_a_viewer_sends(original, tmp_path / "sent.dcm", edit=shaved)


def actions(site: ResultSite) -> list[str]:
    return [record.deed.action for record in site.deployment.records.audit.records(AuditFilter())]


def test_a_result_is_accepted_from_its_page(results: ResultSite) -> None:
    page = results.client.get(results.page)
    assert page.status_code == 200 and "Nobody has judged" in page.text
    answer = results.client.post(f"{results.page}/judgements", data={"verdict": "accepted"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{results.page}#judging")
    page = results.client.get(results.page)
    assert "Accepted" in page.text and "Nobody has judged" not in page.text
    (said,) = results.client.get(f"{results.api}/judgements").json()["judgements"]
    assert (said["verdict"], said["reviewer"], said["job_id"]) == ("accepted", "p-1", results.made.job_id)
    assert said["release"] == results.job.pipeline.stages[-1].release
    assert "result.judged" in actions(results)


def test_a_rejection_says_why_and_words_stay_words(results: ResultSite) -> None:
    words = "<script>alert(1)</script> 左"
    form = {"verdict": "rejected", "reason": "border", "comment": words}
    assert results.client.post(f"{results.page}/judgements", data=form).status_code == 303
    page = results.client.get(results.page).text
    assert "The border is wrong" in page and "<script>alert" not in page and "左" in page
    results.gate.language = "es"
    assert "El contorno es incorrecto" in results.client.get(results.page).text


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"verdict": "rejected"}, "has a reason"),
        ({"verdict": "accepted", "reason": "side"}, "nothing else has one"),
        ({"verdict": "remark", "comment": "  "}, "need a comment"),
        ({"verdict": "rejected", "reason": "other"}, "need a comment"),
        ({"verdict": "corrected"}, "has a segmentation"),
    ],
)
def test_what_means_nothing_is_refused(results: ResultSite, wish: dict[str, str], why: str) -> None:
    answer = results.client.post(f"{results.api}/judgements", json=wish)
    assert answer.status_code == 400 and why in answer.json()["detail"]
    assert results.client.get(f"{results.api}/judgements").json()["judgements"] == []


def test_a_comment_has_an_end(results: ResultSite) -> None:
    answer = results.client.post(
        f"{results.api}/judgements", json={"verdict": "remark", "comment": "x" * (LONGEST_COMMENT + 1)}
    )
    assert answer.status_code == 422 and "xxx" not in answer.text


def test_only_reviewers_judge_and_only_of_their_tenant(results: ResultSite, sent: Path) -> None:
    accept = {"verdict": "accepted"}
    assert results.asks(VIEWER).post(f"{results.api}/judgements", json=accept).status_code == 403
    assert results.client.post(f"{results.api}/corrections", content=sent.read_bytes()).status_code == 403
    page = results.client.get(results.page)
    assert page.status_code == 200 and 'value="accepted"' not in page.text
    foreign = person((PersonRole.CLINICIAN, "ward-3"))
    elsewhere = results.api.replace(TENANT, "ward-3")
    assert results.asks(foreign).post(f"{elsewhere}/judgements", json=accept).status_code == 404
    assert results.client.get(f"{elsewhere}/judgements").status_code == 404
    assert results.client.post(f"{results.api}/judgements", json=accept).status_code == 403
    assert results.asks(CLINICIAN).get(f"{results.api}/judgements").json()["judgements"] == []


def test_a_correction_is_kept_beside_the_models(results: ResultSite, sent: Path) -> None:
    answer = results.client.post(f"{results.api}/corrections", content=sent.read_bytes())
    assert answer.status_code == 201, answer.text
    said = answer.json()
    (label,) = said["correction"]["labels"]
    assert (said["verdict"], label["label"]) == ("corrected", "spleen")
    assert 0.4 < label["dice"] < 0.9 and label["reviewer_ml"] < label["model_ml"]
    again = results.client.post(f"{results.api}/corrections", content=sent.read_bytes()).json()
    assert again["id"] == said["id"], "sent twice is one"
    got = results.client.get(f"{results.api}/corrections/{said['id']}")
    kept = pydicom.dcmread(io.BytesIO(got.content))
    assert kept.SOPInstanceUID == said["correction"]["sop_instance_uid"]
    assert str(kept.ContentCreatorName) == "Pat"
    model = results.client.get(f"{results.api}/files/dicom/seg.dcm")
    assert pydicom.dcmread(io.BytesIO(model.content)).SOPInstanceUID == said["correction"]["predecessor_uid"]
    assert kept.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Spleen"
    assert "Corrected" in results.client.get(results.page).text
    assert actions(results).count("result.corrected") == 2


def test_what_is_no_correction_is_refused_and_nothing_kept(results: ResultSite, tmp_path: Path) -> None:
    for content in (b"", b"no DICOM at all"):
        answer = results.client.post(f"{results.api}/corrections", content=content)
        assert answer.status_code == 422, answer.text
    store = results.deployment.blobs.tenant(TENANT)
    assert not list(store.list(f"{results.job.prefix}/corrections/"))
    assert not list((results.deployment.scratch / "judging").iterdir())


def test_a_segmentation_finds_the_result_that_it_corrects(
    results: ResultSite, sent: Path, tmp_path: Path
) -> None:
    judge = results.deployment.judge
    assert judge.find(TENANT, sent) == results.made.job_id, "by the images that it was drawn on"
    assert judge.find("ward-3", sent) is None
    said = results.client.post(f"{results.api}/corrections", content=sent.read_bytes()).json()
    corrected = tmp_path / "corrected.dcm"
    corrected.write_bytes(results.client.get(f"{results.api}/corrections/{said['id']}").content)
    assert judge.find(TENANT, corrected) == results.made.job_id, "by what it says that it was made from"
    alien = pydicom.dcmread(sent)
    alien.StudyInstanceUID = "1.2.3"
    alien.save_as(sent)
    assert judge.find(TENANT, sent) is None


def test_figures_of_a_release(results: ResultSite, sent: Path) -> None:
    assert results.client.get(f"/t/{TENANT}/judgements").status_code == 200
    assert results.client.get(f"/api/v1/tenants/{TENANT}/quality").json() == {"releases": []}
    results.client.post(f"{results.api}/judgements", json={"verdict": "accepted"})
    results.asks(SECOND).post(f"{results.api}/corrections", content=sent.read_bytes())
    results.client.post(f"{results.api}/judgements", json={"verdict": "remark", "comment": "see rows"})
    (figure,) = results.asks(ENGINEER).get(f"/api/v1/tenants/{TENANT}/quality").json()["releases"]
    assert (figure["judged"], figure["accepted"], figure["corrected"], figure["acceptance"]) == (1, 0, 1, 0.0)
    assert figure["labels"][0]["label"] == "spleen" and figure["labels"][0]["dice"] < 0.9
    page = results.client.get(f"/t/{TENANT}/judgements")
    assert page.status_code == 200 and "spleen" in page.text
    assert "see rows" not in page.text, "an engineer sees figures and no words"
    assert results.client.get(f"/api/v1/tenants/{TENANT}/judgements").status_code == 403
    assert "see rows" in results.asks(VIEWER).get(f"/t/{TENANT}/judgements").text


def test_judgements_leave_as_labels(results: ResultSite, sent: Path) -> None:
    address = f"/api/v1/tenants/{TENANT}/judgements/export"
    results.client.post(f"{results.api}/judgements", json={"verdict": "remark", "comment": "=1+1"})
    results.client.post(f"{results.api}/judgements", json={"verdict": "accepted", "comment": "=2+2"})
    (row,) = csv.DictReader(io.StringIO(results.client.get(address, params={"format": "csv"}).text))
    assert (row["verdict"], row["comment"], row["study_uid"]) == ("accepted", "'=2+2", results.made.study_uid)
    store = results.deployment.blobs.tenant(TENANT)
    with zipfile.ZipFile(io.BytesIO(results.client.get(address, params={"format": "zip"}).content)) as labels:
        name = f"labels/{results.made.job_id}.dcm"
        assert labels.namelist() == ["judgements.jsonl", name]
        assert labels.read(name) == store.get(f"{results.job.prefix}/dicom/seg.dcm")
    said = results.client.post(f"{results.api}/corrections", content=sent.read_bytes()).json()
    with zipfile.ZipFile(io.BytesIO(results.client.get(address, params={"format": "zip"}).content)) as labels:
        found = pydicom.dcmread(io.BytesIO(labels.read(name)))
        assert found.SOPInstanceUID == said["correction"]["sop_instance_uid"]
        (line,) = map(json.loads, labels.read("judgements.jsonl").splitlines())
        assert line["label_file"] == name and line["labels"][0]["label"] == "spleen"
    rejected = {"verdict": "rejected", "reason": "study"}
    results.client.post(f"{results.api}/judgements", json=rejected)
    assert json.loads(results.client.get(address).text)["label_file"] == ""
    assert results.client.get(address, params={"verdict": "accepted"}).text == ""
    assert "judgements.exported" in actions(results)


def multipart(file: Path) -> dict[str, object]:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    return {"content": body, "headers": {"Content-Type": kind, "Accept": "application/dicom+json"}}


def test_a_viewer_saves_a_correction_and_finds_both(results: ResultSite, sent: Path) -> None:
    web = f"/dicomweb/{TENANT}/studies/{results.made.study_uid}"
    before = results.client.get(f"{web}/series", params={"Modality": "SEG"}).json()
    assert len(before) == 1
    answer = results.client.post(web, **multipart(sent))
    assert answer.status_code == 200, answer.text
    (kept,) = answer.json()["00081199"]["Value"]
    (said,) = results.client.get(f"{results.api}/judgements").json()["judgements"]
    assert kept["00081155"]["Value"] == [said["correction"]["sop_instance_uid"]]
    assert results.client.get(kept["00081190"]["Value"][0]).status_code == 200
    series = results.client.get(f"{web}/series", params={"Modality": "SEG"}).json()
    uids = {one["0020000E"]["Value"][0] for one in series}
    assert uids == {before[0]["0020000E"]["Value"][0], said["correction"]["series_uid"]}
    assert not list(results.deployment.blobs.tenant(TENANT).list("input/")), "it is no new study to be read"


def test_who_may_send_and_not_judge_corrects_nothing(results: ResultSite, sent: Path) -> None:
    assert results.asks(VIEWER).post(f"/dicomweb/{TENANT}/studies", **multipart(sent)).status_code == 403
    assert results.asks(CLINICIAN).get(f"{results.api}/judgements").json()["judgements"] == []


def test_a_label_map_from_a_viewer_is_refused_and_not_read_as_a_study(
    results: ResultSite, sent: Path
) -> None:
    found = pydicom.dcmread(sent)
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
    found.SegmentationType = "LABELMAP"
    found.save_as(sent)
    answer = results.client.post(f"/dicomweb/{TENANT}/studies", **multipart(sent))
    assert answer.status_code == 409, answer.text
    assert not list(results.deployment.blobs.tenant(TENANT).list("input/"))


def test_a_segmentation_of_no_result_of_ours_is_a_study_as_any_other(results: ResultSite, sent: Path) -> None:
    found = pydicom.dcmread(sent)
    found.StudyInstanceUID = "1.2.3.4"
    found.save_as(sent)
    assert results.client.post(f"/dicomweb/{TENANT}/studies", **multipart(sent)).status_code == 200
    assert list(results.deployment.blobs.tenant(TENANT).list("input/"))
