"""What every archive keeps: instances once, receipts that count, refusals with their reason."""

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pydicom
import pytest

from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.healthimaging import HealthImaging, ImagingOptions
from bedside.adapters.aws.places import Bucket
from bedside.adapters.memory.archive import MemoryArchive
from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.domain.arrival import StoredFile
from bedside.errors import NotFound
from bedside.ports import BlobStore
from bedside.ports.archive import ImageArchive, Parcel, Receipt
from clouds import Cloud
from dicom_samples import series
from healthimaging import ROLE, run_healthimaging


@dataclass(frozen=True, kw_only=True)
class Place:
    """An archive, the store it reads, and what is in it."""

    archive: ImageArchive
    blobs: BlobStore
    kept: Callable[[], list[str]]


@pytest.fixture(params=["memory", "stow", "import"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        store = MemoryBlobStore()
        memory = MemoryArchive(store)
        yield Place(archive=memory, blobs=store, kept=lambda: sorted(memory._kept))
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    bucket = Bucket(name=cloud.bucket())
    blobs = S3BlobStore(bucket)
    with run_healthimaging(cloud.client("s3")) as fake:
        datastore = fake.add_datastore()
        options = ImagingOptions(
            datastore=datastore,
            bucket=bucket,
            role=ROLE,
            endpoint_url=fake.url,
            stow_instances=1000 if request.param == "stow" else 0,
        )
        yield Place(
            archive=HealthImaging(options, blobs), blobs=blobs, kept=lambda: fake.instances(datastore)
        )


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return series(tmp_path_factory.mktemp("study"))


def parcel_of(place: Place, files: list[Path], *, token: str = "t1", job: str = "j1") -> Parcel:
    parcel = Parcel(tenant="ward", job_id=job, prefix=f"results/a1/{job}/dicom", token=token)
    store = place.blobs.tenant("ward")
    store.put(f"results/a1/{job}/result.json", b"{}")
    store.put(f"results/a1/{job}/dicom2/near.txt", b"not below the prefix")
    store.put_files({f"{parcel.prefix}/{file.name}": file for file in files})
    return parcel


def receipt_of(place: Place, parcel: Parcel) -> Receipt:
    sent = place.archive.send(parcel)
    deadline = time.monotonic() + 20
    while sent.receipt is None:
        assert sent.ticket and time.monotonic() < deadline
        sent = replace(sent, receipt=place.archive.check(parcel, sent.ticket))
    return sent.receipt


def uids(files: list[Path]) -> list[str]:
    return sorted(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in files)


@pytest.mark.parametrize("adapter", [MemoryArchive, HealthImaging])
def test_signatures_are_the_ports(adapter: type) -> None:
    for name, method in inspect.getmembers(ImageArchive, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(method) == inspect.signature(getattr(adapter, name)), name


def test_all_instances_of_a_result_and_nothing_else(place: Place, study: list[Path]) -> None:
    assert receipt_of(place, parcel_of(place, study)) == Receipt(stored=len(study))
    assert place.kept() == uids(study)


def test_the_study_goes_along_with_what_was_read_from_it(
    place: Place, study: list[Path], tmp_path: Path
) -> None:
    store = place.blobs.tenant("ward")
    text = tmp_path / "notes.txt"
    text.write_text("no preamble here")
    files = []
    for path in (*study[1:], text):
        content = path.read_bytes()
        file = StoredFile(sop_instance_uid="", sha256=sha256(content).hexdigest(), size_bytes=len(content))
        store.put(file.key, content)
        files.append(file)
    store.put("arrivals/files/00/another.dcm", study[0].read_bytes())  # of another study
    parcel = replace(parcel_of(place, study[:1]), study=tuple(files))
    receipt = receipt_of(place, parcel)
    assert (receipt.stored, len(receipt.refused)) == (len(study), 1)
    assert place.kept() == uids(study)


def test_the_same_again_is_kept_once(place: Place, study: list[Path]) -> None:
    parcel = parcel_of(place, study)
    first = receipt_of(place, parcel)
    assert receipt_of(place, parcel) == first
    assert receipt_of(place, replace(parcel, token="t2")) == first
    assert place.kept() == uids(study)


def test_what_is_no_dicom_is_refused_and_the_rest_is_kept(
    place: Place, study: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no preamble here")
    receipt = receipt_of(place, parcel_of(place, [*study, text]))
    assert receipt.stored == len(study)
    [refused] = receipt.refused
    assert refused.reason and refused.instance in ("notes.txt", "")
    assert "DOE" not in repr(refused)
    assert place.kept() == uids(study)


def test_nothing_to_send_is_confirmed(place: Place) -> None:
    assert receipt_of(place, parcel_of(place, [])) == Receipt(stored=0)


def test_another_tenants_files_are_not_sent(place: Place, study: list[Path]) -> None:
    parcel = parcel_of(place, study[:1])
    place.blobs.tenant("other").put_file(f"{parcel.prefix}/{study[1].name}", study[1])
    assert receipt_of(place, parcel).stored == 1
    assert place.kept() == uids(study[:1])


def test_a_ticket_that_nobody_gave_is_not_found(place: Place, study: list[Path]) -> None:
    with pytest.raises(NotFound):
        place.archive.check(parcel_of(place, study[:1]), "0" * 32)


def test_a_viewer_finds_a_study_its_instances_and_frames(place: Place, study: list[Path]) -> None:
    receipt_of(place, parcel_of(place, study))
    head = pydicom.dcmread(study[0])
    found = place.archive.image_sets(head.StudyInstanceUID)
    assert [(each.study_uid, each.series_uid) for each in found] == [
        (head.StudyInstanceUID, head.SeriesInstanceUID)
    ]
    assert place.archive.image_sets("1.2.3") == []
    instances = place.archive.instances(found[0].id)
    assert [each.sop_instance_uid for each in instances] == uids(study)
    assert instances[0].attributes["StudyInstanceUID"] == head.StudyInstanceUID
    assert head.StudyInstanceUID not in repr(instances[0])
    assert place.archive.frame(found[0].id, instances[0].frames[0])
    with pytest.raises(NotFound):
        place.archive.instances("0" * 32)
    with pytest.raises(NotFound):
        place.archive.frame(found[0].id, "0" * 32)


def test_an_image_set_that_is_removed_is_gone_and_others_stay(place: Place, tmp_path: Path) -> None:
    both = [series(tmp_path / f"{n}", seed="gone", number=n) for n in (1, 2)]
    for number, files in enumerate(both):
        receipt_of(place, parcel_of(place, files, token=f"g{number}", job=f"l{number}"))
    study = pydicom.dcmread(both[0][0]).StudyInstanceUID
    first, second = place.archive.image_sets(study)
    place.archive.remove(first.id)
    deadline = time.monotonic() + 20
    while [each.id for each in place.archive.image_sets(study)] != [second.id]:
        assert time.monotonic() < deadline
    place.archive.remove(first.id)
    place.archive.remove("0" * 32)
    assert [each.id for each in place.archive.image_sets(study)] == [second.id]
    assert len(place.kept()) == len(both[0])


def test_series_of_one_study_are_image_sets_of_their_own(place: Place, tmp_path: Path) -> None:
    both = [series(tmp_path / f"{n}", seed="two", number=n) for n in (1, 2)]
    for number, files in enumerate(both):
        receipt_of(place, parcel_of(place, files[:1], token=f"s{number}", job=f"k{number}"))
    found = place.archive.image_sets(pydicom.dcmread(both[0][0]).StudyInstanceUID)
    assert len({each.series_uid for each in found}) == len(found) == 2
