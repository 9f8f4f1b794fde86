"""The SEG against the standard and against independent readers: dciodvfy, highdicom, dcmtk."""

import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from bedside.dicom.results import write_results
from bedside.domain.codes import label_for
from bedside.domain.volume import ModelOutput, Segmentation
from results_samples import LABELS, REQUEST, Case, make_case, read_back


def errors(path: Path) -> list[str]:
    """Return what dciodvfy calls an error."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert {"Segmentation", "EnhancedSR"} & set(lines), lines  # the IOD it recognised
    return [line for line in lines if line.startswith("Error")]


def write(case: Case, folder: Path, output: ModelOutput | None = None) -> Path:
    write_results(
        folder,
        request=replace(REQUEST, outputs=("seg", "sr")),
        series=case.series,
        volume=case.volume,
        output=output or case.output,
    )
    return folder / "dicom/seg.dcm"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path / "study")


def overlapping(case: Case) -> ModelOutput:
    """The two solids, and a third mask that covers the larger one and more."""
    assert case.output.segmentation is not None
    found = case.output.segmentation.array
    around = np.zeros_like(found)
    around[10:40, 5:60, 20:75] = 1
    masks = np.stack([found == 1, found == 2, around == 1]).astype(np.uint8)
    return ModelOutput(segmentation=replace(case.output.segmentation, array=masks))


def empty(case: Case) -> ModelOutput:
    assert case.output.segmentation is not None
    nothing = np.zeros_like(case.output.segmentation.array)
    return ModelOutput(segmentation=replace(case.output.segmentation, array=nothing))


def odd_names(case: Case) -> ModelOutput:
    """Labels as strangers write them."""
    assert case.output.segmentation is not None
    labels = (label_for("脾臓", 1), label_for("x" * 90, 2), label_for("liver tumour", 3))
    return ModelOutput(segmentation=replace(case.output.segmentation, labels=labels))


@pytest.mark.needs("dciodvfy")
@pytest.mark.parametrize("kind", ["found", "empty", "overlapping", "odd names"])
def test_dciodvfy_finds_no_error(kind: str, case: Case, tmp_path: Path) -> None:
    makers = {"empty": empty, "overlapping": overlapping, "odd names": odd_names}
    output = makers[kind](case) if kind in makers else case.output
    seg = write(case, tmp_path / "out", output)
    assert errors(seg) == []
    assert errors(seg.with_name("sr.dcm")) == []


@pytest.mark.needs("dciodvfy")
def test_dciodvfy_would_find_one(case: Case, tmp_path: Path) -> None:
    seg = write(case, tmp_path / "out")
    broken = pydicom.dcmread(seg)
    del broken.SegmentSequence[0].SegmentAlgorithmType
    broken.save_as(seg)
    assert errors(seg)


def masks_of(path: Path, shape: tuple[int, ...], affine: np.ndarray) -> dict[int, np.ndarray]:
    """Read a SEG with highdicom and lay its frames into the volume's grid by their positions."""
    seg = hd.seg.segread(path)
    to_index = np.linalg.inv(affine)
    laid = {int(item.SegmentNumber): np.zeros(shape, dtype=bool) for item in seg.SegmentSequence}
    for frame, item in enumerate(seg.PerFrameFunctionalGroupsSequence):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        position = [*map(float, item.PlanePositionSequence[0].ImagePositionPatient), 1.0]
        k = (to_index @ position)[0]
        assert abs(k - round(k)) < 1e-3
        laid[number][round(k)] |= seg.get_frame(frame + 1, dtype=np.uint8).astype(bool)
    return laid


@pytest.mark.parametrize("kind", ["found", "overlapping"])
def test_highdicom_reads_the_same_voxels(kind: str, case: Case, tmp_path: Path) -> None:
    output = overlapping(case) if kind == "overlapping" else case.output
    found = output.segmentation
    assert found is not None
    path = write(case, tmp_path / "out", output)
    laid = masks_of(path, case.volume.array.shape, case.volume.affine)
    assert set(laid) == {1, 2, 3}
    for number, label in enumerate(LABELS, start=1):
        assert np.array_equal(laid[number], found.mask(label)), label.name
    assert pydicom.dcmread(path).SegmentsOverlap == ("YES" if kind == "overlapping" else "NO")


def test_odd_frame_sizes_are_packed_without_padding(tmp_path: Path) -> None:
    """35 columns × 55 rows are no whole bytes: frames begin inside one."""
    case = make_case(tmp_path / "study")
    cropped = replace(case.volume, array=case.volume.array[:, :55, :35])
    found = np.random.default_rng(3).integers(0, 3, cropped.array.shape).astype(np.uint8)
    output = ModelOutput(segmentation=Segmentation(array=found, affine=cropped.affine, labels=LABELS))
    path = write(replace(case, volume=cropped), tmp_path / "out", output)
    laid = masks_of(path, cropped.array.shape, cropped.affine)
    assert np.array_equal(laid[1], found == 1)
    assert np.array_equal(laid[2], found == 2)


def test_nothing_found_is_a_valid_answer(case: Case, tmp_path: Path) -> None:
    path = write(case, tmp_path / "out", empty(case))
    seg = hd.seg.segread(path)
    assert seg.NumberOfFrames == 3  # one for each segment, so that each can be pointed at
    assert not np.asarray(seg.pixel_array).any()
    assert [item.SegmentLabel for item in seg.SegmentSequence] == [label.name for label in LABELS]


