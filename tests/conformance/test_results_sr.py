"""The SR against the standard and against independent readers: dciodvfy, highdicom, dcmtk's dsrdump."""

import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import pydicom
import pytest
from pydicom.sr.codedict import codes

from bedside.dicom.results import write_results
from bedside.domain.volume import ModelOutput
from results_samples import LABELS, REQUEST, Case, make_case


def write(case: Case, folder: Path, *outputs: str, output: ModelOutput | None = None) -> Path:
    write_results(
        folder,
        request=replace(REQUEST, outputs=outputs or ("seg", "sr")),
        series=case.series,
        volume=case.volume,
        output=output or case.output,
    )
    return folder / "dicom/sr.dcm"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path / "study")


def values(group: hd.sr.templates._MeasurementsAndQualitativeEvaluations) -> dict[str, tuple[float, str]]:
    """Return a group's numbers and units by meaning, derivation included."""
    found = {}
    for item in group.get_measurements():
        derivation = f", {item.derivation.meaning}" if item.derivation else ""
        found[item.name.meaning + derivation] = (item.value, item.unit.value)
    return found


def test_highdicom_reads_the_groups(case: Case, tmp_path: Path) -> None:
    path = write(case, tmp_path / "out")
    seg = pydicom.dcmread(path.with_name("seg.dcm"))
    report = hd.sr.srread(path)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [label.name for label in LABELS]
    spleen = values(groups[0])
    # (4/3)·π·22·15·18 mm³; found by counting voxels of 6 mm³
    assert spleen["Volume"][0] == pytest.approx(24.88, rel=0.01)
    assert spleen["Volume"][1] == "mL"
    assert spleen["Maximum 3D Diameter of a Mesh"] == (pytest.approx(44, abs=2.5), "mm")
    assert spleen["Attenuation Coefficient, Mean"] == (300, "[hnsf'U]")
    assert spleen["Attenuation Coefficient, Standard Deviation"] == (0, "[hnsf'U]")
    assert values(groups[2]) == {"Volume": (0, "mL"), "Maximum 3D Diameter of a Mesh": (0, "mm")}
    for number, (group, segment) in enumerate(zip(groups, seg.SegmentSequence, strict=True), start=1):
        assert group.reference_type == codes.DCM.ReferencedSegment
        (image,) = (item for item in group[0].ContentSequence if item.ValueType == "IMAGE")
        referenced = image.ReferencedSOPSequence[0]
        assert referenced.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert referenced.ReferencedSegmentNumber == number
        assert group.tracking_uid == segment.TrackingUID
        assert group.finding_type.value == segment.SegmentedPropertyTypeCodeSequence[0].CodeValue
    assert groups[1].finding_sites[0].laterality.meaning == "Right"


def test_the_observer_is_the_release_and_nobody_verified_it(case: Case, tmp_path: Path) -> None:
    report = hd.sr.srread(write(case, tmp_path / "out"))
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    observer = report.content.get_observer_contexts(codes.DCM.Device)[0].observer_identifying_attributes
    assert observer.name == "organs_ct 1.2.0"
    assert observer.serial_number == REQUEST.release


def test_evidence_names_every_source_and_the_seg(case: Case, tmp_path: Path) -> None:
    path = write(case, tmp_path / "out")
    report = pydicom.dcmread(path)
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    named = {
        str(item.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    seg = pydicom.dcmread(path.with_name("seg.dcm"))
    sources = {str(pydicom.dcmread(one).SOPInstanceUID) for one in case.paths}
    assert named == sources | {str(seg.SOPInstanceUID)}
    by_series = {str(series.SeriesInstanceUID) for series in study.ReferencedSeriesSequence}
    assert by_series == {case.volume.series_uid, str(seg.SeriesInstanceUID)}


def test_numbers_without_a_mask_fit_the_same_template(case: Case, tmp_path: Path) -> None:
    output = ModelOutput(segmentation=None, numbers={"nodule": 0.93, "probability of fracture": 0.015})
    path = write(case, tmp_path / "out", output=output)
    assert not path.with_name("seg.dcm").exists()
    (group,) = hd.sr.srread(path).content.get_image_measurement_groups()
    assert values(group) == {"nodule": (0.93, "1"), "probability of fracture": (0.015, "1")}
    assert len(group.source_images) == len(case.paths)


def test_a_report_alone_points_at_the_source_images(case: Case, tmp_path: Path) -> None:
    path = write(case, tmp_path / "out", "sr")
    groups = hd.sr.srread(path).content.get_image_measurement_groups()
    assert len(groups) == len(LABELS)
    assert not path.with_name("seg.dcm").exists()


def test_other_modalities_have_no_hounsfield_units(tmp_path: Path) -> None:
    case = make_case(tmp_path / "study", modality="MR")
    group = hd.sr.srread(write(case, tmp_path / "out")).content.get_volumetric_roi_measurement_groups()[0]
    assert values(group)["MR signal intensity, Mean"] == (300, "1")


@pytest.mark.needs("dciodvfy", "dsrdump")
@pytest.mark.parametrize("kind", ["masks", "numbers", "both", "not finite", "MR"])
def test_validators_find_no_error(kind: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "study", modality="MR" if kind == "MR" else "CT")
    numbers = {"masks": {}, "not finite": {"p": float("nan"), "q": float("inf")}}.get(kind, {"p (x)": 0.5})
    segmentation = None if kind in ("numbers", "not finite") else case.output.segmentation
    path = write(case, tmp_path / "out", output=ModelOutput(segmentation=segmentation, numbers=numbers))
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert "EnhancedSR" in lines
    assert [line for line in lines if line.startswith("Error")] == []
    dumped = subprocess.run(["dsrdump", str(path)], capture_output=True, text=True, check=True)
    assert "Imaging Measurement Report" in dumped.stdout
    # The VR checker's remark about UTF-8 is no finding; everything else on stderr is.
    remarks = [line for line in dumped.stderr.splitlines() if "does not support this Specific" not in line]
    assert remarks == []
