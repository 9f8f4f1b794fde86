"""A reviewer's segmentation, as a viewer sent it, made into an object that says what it is.

Viewers lose what they do not show: codes of a segment become a bare name, the release that found it, its
Tracking UID and what was corrected are gone. Here the masks and their places stay as they were sent, and
all else comes from the segmentation that was corrected. The result is another instance in a series of its
own; both versions stay (PS3.3 A.51, C.8.20).
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian, SegmentationStorage

from bedside.dicom.compare import compare_segs
from bedside.dicom.derived import IMPLEMENTATION_UID, code_item, encode, long_string
from bedside.dicom.resegment import give_meaning, renumber
from bedside.domain.identity import derived_uid
from bedside.domain.release import LabelComparison
from bedside.domain.volume import Code
from bedside.errors import ErrorCode, InputRejected, told

#: Label Map Segmentation Storage, which pydicom does not name yet.
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
#: SOP Classes of what may be meant as a correction: of the second kind none is taken, which is said.
SEGMENTATIONS = frozenset({str(SegmentationStorage), _LABEL_MAP})

_SERIES_NUMBER = 9101
_SOURCE = Code(value="121322", scheme="DCM", meaning="Source image for image processing operation")
_EDITOR = Code(value="109103", scheme="DCM", meaning="Modifying Equipment")
#: What the viewer drew, and where: taken as it was sent.
_DRAWN = (
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "DimensionOrganizationSequence",
    "DimensionIndexSequence", "DimensionOrganizationType", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PhotometricInterpretation",
    "PixelRepresentation", "PixelData", "SegmentationType", "FrameOfReferenceUID",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Who corrected.

    Attributes:
        name: As the person is called; becomes Content Creator's Name (0070,0084).
        at: When, UTC.
        seed: Of the new UIDs: the same correction sent twice is one instance.
    """

    name: str = field(repr=False)
    at: datetime
    seed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A correction, ready to be kept.

    Attributes:
        data: The file, explicit VR little endian.
        sop_instance_uid: SOP Instance UID (0008,0018).
        series_uid: Series Instance UID (0020,000E).
        predecessor_uid: SOP Instance UID of what was corrected.
        labels: Each label as it is now against what the model found.
    """

    data: bytes = field(repr=False)
    sop_instance_uid: str
    series_uid: str
    predecessor_uid: str
    labels: tuple[LabelComparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegIdentity:
    """What tells which segmentation belongs to which.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018).
        study_uid: Study Instance UID.
        named: SOP Instance UIDs of the segmentations that it says it was made from.
        series: Series Instance UIDs of the images it was drawn on.
        labels: Segment labels, in order.
    """

    sop_instance_uid: str
    study_uid: str
    named: frozenset[str]
    series: frozenset[str]
    labels: tuple[str, ...]


def identify_seg(path: Path) -> SegIdentity | None:
    """Return which segmentation a file is, or None where it is none. Pixel data is not read."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if header.get("SOPClassUID") not in SEGMENTATIONS:
            return None
        return SegIdentity(
            sop_instance_uid=str(header.SOPInstanceUID),
            study_uid=str(header.StudyInstanceUID),
            named=frozenset(_references(header, segmentations=True)),
            series=frozenset(
                str(item.SeriesInstanceUID) for item in header.get("ReferencedSeriesSequence", ())
            ),
            labels=tuple(str(item.get("SegmentLabel", "")) for item in header.get("SegmentSequence", ())),
        )
    except (InvalidDicomError, AttributeError, OSError):
        return None


def correct(sent: Path, original: Path, reviewer: Reviewer) -> Corrected:
    """Return a reviewer's segmentation with the meaning of the one that was corrected.

    Args:
        sent: A BINARY Segmentation as a viewer stored it.
        original: The model's.
        reviewer: Who drew it.

    Raises:
        InputRejected: It is of another study or on another grid, of another type than BINARY, or no
            segmentation at all.
    """
    drawn, before = _read(sent), _read(original)
    _check(drawn, before)
    made = _made(drawn, before, reviewer)
    numbers = give_meaning(made, drawn, before)
    renumber(made, numbers)
    data = encode(made)
    compared = _compared(data, original)
    unchanged = {label.label for label in compared if label.dice == 1.0}
    for item in made.SegmentSequence:
        if item.get("SegmentAlgorithmType") == "SEMIAUTOMATIC" and str(item.SegmentLabel) in unchanged:
            item.SegmentAlgorithmType = "AUTOMATIC"  # nobody touched it
    return Corrected(
        data=encode(made),
        sop_instance_uid=str(made.SOPInstanceUID),
        series_uid=str(made.SeriesInstanceUID),
        predecessor_uid=str(before.SOPInstanceUID),
        labels=compared,
    )


def _read(path: Path) -> FileDataset:
    try:
        found = pydicom.dcmread(path)
        if found.SOPClassUID not in SEGMENTATIONS:
            raise InputRejected(
                f"correction: SOP Class {found.SOPClassUID} is no Segmentation",
                told=told(ErrorCode.CORRECTION_KIND),
            )
    except (InvalidDicomError, AttributeError, OSError) as exc:
        raise InputRejected(
            "correction: cannot be read as DICOM", told=told(ErrorCode.CORRECTION_KIND)
        ) from exc
    return found


