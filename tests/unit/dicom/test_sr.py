"""The SR's own parts: which items a group has, and what happens to values that are none."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from bedside.dicom.content import number
from bedside.dicom.derived import Reference
from bedside.dicom.masks import cut_masks
from bedside.dicom.measure import measure
from bedside.dicom.provenance import slice_sources
from bedside.dicom.sr import make_sr
from bedside.domain.codes import label_for
from bedside.domain.volume import Code, Segmentation
from results_samples import REQUEST, Case, make_case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("study"))


def report(case: Case, segmentation: Segmentation | None, numbers: dict[str, float]) -> Dataset:
    masks = cut_masks(segmentation) if segmentation else ()
    return make_sr(
        [measure(mask, case.volume) for mask in masks],
        numbers,
        request=REQUEST,
        volume=case.volume,
        source=case.series.reference(),
        sources=slice_sources(case.series, case.volume),
        seg=Reference(sop_class_uid="1.2", sop_instance_uid="2.25.3", series_uid="2.25.4"),
    )


def groups(made: Dataset) -> list[Dataset]:
    return list(made.ContentSequence[-1].ContentSequence)


def meanings(item: Dataset) -> list[str]:
    return [child.ConceptNameCodeSequence[0].CodeMeaning for child in item.get("ContentSequence", [])]


def test_a_group_has_the_template_it_claims(case: Case) -> None:
    (spleen, *_) = groups(report(case, case.output.segmentation, {}))
    assert spleen.ContentTemplateSequence[0].TemplateIdentifier == "1411"
    assert meanings(spleen) == [
        "Tracking Identifier",
        "Tracking Unique Identifier",
        "Finding category",
        "Finding",
        "Algorithm Name",
        "Algorithm Version",
        "Algorithm Parameters",
        "Referenced Segment",
        "Source series for segmentation",
        "Volume",
        "Maximum 3D Diameter of a Mesh",
        "Attenuation Coefficient",
        "Attenuation Coefficient",
    ]


def test_a_finding_in_an_organ_says_where(case: Case) -> None:
    assert case.output.segmentation is not None
    labels = (label_for("liver tumour", 1), label_for("left kidney cyst", 2))
    found = Segmentation(array=case.output.segmentation.array, affine=case.volume.affine, labels=labels)
    sites = []
    for group in groups(report(case, found, {})):
        (site,) = (
            one for one in group.ContentSequence if "Site" in one.ConceptNameCodeSequence[0].CodeMeaning
        )
        sites.append((site.ConceptCodeSequence[0].CodeMeaning, meanings(site)))
    assert sites == [("Liver", []), ("Kidney", ["Laterality"])]


def test_both_masks_and_numbers_stand_in_one_report(case: Case) -> None:
    found = groups(report(case, case.output.segmentation, {"score": 0.25}))
    assert len(found) == 4
    assert meanings(found[-1])[-1] == "score"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_none_says_so(value: float) -> None:
    item = number(
        Code(value="X", scheme="99BEDSIDE", meaning="x"), value, Code(value="1", scheme="UCUM", meaning="1")
    )
    assert len(item.MeasuredValueSequence) == 0
    assert item.NumericValueQualifierCodeSequence[0].CodeMeaning == "Not a number"


def test_the_report_has_no_verifier_and_no_clock(case: Case, tmp_path: Path) -> None:
    made = report(case, case.output.segmentation, {})
    assert made.VerificationFlag == "UNVERIFIED"
    assert "VerifyingObserverSequence" not in made
    assert (made.ContentDate, made.ContentTime) == ("20260301", "123015")
