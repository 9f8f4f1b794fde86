"""Sending instances by STOW-RS: into the drop-box, each with its own answer, durable before it is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, RLELossless

from bedside.errors import InputRejected, Unavailable
from bedside.portal.dicomweb import takers
from bedside.worker.instances import InstanceKeeper, SentInstance
from dicom_samples import assign, change, compress, ramp, series
from portal_site import CLINICIAN, SETTINGS, VIEWER, Site, site
from portal_studies import answering

URL = "/dicomweb/default/studies"
TYPE = 'multipart/related; type="application/dicom"; boundary=b'


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    """A portal that takes a study as soon as it looks, and instances of a megabyte at most."""
    settings = SETTINGS + "\n[intake]\nquiet_s = 0\n[dicom]\nmax_bytes = 1048576\n"
    with site(tmp_path, settings) as opened:
        opened.gate.person = CLINICIAN
        yield opened


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    (tmp_path / "s").mkdir()
    return series(tmp_path / "s", array=ramp((3, 10, 12)), PatientName="Curie^Marie")


def body(*contents: bytes, kind: str = "application/dicom", end: bytes = b"\r\n--b--") -> bytes:
    parts = [f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + content for content in contents]
    return b"\r\n".join(parts) + end


def send(portal: Site, content: bytes, *, url: str = URL, kind: str = TYPE) -> Any:
    return portal.client.post(url, content=content, headers={"Content-Type": kind})


def dropped(portal: Site, tenant: str = "default") -> list[str]:
    return [blob.key for blob in portal.deployment.blobs.tenant(tenant).list("input/")]


def failures(answer: Any) -> list[int]:
    return [one["00081197"]["Value"][0] for one in answer.json()["00081198"]["Value"]]


def test_what_a_client_of_others_sends_is_read_and_found(portal: Site, paths: list[Path]) -> None:
    compress(paths[0], RLELossless)
    datasets = [pydicom.dcmread(path) for path in paths]
    study = datasets[0].StudyInstanceUID
    with answering(portal.client.app) as address:
        client = DICOMwebClient(f"{address}/dicomweb/default", headers={"X-CSRF-Token": "csrf-of-tests"})
        answer = client.store_instances(datasets)
        assert len(answer.ReferencedSOPSequence) == 3 and "FailedSOPSequence" not in answer
        assert answer.RetrieveURL.endswith(f"/dicomweb/default/studies/{study}")
        keys = dropped(portal)
        assert len(keys) == 3 and len({key.rpartition("/")[0] for key in keys}) == 1
        assert all(study not in key and "Curie" not in key for key in keys)
        portal.deployment.intake.step("default")
        portal.deployment.intake.settle("default")
        assert dropped(portal) == []
        portal.deployment.cataloguer.step()
        (found,) = client.search_for_studies(search_filters={"PatientName": "Curie*"})
    assert found["00201208"]["Value"] == [3]
    arrival = portal.deployment.ledger.newest_arrival("default", study)
    assert arrival is not None and len(arrival.files) == 3


def test_an_instance_is_the_same_object_however_it_was_sent(portal: Site, paths: list[Path]) -> None:
    assert send(portal, body(paths[0].read_bytes())).status_code == 200
    (key,) = dropped(portal)
    meta = pydicom.filereader.read_file_meta_info(paths[0])
    data = paths[0].read_bytes()[144 + meta.FileMetaInformationGroupLength :]
    keeper = InstanceKeeper(blobs=portal.deployment.blobs, scratch=portal.deployment.scratch / "c-store")
    again = SentInstance(
        sop_class_uid=meta.MediaStorageSOPClassUID,
        sop_instance_uid=meta.MediaStorageSOPInstanceUID,
        transfer_syntax_uid=meta.TransferSyntaxUID,
        data=memoryview(data),
    )
    assert not keeper.keep("default", again), "C-STORE finds it there"
    assert send(portal, body(paths[0].read_bytes())).status_code == 200, "sent twice is stored twice well"
    assert dropped(portal) == [key]


def test_each_instance_has_its_own_answer(portal: Site, paths: list[Path], tmp_path: Path) -> None:
    other = pydicom.dcmread(paths[1])
    video = pydicom.dcmread(paths[2])
    video.file_meta.TransferSyntaxUID = MPEG2MPML
    video.PixelData = encapsulate([b"\0\0\1\xb3"])
    video["PixelData"].is_undefined_length = True
    video.save_as(tmp_path / "video.dcm")
    other.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    pydicom.dcmwrite(tmp_path / "other.dcm", other, enforce_file_format=False)
    contents = [
        paths[0].read_bytes(),
        b"not DICOM at all",
        (tmp_path / "other.dcm").read_bytes(),
        (tmp_path / "video.dcm").read_bytes(),
        b"\0" * 2_000_000,
    ]
    answer = send(portal, body(*contents))
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/dicom+json"
    told = answer.json()
    (stored,) = told["00081199"]["Value"]
    uid = pydicom.dcmread(paths[0]).SOPInstanceUID
    assert stored["00081155"]["Value"] == [uid]
    assert stored["00081190"]["Value"][0].endswith(f"/instances/{uid}")
    assert failures(answer) == [0xC000, 0xA900, 0xC122, 0xA700]
    assert told["00081198"]["Value"][2]["00081155"]["Value"] == [video.SOPInstanceUID]
    assert len(dropped(portal)) == 1
    assert list((portal.deployment.scratch / "dicomweb").iterdir()) == [], "nothing is left under way"


def test_nothing_stored_is_a_conflict(portal: Site, paths: list[Path]) -> None:
    study = pydicom.dcmread(paths[0]).StudyInstanceUID
    wrong = send(portal, body(paths[0].read_bytes()), url=f"{URL}/1.2.3")
    assert (wrong.status_code, failures(wrong)) == (409, [0x0110])
    assert send(portal, body(paths[0].read_bytes()), url=f"{URL}/Curie").status_code == 400
    assert dropped(portal) == []
    assert send(portal, body(paths[0].read_bytes()), url=f"{URL}/{study}").status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x", "application/dicom", 415),
        (b"x", 'multipart/related; type="application/dicom+json"; boundary=b', 415),
        (b"x", 'multipart/form-data; boundary="b"', 415),
        (b"x", 'multipart/related; type="application/dicom"', 400),
        (b"no boundary in it", TYPE, 400),
        (b"--b--", TYPE, 400),
        (body(b"breaks off", end=b""), TYPE, 400),
    ],
)
def test_what_is_no_request_is_refused(portal: Site, content: bytes, kind: str, status: int) -> None:
    answer = send(portal, content, kind=kind)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert dropped(portal) == []


def test_only_who_may_send_does_and_with_the_sessions_token(portal: Site, paths: list[Path]) -> None:
    content = body(paths[0].read_bytes())
    for who, status in ((None, 401), (VIEWER, 403)):
        portal.asks(who)
        assert send(portal, content).status_code == status
    portal.asks(CLINICIAN)
    assert send(portal, content, url="/dicomweb/ward-3/studies").status_code == 403
    forged = {"Content-Type": TYPE, "X-CSRF-Token": "another"}
    assert portal.client.post(URL, content=content, headers=forged).status_code == 403
    assert dropped(portal) == dropped(portal, "ward-3") == []


def test_what_cannot_be_kept_just_now_is_not_said_to_be_stored(
    portal: Site, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Unavailable("store: cannot write: no space left")

    monkeypatch.setattr("bedside.adapters.local.blobs.FolderBlobStore.put_file", full)
    answer = send(portal, body(paths[0].read_bytes()))
    assert (answer.status_code, failures(answer)) == (503, [0xA700])


def test_who_takes_an_instance_is_asked_before_the_drop_box(
    portal: Site, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the judging of results takes corrected segmentations."""
    taken = []

    def take(place: Any, found: Any, file: Path) -> Any:
        if found.sop_instance_uid == first:
            taken.append((place.tenant, pydicom.dcmread(file).SOPInstanceUID))
            return found
        if found.sop_instance_uid == second:
            raise InputRejected("not that one")
        return None

    first, second = (pydicom.dcmread(path).SOPInstanceUID for path in paths[:2])
    monkeypatch.setattr(takers, "TAKERS", [take])
    answer = send(portal, body(*(path.read_bytes() for path in paths)))
    assert answer.status_code == 202 and failures(answer) == [0xC000]
    assert taken == [("default", first)]
    assert len(dropped(portal)) == 1


def test_a_part_of_many_pieces_is_one_instance(portal: Site, paths: list[Path]) -> None:
    change(paths[0], lambda dataset: dataset.add_new(0x00091001, "OB", b"\r\n--b\r\n--b-" * 40_000))
    assign(paths[0], SeriesDescription="long")
    content = body(paths[0].read_bytes(), paths[1].read_bytes())

    def pieces() -> Iterator[bytes]:
        for first in range(0, len(content), 777):
            yield content[first : first + 777]

    kind = 'multipart/related; type="application/dicom"; boundary=bb'
    spread = b"".join(pieces()).replace(b"--b\r\nContent", b"--bb\r\nContent")
    spread = spread.removesuffix(b"--b--") + b"--bb--"
    answer = portal.client.post(
        URL,
        content=(spread[n : n + 777] for n in range(0, len(spread), 777)),
        headers={"Content-Type": kind},
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["00081199"]["Value"]) == 2
