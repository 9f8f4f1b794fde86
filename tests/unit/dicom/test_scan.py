"""Every file of a study is taken or left with its reason; what came twice counts once."""

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from bedside.dicom.scan import StudyScan, scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected
from dicom_samples import assign, change, enhanced, ramp, rewritten, series


def reasons(found: StudyScan) -> list[str]:
    return sorted(left.reason for left in found.left)


def test_mixed_files_each_have_their_reason(tmp_path: Path) -> None:
    paths = series(tmp_path / "ct")
    for name, sop_class in (
        ("sc", SecondaryCaptureImageStorage),
        ("sr", BasicTextSRStorage),
        ("seg", SegmentationStorage),
    ):
        (one,) = series(tmp_path / name, array=ramp((1, 4, 4)), seed=name)
        assign(one, SOPClassUID=sop_class)
    (tmp_path / "notes.txt").write_text("a plain text file, longer than a short header")
    (tmp_path / "empty").touch()
    (tmp_path / "cut.dcm").write_bytes(paths[0].read_bytes()[:560])
    directory = tmp_path / "DICOMDIR"
    shutil.copy(Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/DICOMDIR", directory)
    found = scan([tmp_path])
    assert [len(s.instances) for s in found.series] == [6]
    assert reasons(found) == [
        "Basic Text SR Storage is no CT, MR or PET image",
        "Secondary Capture Image Storage is no CT, MR or PET image",
        "Segmentation Storage is no CT, MR or PET image",
        "a DICOMDIR: its instances are read themselves",
        "no valid Study Instance UID, file is truncated",
        "not a DICOM file",
        "not a DICOM file",
    ]


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    paths = series(tmp_path)
    one, other = scan(paths).series[0], scan(paths[::-1]).series[0]
    assert one == other
    heights = [header.position[2] for header in one.instances if header.position]
    assert heights == sorted(heights)


def test_series_are_kept_apart(tmp_path: Path) -> None:
    series(tmp_path / "a", number=1)
    series(tmp_path / "b", number=2, modality="MR", array=ramp(low=0))
    found = scan([tmp_path])
    assert sorted((s.modality, len(s.instances)) for s in found.series) == [("CT", 6), ("MR", 6)]
    assert len({s.study_uid for s in found.series}) == 1


@pytest.mark.parametrize("how", ["copy", "implicit", "rle"])
def test_the_same_instance_twice_counts_once(tmp_path: Path, how: str) -> None:
    paths = series(tmp_path)
    again = tmp_path / "again.dcm"
    if how == "copy":
        shutil.copy(paths[2], again)
    elif how == "implicit":
        rewritten(paths[2], ImplicitVRLittleEndian, again)
    else:

        def pack(dataset: Dataset) -> None:
            dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)

        change(paths[2], pack, to=again)
    found = scan([tmp_path])
    assert reasons(found) == ["the same instance came twice; one is kept"]
    assert (read_volume(found.series[0]).array == ramp()).all()


def test_one_uid_with_two_contents_is_refused(tmp_path: Path) -> None:
    paths = series(tmp_path)

    def edit(dataset: Dataset) -> None:
        pixels = bytearray(dataset.PixelData)
        pixels[7] ^= 1
        dataset.PixelData = bytes(pixels)

    change(paths[2], edit, to=tmp_path / "again.dcm")
    (found,) = scan([tmp_path]).series
    with pytest.raises(InputRejected, match="came 2 times, 1 with other content"):
        read_volume(found)


def test_a_whole_copy_is_kept_instead_of_a_broken_one(tmp_path: Path) -> None:
    paths = series(tmp_path)
    (tmp_path / "0000.dcm").write_bytes(paths[2].read_bytes()[:-20])
    (found,) = scan([tmp_path]).series
    assert (read_volume(found).array == ramp()).all()


def test_a_localizer_inside_a_series_is_left(tmp_path: Path) -> None:
    paths = series(tmp_path / "ct")
    (extra,) = series(tmp_path / "l", array=ramp((1, 10, 12)), seed="localizer")
    reference = pydicom.dcmread(paths[0])
    assign(
        extra,
        SeriesInstanceUID=reference.SeriesInstanceUID,
        StudyInstanceUID=reference.StudyInstanceUID,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    found = scan([tmp_path])
    assert reasons(found) == ["a localizer among other images of its series"]
    assert (read_volume(found.series[0]).array == ramp()).all()


def test_a_series_of_localizers_stays_one(tmp_path: Path) -> None:
    series(tmp_path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (found,) = scan([tmp_path]).series
    assert found.localizer


def test_lossy_compression_is_noted(tmp_path: Path) -> None:
    paths = series(tmp_path)
    assert not scan(paths).series[0].lossy
    assign(paths[4], LossyImageCompression="01")
    assert scan(paths).series[0].lossy


def test_an_unknown_transfer_syntax_refuses_the_series(tmp_path: Path) -> None:
    paths = series(tmp_path)
    raw = paths[5].read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.7\0")
    paths[5].write_bytes(raw)
    (found,) = scan(paths).series
    assert "transfer syntax" in found.problem


def test_nothing_shown_holds_a_patient_or_a_path(tmp_path: Path) -> None:
    paths = series(tmp_path / "DOE^JANE", PatientName="DOE^JANE", PatientID="4711")
    paths[0].write_bytes(paths[0].read_bytes()[:-5])
    found = scan([tmp_path])
    with pytest.raises(InputRejected) as caught:
        read_volume(found.series[0])
    shown = f"{found!r} {found.series[0].instances!r} {caught.value}"
    assert "DOE" not in shown
    assert "4711" not in shown


def test_the_reference_is_one_whole_header(tmp_path: Path) -> None:
    (found,) = scan(series(tmp_path)).series
    reference = found.reference()
    assert reference is found.reference()
    assert reference.PatientID == "PHANTOM"
    assert "PixelData" not in reference
    assert reference.SOPInstanceUID == found.instances[0].sop_instance_uid


def test_enhanced_instances_are_series_of_one(tmp_path: Path) -> None:
    packed = enhanced(series(tmp_path / "single"), tmp_path / "multi.dcm")
    (found,) = scan([packed]).series
    assert (len(found.instances), found.instances[0].frames) == (1, 6)