def _check(drawn: FileDataset, before: FileDataset) -> None:
    kind = str(drawn.get("SegmentationType", ""))
    if kind != "BINARY":
        raise InputRejected(
            f"correction: Segmentation Type {kind or 'missing'}, want BINARY",
            hint="save it in the viewer as a binary segmentation",
            told=told(ErrorCode.CORRECTION_KIND),
        )
    if drawn.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in drawn:
        raise InputRejected(
            "correction: its pixels are compressed, want an uncompressed transfer syntax",
            told=told(ErrorCode.CORRECTION_KIND),
        )
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if drawn.get(keyword) != before.get(keyword):
            raise InputRejected(
                f"correction: {keyword} is another than that of the result",
                told=told(ErrorCode.CORRECTION_OTHER),
            )
    if not drawn.get("SegmentSequence") or not drawn.get("PerFrameFunctionalGroupsSequence"):
        raise InputRejected(
            "correction: it holds no segment with a frame", told=told(ErrorCode.CORRECTION_EMPTY)
        )


def _made(drawn: FileDataset, before: FileDataset, reviewer: Reviewer) -> FileDataset:
    """Return the original with what was drawn, under an identity of its own."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = SegmentationStorage
    meta.MediaStorageSOPInstanceUID = UID(derived_uid(reviewer.seed, "correction", "instance"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BEDSIDE"
    made = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)  # type: ignore[arg-type]
    for element in before:
        if element.keyword not in _DRAWN:
            made[element.tag] = deepcopy(element)
    for keyword in _DRAWN:
        if keyword in drawn:
            made[keyword] = drawn[keyword]
    made["PixelData"].VR = "OB"
    made.pop("SegmentsOverlap", None)
    made.SegmentsOverlap = "UNDEFINED"
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.SeriesInstanceUID = derived_uid(reviewer.seed, "correction", "series")
    made.SeriesNumber = _SERIES_NUMBER
    made.SeriesDescription = long_string(f"Corrected: {before.get('SeriesDescription', '')[:50]}")
    made.ContentDescription = made.SeriesDescription
    made.ContentCreatorName = long_string(reviewer.name)
    made.DerivationDescription = "Corrected by a reviewer"
    made.InstanceCreationDate = made.SeriesDate = made.ContentDate = f"{reviewer.at:%Y%m%d}"
    made.InstanceCreationTime = made.SeriesTime = made.ContentTime = f"{reviewer.at:%H%M%S}"
    made.TimezoneOffsetFromUTC = f"{reviewer.at:%z}"
    _say_predecessor(made, before)
    made.ContributingEquipmentSequence = [
        *deepcopy(list(before.get("ContributingEquipmentSequence", ()))),
        _viewer(drawn, reviewer.at),
    ]
    return made


def _say_predecessor(made: FileDataset, before: FileDataset) -> None:
    """Name what was corrected: among the sources, and in the Common Instance Reference module."""
    named = Dataset()
    named.ReferencedSOPClassUID = before.SOPClassUID
    named.ReferencedSOPInstanceUID = before.SOPInstanceUID
    source = deepcopy(named)
    source.PurposeOfReferenceCodeSequence = [code_item(_SOURCE)]
    made.SourceImageSequence = [source]
    series = Dataset()
    series.SeriesInstanceUID = before.SeriesInstanceUID
    series.ReferencedInstanceSequence = [named]
    made.ReferencedSeriesSequence = [*deepcopy(list(before.get("ReferencedSeriesSequence", ()))), series]


def _viewer(drawn: FileDataset, at: datetime) -> Dataset:
    viewer = Dataset()
    viewer.PurposeOfReferenceCodeSequence = [code_item(_EDITOR)]
    viewer.Manufacturer = long_string(str(drawn.get("Manufacturer", "")), "unknown")
    for keyword in ("ManufacturerModelName", "SoftwareVersions"):
        if drawn.get(keyword):
            viewer[keyword] = drawn[keyword]
    viewer.ContributionDateTime = f"{at:%Y%m%d%H%M%S%z}"
    viewer.ContributionDescription = "segmentation edited by hand"
    return viewer


def _compared(data: bytes, original: Path) -> tuple[LabelComparison, ...]:
    """Compare with the original; it also refuses masks that lie on another grid."""
    return compare_segs(BytesIO(data), original)


def _references(header: Dataset, *, segmentations: bool) -> Iterable[str]:
    for series in header.get("ReferencedSeriesSequence", ()):
        for item in series.get("ReferencedInstanceSequence", ()):
            if (item.get("ReferencedSOPClassUID") == SegmentationStorage) is segmentations:
                yield str(item.ReferencedSOPInstanceUID)
    for item in header.get("SourceImageSequence", ()):
        if (item.get("ReferencedSOPClassUID") == SegmentationStorage) is segmentations:
            yield str(item.ReferencedSOPInstanceUID)
