"""What DICOMweb shows, to whom, and in which form; Orthanc and others' clients look on in another file."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRBigEndian, JPEGLSLossless
from starlette.testclient import TestClient

from bedside.domain.arrival import Arrival
from bedside.portal.dicomweb import desk as desks
from bedside.ports.audit import AuditFilter
from clouds import Cloud
from dicom_samples import assign, change, compress, enhanced, ramp, rewritten, series
from portal_results import ResultSite
from portal_site import CLINICIAN, ENGINEER, SETTINGS, VIEWER, PersonRole, Site, person, site
from portal_studies import arrived

ROOT = "/dicomweb/default"
OTHER = person((PersonRole.CLINICIAN, "ward-3"))


class Study:
    """A study in a portal, and who asks for it."""

    def __init__(self, portal: Site, paths: list[Path], tenant: str = "default") -> None:
        self.portal = portal
        self.arrival: Arrival = arrived(portal.deployment, paths, tenant=tenant)
        portal.deployment.cataloguer.step()
        self.client: TestClient = portal.client
        found = pydicom.dcmread(paths[0], stop_before_pixels=True)
        self.uid = str(found.StudyInstanceUID)
        self.study = f"/studies/{self.uid}"
        self.series = f"{self.study}/series/{found.SeriesInstanceUID}"
        self.instance = f"{self.series}/instances/{found.SOPInstanceUID}"

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(ROOT + path, **options)

    def json(self, path: str, **options: Any) -> Any:
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def study(portal: Site, tmp_path: Path) -> Study:
    """Three CT slices of 12 bits."""
    (tmp_path / "study").mkdir()
    return Study(portal, series(tmp_path / "study", array=ramp((3, 10, 12)), PatientName="Curie^Marie"))


def several(answer: Any) -> list[bytes]:
    assert answer.status_code in (200, 206), answer.text
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    return [
        part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        for part in answer.content.split(b"--" + boundary)[1:-1]
    ]


def test_nobody_and_nobody_else_gets_anything(study: Study) -> None:
    paths = [
        "/studies", "/series", "/instances", study.study, f"{study.study}/series", f"{study.study}/metadata",
        f"{study.study}/instances", study.series, f"{study.series}/instances", f"{study.series}/metadata",
        study.instance, f"{study.instance}/metadata", f"{study.instance}/frames/1",
        f"{study.instance}/rendered", f"{study.instance}/thumbnail", f"{study.study}/thumbnail",
        f"{study.series}/thumbnail", f"{study.instance}/bulkdata/7FE00010",
        f"{study.instance}/frames/1/rendered", f"{study.instance}/frames/1/thumbnail",
    ]  # fmt: skip
    for who, status in ((None, 401), (ENGINEER, 403), (OTHER, 403)):
        client = study.portal.asks(who)
        for path in paths:
            answer = client.get(ROOT + path)
            assert answer.status_code == status, (who, path)
            assert "Curie" not in answer.text and "PHANTOM" not in answer.text
    study.portal.asks(VIEWER)
    assert all(study.get(path).status_code == 200 for path in paths)


def test_another_tenant_has_no_such_patient_study_or_instance(study: Study) -> None:
    there = study.portal.asks(OTHER)
    for query in ("PatientID=PHANTOM", "PatientName=*", f"StudyInstanceUID={study.uid}", "limit=100"):
        for level in ("studies", "series", "instances"):
            answer = there.get(f"/dicomweb/ward-3/{level}?{query}")
            assert (answer.status_code, answer.content) == (204, b"")
    for path in (study.study, f"{study.study}/metadata", f"{study.instance}/frames/1", study.instance):
        assert there.get(f"/dicomweb/ward-3{path}").status_code == 404
    study.portal.asks(VIEWER)
    assert len(study.json("/studies?PatientID=PHANTOM")) == 1


def test_the_trail_says_once_per_study_and_session_who_looked(study: Study) -> None:
    for _ in range(2):
        for path in ("/studies", f"{study.study}/metadata", f"{study.instance}/frames/1", study.instance):
            assert study.get(path).status_code == 200
    noted = [
        (one.deed.action, one.deed.tenant, one.deed.object, one.deed.person)
        for one in study.portal.deployment.records.audit.records(AuditFilter())
    ]
    assert sorted(noted) == [
        ("studies.searched", "default", "", "p-1"),
        ("study.viewed", "default", study.uid, "p-1"),
    ]


def test_a_search_says_what_it_could_not_do(study: Study) -> None:
    answer = study.get("/studies?fuzzymatching=true&PatientName=curie*&nonsense=1&StudyComments=x")
    assert len(answer.json()) == 1
    said = answer.headers.get_list("warning")
    assert said[0] == (
        "299 http://testserver/dicomweb/default: The fuzzymatching parameter is not supported. "
        "Only literal matching has been performed."
    )
    assert any("no attribute of DICOM" in one for one in said)
    assert any("Matching by 00324000 is not supported" in one for one in said)
    limited = study.get("/instances?limit=2")
    assert len(limited.json()) == 2
    assert "additional results" in limited.headers["warning"]
    rest = study.get("/instances?limit=2&offset=2")
    assert len(rest.json()) == 1 and "warning" not in rest.headers
    assert study.get("/studies?limit=0").status_code == 204


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "offset=1.5", "fuzzymatching=maybe", "StudyDate=today", "StudyTime=9"]
)
def test_a_value_that_cannot_be_is_refused(study: Study, query: str) -> None:
    answer = study.get(f"/studies?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_search_returns_what_is_asked_for_besides(study: Study) -> None:
    (usual,) = study.json("/studies")
    assert "00081090" not in usual and usual["00080061"]["Value"] == ["CT"]
    assert usual["00201206"]["Value"] == [1] and usual["00201208"]["Value"] == [3]
    assert usual["00081190"]["Value"] == [f"http://testserver{ROOT}{study.study}"]
    found = study.json(f"{study.series}/instances?includefield=ImagePositionPatient,00180050&limit=1")
    assert found[0]["00180050"]["Value"] == [2.5] and len(found[0]["00200032"]["Value"]) == 3
    (everything,) = study.json(f"{study.study}/series?includefield=all")
    assert everything["00080070"]["Value"] == ["bedside"] and "00100010" not in everything
    (of_all,) = study.json("/series?Modality=CT&PatientName=CURIE^marie")
    assert of_all["00100010"]["Value"] == [{"Alphabetic": "Curie^Marie"}]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/studies", "application/dicom+xml"),
        ("{study}/metadata", 'multipart/related; type="application/dicom+xml"'),
        ("{instance}", "image/jpeg"),
        ("{instance}", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90"),
        ("{study}", "application/dicom"),
        ("{instance}/frames/1", "image/jp2"),
        ("{instance}/frames/1,1", "application/octet-stream"),
        ("{instance}/rendered", "video/mpeg"),
        ("{instance}/bulkdata/7FE00010", "text/plain"),
    ],
)
def test_what_cannot_be_given_is_not_acceptable(study: Study, path: str, accept: str) -> None:
    where = path.format(study=study.study, instance=study.instance)
    answer = study.get(where, headers={"Accept": accept})
    assert answer.status_code == 406, answer.text
    assert "there is: " in answer.json()["detail"]


def test_accept_may_be_a_parameter_and_has_its_order(study: Study) -> None:
    frame = f"{study.instance}/frames/1"
    single = study.get(f"{frame}?accept=application/octet-stream")
    assert single.headers["content-type"].startswith("application/octet-stream;")
    wish = 'image/jp2, application/octet-stream; q=0.5, multipart/related; type="application/octet-stream"'
    assert study.get(frame, headers={"Accept": wish}).headers["content-type"].startswith("multipart/related")
    assert study.get(frame, headers={"Accept": "image/jp2; q=1, */*; q=0"}).status_code == 406


def test_metadata_is_kept_by_browsers_until_the_study_changes(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks.Remembered, "get", lambda *_: None)
    monkeypatch.setattr("bedside.catalogue.cataloguer.FRESH_S", 0.0)
    first = study.get(f"{study.study}/metadata", headers={"Accept-Encoding": "gzip"})
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["content-encoding"] == "gzip"
    plain = study.get(f"{study.study}/metadata", headers={"Accept-Encoding": "identity"})
    assert plain.json() == first.json() and len(first.json()) == 3
    again = study.get(
        f"{study.study}/metadata",
        headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    (tmp_path / "late").mkdir()
    late = series(tmp_path / "late", array=ramp((5, 10, 12)), PatientName="Curie^Marie")
    arrived(study.portal.deployment, late)
    later = study.get(f"{study.study}/metadata", headers={"If-None-Match": first.headers["etag"]})
    assert later.status_code == 200 and len(later.json()) == 5, "late slices are there at once"
    assert json.loads(gzip.decompress(gzip.compress(later.content)))[0]["7FE00010"]["vr"] == "OW"


def test_frames_of_one_instance_come_in_the_order_asked_for(portal: Site, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    array = ramp((4, 10, 12))
    paths = sorted(series(tmp_path / "s", array=array), key=lambda p: pydicom.dcmread(p).InstanceNumber)
    many = enhanced(paths, tmp_path / "enhanced.dcm")
    stored = pydicom.dcmread(many).pixel_array
    study = Study(portal, [many])
    assert study.json(study.series + "/instances")[0]["00280008"]["Value"] == [4]
    frames = several(study.get(f"{study.instance}/frames/3,1"))
    assert frames == [stored[2].tobytes(), stored[0].tobytes()]
    assert several(study.get(f"{study.instance}/frames/4"))[0] == stored[3].tobytes()
    for wrong, status in (("5", 404), ("0", 400), ("1,x", 400), ("-1", 400), (",", 400)):
        assert study.get(f"{study.instance}/frames/{wrong}").status_code == status, wrong
    whole = study.get(f"{study.instance}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"})
    assert whole.content == stored.tobytes()


def test_compressed_pixels_are_bulk_data_frame_by_frame(portal: Site, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    paths = sorted(series(tmp_path / "s"), key=lambda p: pydicom.dcmread(p).InstanceNumber)
    many = enhanced(paths, tmp_path / "enhanced.dcm")
    stored = pydicom.dcmread(many).pixel_array
    compress(many, JPEGLSLossless)
    study = Study(portal, [many])
    answer = study.get(f"{study.instance}/bulkdata/7FE00010")
    assert answer.headers["content-type"].startswith('multipart/related; type="image/jls"')
    assert len(several(answer)) == len(stored)
    plain = several(
        study.get(
            f"{study.instance}/bulkdata/7FE00010",
            headers={"Accept": 'multipart/related; type="application/octet-stream"'},
        )
    )
    assert plain == [frame.tobytes() for frame in stored]


def test_long_values_come_whole_and_in_ranges_wherever_they_lie(portal: Site, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (path,) = series(tmp_path / "s", array=ramp((1, 10, 12)))
    data = bytes(range(256)) * 8
    item = pydicom.Dataset()
    item.add_new(0x00091002, "OB", data[::-1])

    def edit(dataset: pydicom.Dataset) -> None:
        dataset.add_new(0x00090010, "LO", "BEDSIDE")
        dataset.add_new(0x00091001, "OW", data)
        dataset.add_new(0x00091003, "SQ", [item])
        dataset.add_new(0x00091004, "OB", b"short!")

    change(path, edit)
    other = rewritten(path, ExplicitVRBigEndian, tmp_path / "big.dcm")
    assign(other, SOPInstanceUID="1.2.3.4")
    turned = np.frombuffer(data, ">u2").astype("<u2").tobytes()  # pydicom writes OW as it was given
    for file, expected in ((path, data), (other, turned)):
        study = Study(portal, [file])
        (told,) = study.json(f"{study.instance}/metadata")
        assert told["00091004"]["InlineBinary"] == "c2hvcnQh"
        top, nested = told["00091001"]["BulkDataURI"], told["00091003"]["Value"][0]["00091002"]["BulkDataURI"]
        assert study.client.get(nested, headers={"Accept": "*/*"}).content == data[::-1]
        whole = study.client.get(top)
        assert whole.content == expected and whole.headers["content-type"] == "application/octet-stream"
        some = study.client.get(top, headers={"Range": "bytes=10-19"})
        assert (some.status_code, some.content) == (206, expected[10:20])
        assert some.headers["content-range"] == f"bytes 10-19/{len(data)}"
        assert study.client.get(top, headers={"Range": "bytes=-5"}).content == expected[-5:]
        assert study.client.get(top, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
        assert study.client.get(f"{top}9").status_code == 404


def test_a_very_long_value_is_sent_in_pieces(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside.portal.dicomweb.bulk._PIECE_BYTES", 7)
    address = f"{study.instance}/bulkdata/7FE00010"
    whole = study.get(address)
    sample = pydicom.dcmread(next(iter_paths(study)))
    assert whole.content == sample.PixelData and whole.headers["content-length"] == "240"
    assert study.get(address, headers={"Range": "bytes=3-40"}).content == sample.PixelData[3:41]
    parts = study.get(address, headers={"Accept": 'multipart/related; type="application/octet-stream"'})
    assert several(parts) == [sample.PixelData]


def grey(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    from io import BytesIO

    return np.asarray(Image.open(BytesIO(answer.content)))


def test_a_picture_has_its_window(study: Study) -> None:
    sample = pydicom.dcmread(next(iter_paths(study)))
    values = sample.pixel_array.astype(float) * sample.RescaleSlope + sample.RescaleIntercept
    png = {"Accept": "image/png"}
    linear = grey(study.get(f"{study.instance}/rendered?window=-900,200,linear", headers=png))
    expected = np.clip((values - (-900 - 0.5)) / (200 - 1) + 0.5, 0, 1) * 255
    np.testing.assert_allclose(linear, expected, atol=0.51)
    exact = grey(study.get(f"{study.instance}/rendered?window=-900,200,linear-exact", headers=png))
    np.testing.assert_allclose(exact, np.clip((values + 900) / 200 + 0.5, 0, 1) * 255, atol=0.51)
    sigmoid = grey(study.get(f"{study.instance}/rendered?window=-900,200,sigmoid", headers=png))
    np.testing.assert_allclose(sigmoid, 255 / (1 + np.exp(-4 * (values + 900) / 200)), atol=0.51)
    own = grey(study.get(f"{study.instance}/rendered", headers=png))
    default = f"window={sample.WindowCenter},{sample.WindowWidth},linear"
    np.testing.assert_array_equal(own, grey(study.get(f"{study.instance}/rendered?{default}", headers=png)))
    # A region is cut out, as large as it says, before it is made smaller: this one would take terabytes.
    huge = "viewport=4,3,0,0,1000000,1000000"
    for wrong in (huge, "viewport=4,3,0,0,0.2,9", f"quality={'9' * 5000}"):
        assert study.get(f"{study.instance}/rendered?{wrong}").status_code == 400, wrong
    bytes_of = {"Range": f"bytes={'9' * 5000}-"}
    assert study.get(f"{study.instance}/bulkdata/7FE00010", headers=bytes_of).status_code == 200
    for wrong in ("window=1", "window=1,2,curved", "window=1,0,linear", "viewport=0,5", "quality=101"):
        assert study.get(f"{study.instance}/rendered?{wrong}").status_code == 400, wrong


def iter_paths(study: Study) -> Any:
    store = study.portal.deployment.blobs.tenant("default")
    uid = study.instance.rpartition("/")[2]
    for file in study.arrival.files:
        if file.sop_instance_uid == uid:
            yield store.open(file.key)


def test_a_picture_fits_its_viewport(study: Study) -> None:
    png = {"Accept": "image/png"}
    whole = grey(study.get(f"{study.instance}/rendered", headers=png))
    assert whole.shape == (10, 12)
    assert grey(study.get(f"{study.instance}/rendered?viewport=24,24", headers=png)).shape == (20, 24)
    part = grey(study.get(f"{study.instance}/rendered?viewport=4,3,2,1,4,3", headers=png))
    np.testing.assert_array_equal(part, whole[1:4, 2:6])
    flipped = grey(study.get(f"{study.instance}/rendered?viewport=4,3,2,1,-4,3", headers=png))
    np.testing.assert_array_equal(flipped, part[:, ::-1])
    assert max(grey(study.get(f"{study.series}/thumbnail")).shape) == 200
    assert study.get(f"{study.study}/thumbnail").headers["content-type"] == "image/jpeg"


def test_colours_and_inverse_greys_are_shown_as_they_are(portal: Site, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    grey_path, colour_path = series(tmp_path / "s", array=ramp((2, 10, 12)))
    rgb = np.random.default_rng(1).integers(0, 256, (10, 12, 3)).astype(np.uint8)

    def colour(dataset: pydicom.Dataset) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = rgb.tobytes()

    change(colour_path, colour)
    assign(grey_path, PhotometricInterpretation="MONOCHROME1")
    study = Study(portal, [colour_path, grey_path])
    png = {"Accept": "image/png"}
    np.testing.assert_array_equal(grey(study.get(f"{study.instance}/rendered", headers=png)), rgb)
    assert several(study.get(f"{study.instance}/frames/1")) == [rgb.tobytes()]
    inverse = f"{study.series}/instances/{pydicom.dcmread(grey_path).SOPInstanceUID}/rendered"
    window = "?window=-900,200,linear"
    values = pydicom.dcmread(grey_path).pixel_array * 1.0 + pydicom.dcmread(grey_path).RescaleIntercept
    expected = 255 - np.clip((values + 900.5) / 199 + 0.5, 0, 1) * 255
    np.testing.assert_allclose(grey(study.get(inverse + window, headers=png)), expected, atol=0.51)


def test_what_has_no_pixels_or_broken_ones_is_there_without_them(portal: Site, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    cut, document = series(tmp_path / "s", array=ramp((2, 10, 12)))
    cut.write_bytes(cut.read_bytes()[:-50])

    def without_pixels(dataset: pydicom.Dataset) -> None:
        del dataset.PixelData
        dataset.SOPClassUID = EncapsulatedPDFStorage
        dataset.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
        dataset.EncapsulatedDocument = b"%PDF" + b"x" * 3000

    change(document, without_pixels)
    study = Study(portal, [cut, document])
    assert len(study.json(f"{study.study}/metadata")) == 2
    answer = study.get(f"{study.instance}/frames/1")
    assert answer.status_code == 404 and "190 bytes" in answer.json()["detail"]
    assert study.get(f"{study.instance}/rendered").status_code == 406
    uid = pydicom.dcmread(document).SOPInstanceUID
    assert study.get(f"{study.series}/instances/{uid}/frames/1").status_code == 404
    told = study.json(f"{study.series}/instances/{uid}/metadata")[0]
    assert study.client.get(told["00420011"]["BulkDataURI"]).content.startswith(b"%PDFxxx")
    assert study.get(study.instance, headers={"Accept": "application/dicom; transfer-syntax=*"}).is_success


def test_results_are_among_the_series(results: ResultSite) -> None:
    deployment, study = results.deployment, results.made.study_uid
    deployment.cataloguer.step()
    found = results.client.get(f"{ROOT}/studies/{study}/series").json()
    by_modality = {one["00080060"]["Value"][0]: one for one in found}
    assert set(by_modality) == {"CT", "SEG", "SR"}
    (segmentation,) = results.client.get(
        f"{ROOT}/instances", params={"StudyInstanceUID": study, "Modality": "SEG"}
    ).json()
    address = segmentation["00081190"]["Value"][0].removeprefix("http://testserver")
    prefix = f"results/{results.made.arrival_id}/{results.made.job_id}"
    whole = results.client.get(address, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert whole.content == deployment.blobs.get(f"{prefix}/dicom/seg.dcm")
    frames = segmentation["00280008"]["Value"][0]
    mask = pydicom.dcmread(pydicom.filebase.DicomBytesIO(whole.content)).pixel_array
    (last,) = several(results.client.get(f"{address}/frames/{frames}"))
    unpacked = np.unpackbits(np.frombuffer(last, np.uint8), bitorder="little")[: mask[-1].size]
    np.testing.assert_array_equal(unpacked.reshape(mask[-1].shape), mask[-1])


def test_a_study_in_a_bucket_is_read_in_ranges(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").mkdir()
    paths = sorted(series(tmp_path / "s"), key=lambda p: pydicom.dcmread(p).InstanceNumber)
    many = enhanced(paths, tmp_path / "enhanced.dcm")
    settings = SETTINGS + f'\n[store]\nurl = "s3://{cloud.bucket()}/hospital"\n'
    with site(tmp_path, settings) as portal:
        portal.gate.person = CLINICIAN
        study = Study(portal, [many])
        stored = pydicom.dcmread(many).pixel_array
        assert len(study.json(f"{study.study}/metadata")) == 1
        assert several(study.get(f"{study.instance}/frames/2")) == [stored[1].tobytes()]
        whole = study.get(study.instance, headers={"Accept": "application/dicom; transfer-syntax=*"})
        assert whole.content == many.read_bytes()
        some = study.get(f"{study.instance}/bulkdata/7FE00010", headers={"Range": "bytes=2-3"})
        assert some.content == stored.tobytes()[2:4]
        assert study.get(f"{study.instance}/rendered").headers["content-type"] == "image/jpeg"
