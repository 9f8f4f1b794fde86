"""DICOM Structured Report: the measurements as a TID 1500 Measurement Report.

Owns the report's root, document modules and groups. One group per label (TID 1411, pointing at the SEG
segment) holds volume, diameter and intensity; a model that gives numbers only fills one group without a
region (TID 1501, pointing at the source images). It is never marked verified: a machine made it. It is
an Enhanced SR, the smallest class that holds TID 1500.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import EnhancedSRStorage

from bedside.dicom.content import CONTAINS, CONTEXT, MODIFIER, code, container, image, number, text, uid
from bedside.dicom.derived import (
    Reference,
    long_string,
    name_private_scheme,
    release_title,
    result_uid,
    series_item,
    start,
    unique,
)
from bedside.dicom.measure import NO_UNITS, Measurement
from bedside.dicom.seg import tracking_uid
from bedside.domain.codes import PRIVATE_SCHEME, private_code
from bedside.domain.identity import derived_uid
from bedside.domain.request import RunRequest
from bedside.domain.volume import Code, Label, Volume

_SERIES_NUMBER = 9002


def _dcm(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="DCM", meaning=meaning)


_REPORT = _dcm("126000", "Imaging Measurement Report")
_MEASUREMENTS = _dcm("126010", "Imaging Measurements")
_GROUP = _dcm("125007", "Measurement Group")
_TRACKING = _dcm("112039", "Tracking Identifier")
_TRACKING_UID = _dcm("112040", "Tracking Unique Identifier")
_FINDING = _dcm("121071", "Finding")
_FINDING_CATEGORY = Code(value="276214006", scheme="SCT", meaning="Finding category")
_FINDING_SITE = Code(value="363698007", scheme="SCT", meaning="Finding Site")
_LATERALITY = Code(value="272741003", scheme="SCT", meaning="Laterality")
_ALGORITHM = _dcm("111001", "Algorithm Name")
_ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
_ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
_SEGMENT = _dcm("121191", "Referenced Segment")
_SOURCE_SERIES = _dcm("121232", "Source series for segmentation")
_SOURCE_OF_MEASUREMENT = _dcm("121112", "Source of Measurement")
_DERIVATION = _dcm("121401", "Derivation")
_MEAN = Code(value="373098007", scheme="SCT", meaning="Mean")
_DEVIATION = Code(value="386136009", scheme="SCT", meaning="Standard Deviation")
_VOLUME = Code(value="118565006", scheme="SCT", meaning="Volume")
_DIAMETER = Code(value="L0JK", scheme="IBSI", meaning="Maximum 3D Diameter of a Mesh")
_MILLILITRE = Code(value="mL", scheme="UCUM", meaning="milliliter")
_MILLIMETRE = Code(value="mm", scheme="UCUM", meaning="mm")

#: What the mean of a mask's voxels is a mean of, by modality; others have no standard code.
_INTENSITY = {
    "CT": _dcm("112031", "Attenuation Coefficient"),
    "MR": _dcm("110852", "MR signal intensity"),
}
_VOXEL_VALUE = Code(value="VOXEL_VALUE", scheme=PRIVATE_SCHEME, meaning="Voxel value")

#: Procedure reported, which TID 1500 demands: the modality, without a guess at the body region.
_PROCEDURES = {
    "CT": Code(value="25045-6", scheme="LN", meaning="CT unspecified body region"),
    "MR": Code(value="25056-3", scheme="LN", meaning="MRI unspecified body region"),
    "NM": Code(value="49118-3", scheme="LN", meaning="NM unspecified body region"),
    "PT": Code(value="44136-0", scheme="LN", meaning="PET unspecified body region"),
}
_ANY_PROCEDURE = Code(value="363679005", scheme="SCT", meaning="Imaging procedure")


def make_sr(
    measurements: Sequence[Measurement],
    numbers: Mapping[str, float],
    *,
    request: RunRequest,
    volume: Volume,
    source: Dataset,
    sources: Sequence[Reference],
    seg: Reference | None,
) -> FileDataset:
    """Build the report of all measurements and numbers.

    Args:
        measurements: One per label.
        numbers: Named outputs of a classification or regression model.
        request: Identity, dates and release.
        volume: What was measured.
        source: Full header of one source instance.
        sources: Source of every slice of the volume.
        seg: The SEG whose segments were measured, or None where none was written.

    Returns:
        The instance, ready to be encoded. See PS3.3 A.35.2 and PS3.16 TID 1500.
    """
    made = start(source, request, kind="SR", sop_class_uid=EnhancedSRStorage, series_number=_SERIES_NUMBER)
    made.SeriesDescription = long_string(f"{release_title(request)[:51]} measurements")
    images = list(unique(sources))
    groups = [_label_group(item, request, volume, seg, images) for item in measurements]
    if numbers:
        groups.append(_number_group(numbers, request, images))
    for element in _root(groups, request, volume):
        made.add(element)
    _document(made, volume, images, seg)
    used = [item.mask.label.code for item in measurements]
    used += [_VOXEL_VALUE] if measurements and volume.modality not in _INTENSITY else []
    name_private_scheme(made, [*used, *map(private_code, numbers)])
    return made


def _root(groups: Sequence[Dataset], request: RunRequest, volume: Volume) -> Dataset:
    """Return the root of the content tree (TID 1500)."""
    english = Code(value="en", scheme="RFC5646", meaning="English")
    children = [
        code(MODIFIER, _dcm("121049", "Language of Content Item and Descendants"), english),
        *_observer(request),
        code(
            MODIFIER,
            _dcm("121058", "Procedure reported"),
            _PROCEDURES.get(volume.modality, _ANY_PROCEDURE),
        ),
        container(CONTAINS, _MEASUREMENTS, groups),
    ]
    return container("", _REPORT, children, template="1500")


def _observer(request: RunRequest) -> list[Dataset]:
    """Return the observer context: the release, as a device (TID 1004)."""
    return [
        code(CONTEXT, _dcm("121005", "Observer Type"), _dcm("121007", "Device")),
        uid(CONTEXT, _dcm("121012", "Device Observer UID"), derived_uid("release", request.release)),
        text(CONTEXT, _dcm("121013", "Device Observer Name"), release_title(request)),
        text(CONTEXT, _dcm("121014", "Device Observer Manufacturer"), "bedside"),
        text(CONTEXT, _dcm("121015", "Device Observer Model Name"), request.release_name),
        text(CONTEXT, _dcm("121016", "Device Observer Serial Number"), request.release),
    ]


def _algorithm(request: RunRequest) -> list[Dataset]:
    """Return who computed a group's numbers (TID 4019)."""
    return [
        text(MODIFIER, _ALGORITHM, request.release_name),
        text(MODIFIER, _ALGORITHM_VERSION, request.release_version),
        text(MODIFIER, _ALGORITHM_PARAMETERS, f"release {request.release}"),
    ]


