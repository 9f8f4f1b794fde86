"""Uploads through HTTP: what a script does, what the page shows, and what nobody else may."""

import base64
import errno
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedside.domain.person import PersonRole
from bedside.domain.tenant import Ending, unrecorded
from bedside.domain.upload import PART_BYTES
from bedside.portal.upload import receiving
from bedside.ports.audit import AuditFilter
from clouds import Cloud
from intake_samples import instances
from portal_site import ENGINEER, SETTINGS, VIEWER, Site, person, site

API = "/api/v1/tenants/default/uploads"
NAME = "Mustermann^Erika.zip"
COLLEAGUE = person((PersonRole.CLINICIAN, "default"), subject="p-2")
OF_WARD = person((PersonRole.CLINICIAN, "ward-3"))


def digest(data: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


def begin(site: Site, data: bytes, **more: object) -> dict[str, Any]:
    wish = {"name": NAME, "fingerprint": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), **more}
    answer = site.client.post(API, json=wish)
    assert answer.status_code in (200, 201), answer.text
    begun: dict[str, Any] = answer.json()
    return begun


def send(site: Site, upload: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Send everything as a script does, and complete it."""
    for number in range(1, upload["parts"] + 1):
        piece = data[(number - 1) * PART_BYTES : number * PART_BYTES]
        wish = {"sha256": hashlib.sha256(piece).hexdigest()}
        target = site.client.post(f"{API}/{upload['id']}/parts/{number}", json=wish).json()
        answer = site.client.put(target["url"], content=piece, headers=target["headers"])
        assert answer.status_code == 200, answer.text
    answer = site.client.post(f"{API}/{upload['id']}/complete")
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def put_part(site: Site, upload: dict[str, Any], number: int, data: bytes, **headers: str) -> httpx.Response:
    return site.client.put(
        f"{API}/{upload['id']}/parts/{number}", content=data, headers={**digest(data), **headers}
    )


@pytest.fixture
def study(tmp_path: Path) -> bytes:
    """A study of three slices and a note beside them."""
    made = instances(tmp_path / "study", "upload")
    slices = {f"{n}.dcm": path.read_bytes() for n, path in enumerate(made)}
    return zipped(**slices, **{"note.txt": b"Mustermann"})


def test_a_script_sends_a_study_and_sees_what_became_of_it(portal: Site, study: bytes) -> None:
    upload = begin(portal, study)
    assert upload["there"] == [] and upload["step"] == "sending" and upload["part_bytes"] == PART_BYTES
    assert send(portal, upload, study)["step"] == "received"
    [blob] = [b for b in portal.deployment.blobs.tenant("default").list("input/") if b.key.endswith(".zip")]
    assert blob.key == f"input/{upload['id']}.zip"
    assert portal.deployment.blobs.tenant("default").get(blob.key) == study
    portal.deployment.intake.step("default")
    found = portal.client.get(f"{API}/{upload['id']}").json()
    assert found["step"] == "done" and found["reason"]["kind"] == "partly"
    [arrived] = found["studies"]
    assert arrived["instances"] == 3 and not arrived["is_duplicate"]
    assert portal.client.get(API).json()["uploads"][0]["id"] == upload["id"]
    page = portal.client.get("/t/default/upload/list").text
    assert f"/t/default/studies/{arrived['arrival_id']}" in page and "No rule of this department" in page
    assert "Mustermann^Erika.zip" in page


def test_the_same_study_again_is_already_here(portal: Site, study: bytes) -> None:
    send(portal, begin(portal, study), study)
    portal.deployment.intake.step("default")
    again = zipped(**{f"x/{n}": zipfile.ZipFile(io.BytesIO(study)).read(f"{n}.dcm") for n in range(3)})
    second = send(portal, begin(portal, again), again)
    portal.deployment.intake.step("default")
    first, found = (u["studies"][0] for u in reversed(portal.client.get(API).json()["uploads"]))
    assert found["is_duplicate"] and found["arrival_id"] == first["arrival_id"]
    page = portal.client.get("/t/default/upload/list").text
    assert "Already here" in page and "All of it was here already: it came on" in page
    assert second["id"] and page.count(f"/t/default/studies/{found['arrival_id']}") >= 2


def test_parts_come_in_any_order_and_again(portal: Site) -> None:
    data = os.urandom(PART_BYTES) + b"the end of it"
    upload = begin(portal, data)
    for number, piece in ((2, data[PART_BYTES:]), (1, data[:PART_BYTES]), (2, data[PART_BYTES:])):
        assert put_part(portal, upload, number, piece).json() == {
            "number": number,
            "size_bytes": len(piece),
            "sha256": hashlib.sha256(piece).hexdigest(),
        }
    again = begin(portal, data)
    assert again["id"] == upload["id"] and [part["number"] for part in again["there"]] == [1, 2]
    assert portal.client.post(f"{API}/{upload['id']}/complete").status_code == 200
    assert portal.client.post(f"{API}/{upload['id']}/complete").status_code == 200
    assert portal.deployment.blobs.tenant("default").get(f"input/{upload['id']}.zip") == data
    assert put_part(portal, upload, 1, data[:PART_BYTES]).status_code == 409


def test_a_part_that_is_not_what_was_said_is_not_kept(portal: Site) -> None:
    data = os.urandom(1000)
    upload = begin(portal, data)
    other = digest(b"other")
    assert put_part(portal, upload, 1, data, **other).status_code == 422
    assert put_part(portal, upload, 1, data[:10]).status_code == 422
    assert put_part(portal, upload, 1, data + b"!").status_code == 422
    chunks = iter([data, b"!" * 10])  # without a length said before
    url = f"{API}/{upload['id']}/parts/1"
    assert portal.client.put(url, content=chunks, headers=digest(data)).status_code == 422
    for headers in ({}, {"Content-Digest": "sha-256=:AAAA:"}, {"x-amz-checksum-sha256": b"\xe9="}):
        problem = portal.client.put(url, content=data, headers=headers)
        assert problem.status_code == 400 and "docs/upload.md" in problem.json()["hint"]
    assert put_part(portal, upload, 2, data).status_code == 400
    assert portal.client.get(f"{API}/{upload['id']}").json()["there"] == []
    s3 = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(data).digest()).decode()}
    assert portal.client.put(url, content=data, headers=s3).status_code == 200


def test_completing_too_early_names_the_missing_parts(portal: Site) -> None:
    data = os.urandom(2 * PART_BYTES + 5)
    upload = begin(portal, data)
    put_part(portal, upload, 2, data[PART_BYTES : 2 * PART_BYTES])
    problem = portal.client.post(f"{API}/{upload['id']}/complete")
    assert problem.status_code == 409 and problem.json()["missing"] == [1, 3]
    assert problem.headers["content-type"] == "application/problem+json"
    assert "2 of 3 parts are missing: 1, 3" in problem.json()["detail"]
    assert portal.client.get(f"{API}/{upload['id']}").json()["step"] == "sending"


def test_nobody_else_sees_or_touches_an_upload(portal: Site, study: bytes) -> None:
    upload = begin(portal, study)
    url = f"{API}/{upload['id']}"
    asks: list[Callable[[], httpx.Response]] = [
        lambda: portal.client.get(url),
        lambda: put_part(portal, upload, 1, study),
        lambda: portal.client.post(f"{url}/parts/1", json={"sha256": "0" * 64}),
        lambda: portal.client.post(f"{url}/complete"),
        lambda: portal.client.delete(url),
        lambda: portal.client.post(f"/t/default/upload/{upload['id']}/cancel"),
    ]
    portal.asks(COLLEAGUE)
    assert [ask().status_code for ask in asks] == [404] * len(asks)
    assert portal.client.get(API).json()["uploads"] == []
    assert NAME not in portal.client.get("/t/default/upload").text
    for stranger in (VIEWER, ENGINEER, OF_WARD):
        portal.asks(stranger)
        assert [ask().status_code for ask in asks] == [403] * len(asks)
    assert portal.client.get(f"/api/v1/tenants/ward-3/uploads/{upload['id']}").status_code == 404
    portal.asks(None)
    assert asks[0]().status_code == 401


def test_what_is_too_much_is_refused_in_words(tmp_path: Path) -> None:
    small = SETTINGS + "\n[upload]\nmax_bytes = 1000\ntenant_bytes = 1500\n"
    with site(tmp_path, small) as portal:
        wish = {"fingerprint": "a", "size_bytes": 1001}
        problem = portal.client.post(API, json=wish)
        assert problem.status_code == 413 and "at most 1000" in problem.json()["detail"]
        assert portal.client.post(API, json={**wish, "size_bytes": 1000}).status_code == 201
        problem = portal.client.post(API, json={"fingerprint": "b", "size_bytes": 900})
        assert problem.status_code == 507 and "unfinished uploads" in problem.json()["detail"]
        assert portal.client.post(API, json={"fingerprint": "b", "size_bytes": 3}).status_code == 400
        assert portal.client.post(API, json={"fingerprint": "", "size_bytes": 300}).status_code == 422


def test_a_disk_that_fills_loses_nothing(portal: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(PART_BYTES + 100)
    upload = begin(portal, data)
    put_part(portal, upload, 1, data[:PART_BYTES])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", full)
        problem = put_part(portal, upload, 2, data[PART_BYTES:])
        assert problem.status_code == 507 and "the disk is full" in problem.json()["detail"]
    assert [part["number"] for part in portal.client.get(f"{API}/{upload['id']}").json()["there"]] == [1]
    assert put_part(portal, upload, 2, data[PART_BYTES:]).status_code == 200
    assert portal.client.post(f"{API}/{upload['id']}/complete").status_code == 200


def test_an_upload_is_given_up_by_script_and_by_form(portal: Site, study: bytes) -> None:
    first, second = begin(portal, study), begin(portal, study + b"!")
    assert "is here" not in portal.client.get("/t/default/upload").text
    assert portal.client.delete(f"{API}/{first['id']}").status_code == 204
    answer = portal.client.post(f"/t/default/upload/{second['id']}/cancel", data={"csrf": "csrf-of-tests"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/default/upload")
    assert [u["step"] for u in portal.client.get(API).json()["uploads"]] == ["cancelled"] * 2
    assert list((portal.deployment.root / "default").glob(".bedside-uploads/*")) == []
    assert portal.client.delete("/api/v1/tenants/default/uploads/xyz").status_code == 422


@pytest.mark.parametrize(
    ("data", "kind", "en", "es"),
    [
        (
            b"%PDF-1.7 this is no archive",
            "not_a_zip",
            "The file is not a ZIP archive",
            "El archivo no es un ZIP",
        ),
        (
            zipped(**{"a.txt": b"a"}),
            "no_dicom",
            "There are no DICOM images in it",
            "No contiene imágenes DICOM",
        ),
        (zipped(**{"a.txt": b"a"})[:-9], "damaged", "damaged or incomplete", "dañado o incompleto"),
    ],
    ids=["no-zip", "no-dicom", "cut"],  # an archive says when it was made, and processes must agree on names
)
def test_a_rejected_upload_says_why_in_plain_words(
    portal: Site, data: bytes, kind: str, en: str, es: str
) -> None:
    upload = send(portal, begin(portal, data), data)
    portal.deployment.intake.step("default")
    found = portal.client.get(f"{API}/{upload['id']}").json()
    assert (found["step"], found["reason"]["kind"]) == ("rejected", kind)
    page = portal.client.get("/t/default/upload").text
    assert (
        en in page
        and found["reason"]["detail"].replace("'", "&#39;") in page
        and '<details class="technical">' in page
    )
    portal.gate.language = "es"
    assert es in portal.client.get("/t/default/upload/list").text


def test_every_kind_of_reason_and_every_step_has_its_words() -> None:
    from bedside.domain.job import JobState
    from bedside.portal.shell.words import catalogue
    from bedside.uploads.outcome import Step
    from bedside.uploads.reasons import Kind

    known = set(catalogue())
    assert {f"upload.{what}_{kind}" for kind in Kind for what in ("reason", "todo")} <= known
    assert {f"upload.step_{step}" for step in Step} <= known
    assert {f"upload.job_{state}" for state in JobState} <= known


def test_every_text_that_the_scripts_name_is_there() -> None:
    from bedside.portal.shell.words import catalogue

    folder = Path(receiving.__file__).parents[1] / "static" / "upload"
    script = "".join((folder / name).read_text() for name in ("page.js", "sending.js", "reader.js"))
    named = set(re.findall(r'\bt\("(\w+)"', script)) | set(re.findall(r'Ended\("(\w+)"', script))
    named |= set(re.findall(r'button\("(\w+)"', script)) - {"elsewhere"}
    named |= set(re.findall(r"#be\(\"(\w+)\"", script)) | {
        "signed_out",
        "full",
        "refused",
        "gone",
        "too_large",
    }
    assert len(named) > 25
    assert {f"upload.js_{key}" for key in named - {"elsewhere", "sending"}} <= set(catalogue())


def test_names_of_files_stay_in_the_list_of_their_person(
    portal: Site, study: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []
    portal.deployment.log = lambda action, /, **fields: lines.append(f"{action} {fields}")
    upload = begin(portal, study)
    send(portal, upload, study)
    portal.deployment.intake.step("default")
    trail = portal.deployment.records.audit.records(AuditFilter())
    assert [record.deed.action for record in trail] == ["upload.completed", "upload.began"]
    assert {record.deed.object for record in trail} == {upload["id"]}
    told = " ".join([*lines, *map(str, trail), caplog.text])
    assert "upload.completed" in told and "Mustermann" not in told
    keys = [blob.key for blob in portal.deployment.blobs.tenant("default").list("")]
    assert keys and not any("Mustermann" in key for key in keys)


def test_a_page_may_send_to_this_portal_alone(portal: Site) -> None:
    policy = portal.client.get("/t/default/upload").headers["content-security-policy"]
    assert "connect-src 'self';" in policy
    assert portal.asks(VIEWER).get("/t/default/upload").status_code == 403


@pytest.fixture
def in_a_bucket(cloud: Cloud, tmp_path: Path) -> Iterator[Site]:
    """A portal whose store is a bucket."""
    with site(tmp_path, SETTINGS + f'\n[store]\nurl = "s3://{cloud.bucket()}"\n') as opened:
        yield opened


def test_parts_go_straight_to_a_bucket(in_a_bucket: Site, cloud: Cloud) -> None:
    portal = in_a_bucket
    page = portal.client.get("/t/default/upload")
    assert f"connect-src 'self' {cloud.url};" in page.headers["content-security-policy"]
    data = zipped(**{"a.bin": os.urandom(PART_BYTES)})
    upload = begin(portal, data)
    for number, piece in ((2, data[PART_BYTES:]), (1, data[:PART_BYTES])):
        wish = {"sha256": hashlib.sha256(piece).hexdigest()}
        target = portal.client.post(f"{API}/{upload['id']}/parts/{number}", json=wish).json()
        assert target["url"].startswith(cloud.url) and NAME not in target["url"]
        assert httpx.put(target["url"], content=piece, headers=target["headers"]).status_code == 200
    assert put_part(portal, upload, 1, data[:PART_BYTES]).status_code == 400  # not through us
    assert [part["number"] for part in begin(portal, data)["there"]] == [1, 2]
    assert portal.client.post(f"{API}/{upload['id']}/complete").json()["step"] == "received"
    portal.deployment.intake.step("default")
    found = portal.client.get(f"{API}/{upload['id']}").json()
    assert (found["step"], found["reason"]["kind"]) == ("rejected", "no_dicom")


def test_what_is_given_up_leaves_no_parts_in_a_bucket(in_a_bucket: Site, cloud: Cloud) -> None:
    portal = in_a_bucket
    upload = begin(portal, b"x" * 100)
    assert portal.client.delete(f"{API}/{upload['id']}").status_code == 204
    bucket = portal.deployment.settings.store.url.removeprefix("s3://")
    assert not cloud.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_tenant_that_ended_takes_nothing_any_more(portal: Site, study: bytes) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now()
    begun = begin(portal, study)
    tenant = unrecorded("default", now)
    ledger.put_tenant(tenant, over=None)
    ledger.put_tenant(tenant.closing(Ending.REMOVE), over=tenant.state)
    portal.deployment.tenants.look_again()
    wish = {"fingerprint": "another", "size_bytes": 100}
    assert portal.client.post(API, json=wish).status_code == 403
    part = f"{API}/{begun['id']}/parts/1"
    assert portal.client.post(part, json={"sha256": "0" * 64}).status_code == 403
    assert put_part(portal, begun, 1, study).status_code == 403
    assert portal.client.post(f"{API}/{begun['id']}/complete").status_code == 403
    assert portal.client.get(API).status_code == 200, "what was sent is listed still"
    assert portal.client.delete(f"{API}/{begun['id']}").status_code == 204, "and can be given up"
