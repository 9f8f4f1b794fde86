"""The OHIF viewer's files, its page, and the links that open it; tests/browser looks at what it shows."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bedside.dicom.identify import identify
from bedside.portal.ohif import files
from bedside.portal.shell import statics
from portal_results import TENANT, ResultSite
from portal_site import ENGINEER, VIEWER, Site, person

SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in place of the viewer, as the tool that brings it lays one down."""
    folder = tmp_path / "vendor" / "ohif"
    folder.mkdir(parents=True)
    (folder / "app.bundle.0a.js.gz").write_bytes(gzip.compress(b"start()"))
    (folder / "app.bundle.css.gz").write_bytes(gzip.compress(b"b{}"))
    (folder / "0b.woff2").write_bytes(b"font")
    (tmp_path / "vendor" / "secret.js").write_text("no")
    monkeypatch.setitem(statics.FOLDERS, "vendor", tmp_path / "vendor")
    return folder


def test_files_come_packed_for_ever_and_under_a_policy_of_their_own(portal: Site, viewer: Path) -> None:
    answer = portal.client.get("/ohif/-/app.bundle.0a.js")
    assert (answer.text, answer.headers["content-encoding"]) == ("start()", "gzip")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy and "default-src 'none'" in policy
    plain = portal.client.get("/ohif/-/app.bundle.0a.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == "start()" and "content-encoding" not in plain.headers
    assert portal.client.get("/ohif/-/0b.woff2").content == b"font"
    for name in ("nothing.js", "..%2Fsecret.js", "%2e%2e/secret.js", ""):
        assert portal.client.get(f"/ohif/-/{name}").status_code == 404, name
    # What the viewer may do, no page of ours may.
    assert "unsafe" not in portal.client.get("/").headers["content-security-policy"]


def test_the_page_tells_the_viewer_its_tenants_address_and_names_no_other_host(
    portal: Site, viewer: Path
) -> None:
    page = portal.client.get("/ohif/default/segmentation", params={"StudyInstanceUIDs": "1.2.3"})
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == files.POLICY
    assert page.headers["cache-control"] == "no-store"
    told = json.loads(re.findall(r'id="told">(.*?)</script>', page.text)[0])
    assert (told["dicomweb"], told["base"]) == ("/dicomweb/default", "/ohif/default")
    assert told["csrf"]["value"]
    assert '<script src="/ohif/-/app.bundle.0a.js" defer>' in page.text
    assert 'href="/ohif/-/app.bundle.css"' in page.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.text)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page.text)


@pytest.mark.parametrize(
    "address", ["/ohif/{}/segmentation", "/t/{}/studies/a/images", "/t/{}/results/j/images"]
)
def test_only_who_may_read_in_the_tenant_gets_there(portal: Site, viewer: Path, address: str) -> None:
    portal.asks(VIEWER)
    assert portal.client.get(address.format("ward-3")).status_code == 403
    portal.asks(ENGINEER)  # sees identifiers, never images
    assert portal.client.get(address.format("default")).status_code == 403
    portal.asks(person())
    assert portal.client.get(address.format("default")).status_code == 403
    portal.asks(None)
    assert portal.client.get(address.format("default")).headers["location"].startswith("/sign-in")


def test_a_result_opens_with_its_own_segmentation(results: ResultSite, viewer: Path) -> None:
    answer = results.client.get(f"{results.page}/images")
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    asked = parse_qs(where.query)
    assert where.path == f"/ohif/{TENANT}/segmentation"
    assert asked["StudyInstanceUIDs"] == [results.made.study_uid]
    (uid,) = asked["initialSOPInstanceUID"]
    written = [identify(path) for path in (results.deployment.root / TENANT / "results").rglob("dicom/*.dcm")]
    assert [found.sop_instance_uid for found in written if found and found.sop_class_uid == SEG] == [uid]
    assert asked["hangingProtocolId"] == ["default"]
    note = results.deployment.records.audit.head()
    assert note and (note.deed.action, note.deed.object) == ("images.viewed", results.made.job_id)


def test_a_study_opens_without(results: ResultSite, viewer: Path) -> None:
    client = results.client
    answer = client.get(f"/t/{TENANT}/studies/{results.made.arrival_id}/images", cookies={"language": "es"})
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked.pop("hangingProtocolId") == ["default"]
    assert asked == {"StudyInstanceUIDs": [results.made.study_uid], "lng": ["es"]}
    assert client.get(f"/t/{TENANT}/studies/nothing/images").status_code == 404
    assert client.get(f"/t/{TENANT}/results/nothing/images").status_code == 404


def test_where_it_is_missing_the_links_say_so_and_lead_to_our_own_viewer(
    results: ResultSite, viewer: Path
) -> None:
    for path in viewer.iterdir():
        path.unlink()
    answer = results.client.get(f"{results.page}/images")
    assert answer.status_code == 503
    assert "The OHIF viewer is not installed here" in answer.text and "bedside doctor" in answer.text
    assert f'href="{results.page}"' in answer.text
    assert results.client.get(f"/ohif/{TENANT}/segmentation").status_code == 503


def test_pages_of_results_and_studies_lead_there(results: ResultSite, viewer: Path) -> None:
    study = f"/t/{TENANT}/studies/{results.made.arrival_id}"
    for page in (results.page, study):
        assert f'href="{page}/images">View images</a>' in results.client.get(page).text
    assert "View images" not in results.asks(ENGINEER).get(study).text


@pytest.mark.needs("NiiVue")
def test_big_files_of_others_travel_packed_where_a_browser_takes_them(portal: Site) -> None:
    packed = portal.client.get("/vendor/niivue/index.js")
    plain = portal.client.get("/vendor/niivue/index.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) * 3 < int(plain.headers["content-length"])
    assert packed.headers["content-type"] == plain.headers["content-type"]


def test_what_came_a_moment_ago_is_found_by_the_viewer(results: ResultSite, viewer: Path) -> None:
    search = {"StudyInstanceUID": results.made.study_uid}
    web = f"/dicomweb/{TENANT}/studies"
    assert results.client.get(web, params=search).status_code == 204, "nobody has catalogued it yet"
    assert results.client.get(f"{results.page}/images").status_code == 303
    (found,) = results.client.get(web, params=search).json()
    assert found["0020000D"]["Value"] == [results.made.study_uid]