def _label_group(
    measured: Measurement,
    request: RunRequest,
    volume: Volume,
    seg: Reference | None,
    images: Sequence[Reference],
) -> Dataset:
    """Return the measurement group of one label: TID 1411, or TID 1501 where there is no SEG."""
    label = measured.mask.label
    children = [
        text(CONTEXT, _TRACKING, long_string(label.name, f"label {label.value}")),
        uid(CONTEXT, _TRACKING_UID, tracking_uid(request, label)),
        code(CONTAINS, _FINDING_CATEGORY, label.category),
        code(CONTAINS, _FINDING, label.code),
        *_site(label),
        *_algorithm(request),
    ]
    if seg:
        segment = replace(seg, segment=measured.mask.number)
        children += [image(_SEGMENT, segment), uid(CONTAINS, _SOURCE_SERIES, volume.series_uid)]
    else:
        children += [image(_SOURCE_OF_MEASUREMENT, reference) for reference in images]
    children += [
        number(_VOLUME, measured.volume_ml, _MILLILITRE),
        number(_DIAMETER, measured.max_diameter_mm, _MILLIMETRE),
    ]
    name = _INTENSITY.get(volume.modality, _VOXEL_VALUE)
    for value, derivation in ((measured.mean, _MEAN), (measured.deviation, _DEVIATION)):
        if value is not None:
            children.append(number(name, value, measured.unit, [code(MODIFIER, _DERIVATION, derivation)]))
    return container(CONTAINS, _GROUP, children, template="1411" if seg else "1501")


def _site(label: Label) -> list[Dataset]:
    """Return where a finding is: its region, or the paired organ itself with its side."""
    side = [code(MODIFIER, _LATERALITY, label.modifier)] if label.modifier else []
    if label.region:
        return [code(MODIFIER, _FINDING_SITE, label.region, side)]
    return [code(MODIFIER, _FINDING_SITE, label.code, side)] if side else []


def _number_group(numbers: Mapping[str, float], request: RunRequest, images: Sequence[Reference]) -> Dataset:
    """Return the group of a model's plain numbers (TID 1501); their names are private codes."""
    children = [
        text(CONTEXT, _TRACKING, f"{request.release_name} output"),
        uid(CONTEXT, _TRACKING_UID, result_uid(request, "tracking", "numbers")),
        *_algorithm(request),
        *(image(_SOURCE_OF_MEASUREMENT, reference) for reference in images),
        *(number(private_code(name), value, NO_UNITS) for name, value in numbers.items()),
    ]
    return container(CONTAINS, _GROUP, children, template="1501")


def _document(made: FileDataset, volume: Volume, images: Sequence[Reference], seg: Reference | None) -> None:
    """SR Document Series and General (PS3.3 C.17.1, C.17.2): state and evidence."""
    made.CompletionFlag = "COMPLETE"
    made.VerificationFlag = "UNVERIFIED"
    made.PreliminaryFlag = "PRELIMINARY"
    made.PerformedProcedureCodeSequence = []
    made.ReferencedPerformedProcedureStepSequence = []
    study = Dataset()
    study.StudyInstanceUID = made.StudyInstanceUID
    study.ReferencedSeriesSequence = [
        series_item(volume.series_uid, [one.item() for one in images], sequence="ReferencedSOPSequence")
    ]
    if seg:
        study.ReferencedSeriesSequence.append(
            series_item(seg.series_uid, [replace(seg, segment=0).item()], sequence="ReferencedSOPSequence")
        )
    made.CurrentRequestedProcedureEvidenceSequence = [study]
