"""An instance from the network becomes an object of the drop-box: which, when, and when not."""

import hashlib
from pathlib import Path

import pydicom
import pytest

from bedside.adapters.local.blobs import FolderBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.dicom.identify import identify
from bedside.errors import InputRejected, Unavailable
from bedside.worker.dropbox import DropboxWatch
from bedside.worker.instances import InstanceKeeper, Mismatched, SentInstance
from dicom_samples import assign, series


def sent(path: Path, **changed: str) -> SentInstance:
    """What a sender would send of a file."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    meta = 144 + dataset.file_meta.FileMetaInformationGroupLength
    named = {
        "sop_class_uid": str(dataset.SOPClassUID),
        "sop_instance_uid": str(dataset.SOPInstanceUID),
        "transfer_syntax_uid": str(dataset.file_meta.TransferSyntaxUID),
    }
    return SentInstance(**{**named, **changed}, data=memoryview(path.read_bytes()[meta:]))


@pytest.fixture
def keeper(tmp_path: Path) -> InstanceKeeper:
    root = tmp_path / "root"
    return InstanceKeeper(blobs=FolderBlobStore(root), scratch=root / ".work" / "dicom")


def inbox(keeper: InstanceKeeper, tenant: str = "ward") -> list[str]:
    return [blob.key for blob in keeper.blobs.tenant(tenant).list("input/")]


def test_a_study_is_one_entry_whose_keys_name_nobody(keeper: InstanceKeeper, tmp_path: Path) -> None:
    paths = series(tmp_path / "a", PatientName="Doe^Jane", PatientID="4711")
    other = series(tmp_path / "b", seed="other")
    for path in [*paths, other[0]]:
        assert keeper.keep("ward", sent(path))
    watch = DropboxWatch(keeper.blobs, 0, ManualClock())
    found = {dropped.key: len(dropped.parts) for dropped in watch.ready("ward")}
    assert sorted(found.values()) == [1, len(paths)]
    uids = {pydicom.dcmread(path).StudyInstanceUID for path in (paths[0], other[0])}
    assert not any(word in key for key in inbox(keeper) for word in ("Doe", "4711", *uids))
    assert inbox(keeper, "other") == []


def test_the_data_set_is_kept_as_it_was_sent(keeper: InstanceKeeper, tmp_path: Path) -> None:
    instance = sent(series(tmp_path / "a")[0])
    keeper.keep("ward", instance)
    content = keeper.blobs.tenant("ward").get(inbox(keeper)[0])
    assert content.endswith(instance.data)
    head = content[: -len(instance.data)]
    assert head[128:132] == b"DICM" and b"Doe" not in head
    # Whoever sends it, now or in a year: its hash is part of an arrival's identity.
    assert hashlib.sha256(head).hexdigest()[:16] == "ee6bb14f204e60bb"


def test_again_is_the_same_object_and_other_content_is_another(
    keeper: InstanceKeeper, tmp_path: Path
) -> None:
    path = series(tmp_path / "a")[0]
    assert keeper.keep("ward", sent(path))
    before = list(keeper.blobs.tenant("ward").list("input/"))
    assert not keeper.keep("ward", sent(path))
    assert list(keeper.blobs.tenant("ward").list("input/")) == before  # its quiet time goes on
    assert keeper.keep("ward", sent(assign(path, SeriesDescription="corrected")))
    assert len(inbox(keeper)) == 2


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"sop_instance_uid": "1.2.3"}, Mismatched),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, Mismatched),
        ({"data": memoryview(b"no data set")}, InputRejected),
        ({"data": memoryview(b"")}, InputRejected),
    ],
)
def test_what_is_not_what_its_sender_says_leaves_nothing(
    keeper: InstanceKeeper, tmp_path: Path, changed: dict[str, str], refused: type[InputRejected]
) -> None:
    instance = sent(series(tmp_path / "a")[0])
    fields = {name: getattr(instance, name) for name in SentInstance.__slots__}
    with pytest.raises(refused) as caught:
        keeper.keep("ward", SentInstance(**{**fields, **changed}))
    assert type(caught.value) is refused
    assert inbox(keeper) == [] and list(keeper.scratch.iterdir()) == []


def test_an_instance_without_a_study_is_refused(keeper: InstanceKeeper, tmp_path: Path) -> None:
    path = assign(series(tmp_path / "a")[0], StudyInstanceUID=None)
    assert identify(path) is None
    with pytest.raises(InputRejected):
        keeper.keep("ward", sent(path))


def test_a_disk_that_is_nearly_full_is_left_alone(keeper: InstanceKeeper, tmp_path: Path) -> None:
    full = InstanceKeeper(blobs=keeper.blobs, scratch=keeper.scratch, min_free_bytes=2**60)
    with pytest.raises(Unavailable, match=r"must stay free \(dicom\.min_free_bytes\)"):
        full.keep("ward", sent(series(tmp_path / "a")[0]))
    assert inbox(keeper) == []


def test_what_a_killed_process_left_is_removed(keeper: InstanceKeeper) -> None:
    keeper.scratch.mkdir(parents=True)
    (keeper.scratch / "half.dcm").write_bytes(b"half")
    keeper.clear()
    assert not keeper.scratch.exists()