def test_segments_say_what_they_are_and_who_found_them(case: Case, tmp_path: Path) -> None:
    seg = pydicom.dcmread(write(case, tmp_path / "out"))
    assert (seg.SegmentationType, seg.BitsAllocated, seg.Modality) == ("BINARY", 1, "SEG")
    assert (seg.Manufacturer, seg.ManufacturerModelName) == ("bedside", "organs_ct")
    assert seg.DeviceSerialNumber == "ab" * 32
    assert any(
        REQUEST.release in item.get("ContributionDescription", "")
        for item in seg.ContributingEquipmentSequence
    )
    kidney = seg.SegmentSequence[1]
    assert kidney.SegmentAlgorithmType == "AUTOMATIC"
    assert kidney.SegmentAlgorithmName == "organs_ct 1.2.0"
    kind = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("64033007", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    for item, label in zip(seg.SegmentSequence, LABELS, strict=True):
        shown = hd.color.CIELabColor.from_dicom_value(item.RecommendedDisplayCIELabValue).to_rgb()
        assert np.abs(np.array(shown) - label.colour).max() <= 1


def test_patient_and_study_come_along_in_any_script(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "P1", "99HIS", "Ωμος"
    case = make_case(
        tmp_path / "study",
        SpecificCharacterSet="ISO_IR 126",
        PatientName="Διονυσιος",
        PatientBirthDate="19700102",
        PatientSex="M",
        PatientAge="055Y",
        StudyDescription="Κοιλια",
        AccessionNumber="A77",
        ProcedureCodeSequence=[code],
    )
    seg_path = write(case, tmp_path / "out")
    for path in (seg_path, seg_path.with_name("sr.dcm")):
        made, source = pydicom.dcmread(path), pydicom.dcmread(case.paths[0])
        assert source.SpecificCharacterSet == "ISO_IR 126"
        assert made.PatientName == source.PatientName == "Διονυσιος"
        assert made.ProcedureCodeSequence[0].CodeMeaning == "Ωμος"
        for keyword in (
            "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyInstanceUID", "StudyDate",
            "StudyTime", "StudyDescription", "StudyID", "AccessionNumber", "ReferringPhysicianName",
        ):  # fmt: skip
            assert made[keyword].value == source[keyword].value, keyword
        assert made.SeriesInstanceUID != source.SeriesInstanceUID


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_headers_come_along_from_any_encoding(syntax: UID, tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "P1", "99HIS", "Ωμος"
    case = make_case(
        tmp_path / "study",
        SpecificCharacterSet="ISO_IR 126",
        PatientName="Διονυσιος",
        PatientWeight="70.5",
        ProcedureCodeSequence=[code],
    )
    for path in case.paths:
        instance = pydicom.dcmread(path)
        instance.file_meta.TransferSyntaxUID = syntax
        if not syntax.is_little_endian:
            instance.PixelData = np.frombuffer(instance.PixelData, "<u2").astype(">u2").tobytes()
        pydicom.dcmwrite(
            path,
            instance,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            force_encoding=True,
        )
    made = pydicom.dcmread(write(read_back(list(case.paths)), tmp_path / "out"))
    assert (made.PatientName, made.PatientWeight) == ("Διονυσιος", 70.5)
    assert made.ProcedureCodeSequence[0].CodeMeaning == "Ωμος"


@pytest.mark.needs("dciodvfy")
def test_a_source_without_the_customary_attributes_is_enough(tmp_path: Path) -> None:
    missing = (
        "PatientName", "PatientBirthDate", "PatientSex", "StudyDescription", "StudyID", "StudyDate",
        "StudyTime", "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "ManufacturerModelName",
        "SoftwareVersions", "TimezoneOffsetFromUTC", "PositionReferenceIndicator", "BodyPartExamined",
    )  # fmt: skip
    case = make_case(tmp_path / "study", **dict.fromkeys(missing))
    seg = write(case, tmp_path / "out")
    assert errors(seg) == []
    assert errors(seg.with_name("sr.dcm")) == []
    made = pydicom.dcmread(seg)
    assert made.PatientName == ""
    assert "StudyDescription" not in made


def test_values_that_break_the_rules_travel_as_they_are(tmp_path: Path) -> None:
    """Archives are full of them, and a result must not be lost to one."""
    case = make_case(tmp_path / "study")
    for path in case.paths:
        instance = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            instance.StudyDate = "2020.01.02"
            instance.PatientAge = "fifty-five years"
            instance.PatientBirthDate = "unknown"
            instance.save_as(path)
    seg = write(read_back(case.paths), tmp_path / "out")
    assert pydicom.dcmread(seg).StudyDate == "2020.01.02"


def test_dates_are_the_requests_in_the_sources_time_zone(tmp_path: Path) -> None:
    case = make_case(tmp_path / "study", TimezoneOffsetFromUTC="-0330")
    made = pydicom.dcmread(write(case, tmp_path / "out"))
    assert (made.ContentDate, made.ContentTime, made.TimezoneOffsetFromUTC) == ("20260301", "090015", "-0330")


@pytest.mark.needs("dcmdump")
def test_dcmtk_reads_it(case: Case, tmp_path: Path) -> None:
    seg = write(case, tmp_path / "out")
    done = subprocess.run(
        ["dcmdump", "+P", "SegmentLabel", str(seg)], capture_output=True, text=True, check=True
    )
    assert "right kidney" in done.stdout
