"""What every object made from a study shares: patient, study, equipment, identity, references.

Owns the common modules of the SEG and the SR. It refuses the clock and chance: UIDs come from the
job's identity and dates from the request, so that a retried job writes the same bytes. Patient and
study attributes are copied when the source has them and left empty (type 2) or out (type 3) when it
has not; a missing Study Description must not lose a result.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from io import BytesIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import VR

from bedside import __version__
from bedside.domain.codes import PRIVATE_SCHEME
from bedside.domain.identity import derived_uid
from bedside.domain.request import RunRequest
from bedside.domain.volume import Code

#: Of files written here, whatever version of pydicom encoded them. See PS3.10 7.1.
IMPLEMENTATION_UID = UID(derived_uid("bedside", "implementation", "results"))

#: Type 2 in both IODs: there even where the source lacks them.
_REQUIRED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip

#: Patient, Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study modules
#: (PS3.3 C.7.1.1, C.7.1.3, C.7.2.1–C.7.2.3): what stays true of an object made from the study.
_OPTIONAL = (
    "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID", "PatientBirthTime",
    "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup", "PatientComments",
    "QualityControlSubject", "ReferencedPatientSequence", "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence", "PatientBreedDescription", "PatientBreedCodeSequence",
    "BreedRegistrationSequence", "ResponsiblePerson", "ResponsiblePersonRole", "ResponsibleOrganization",
    "StrainDescription", "StrainNomenclature", "StrainCodeSequence",
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID", "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription", "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType", "ConsentForClinicalTrialUseSequence",
    "StudyDescription", "PhysiciansOfRecord", "ConsultingPhysicianName", "NameOfPhysiciansReadingStudy",
    "IssuerOfAccessionNumberSequence", "ReferencedStudySequence", "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence", "RequestingService",
    "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "PatientAge", "PatientSize",
    "PatientWeight", "PatientBodyMassIndex", "MedicalAlerts", "Allergies", "SmokingStatus",
    "PregnancyStatus", "LastMenstrualDate", "PatientState", "Occupation", "AdditionalPatientHistory",
    "PatientSexNeutered", "AdmissionID", "IssuerOfAdmissionIDSequence", "ServiceEpisodeID",
    "ServiceEpisodeDescription",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An instance, or one frame of it, or one segment of it, that an object points at.

    Attributes:
        sop_class_uid: Referenced SOP Class UID (0008,1150).
        sop_instance_uid: Referenced SOP Instance UID (0008,1155).
        frame: Frame number of a multi-frame instance, from 1; 0 is the whole instance.
        segment: Segment number of a SEG, from 1; 0 is none.
        series_uid: Series Instance UID, where the reader needs it; else ``""``.
        aligned: Whether a mask slice made from it lies on the same pixels at the same place.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame: int = 0
    segment: int = 0
    series_uid: str = ""
    aligned: bool = True

    def item(self) -> Dataset:
        """Return an item of a Referenced SOP, Source Image or Referenced Instance Sequence."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.sop_class_uid
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        if self.frame:
            item.ReferencedFrameNumber = self.frame
        if self.segment:
            item.ReferencedSegmentNumber = self.segment
        return item


def long_string(text: str, otherwise: str = "unnamed") -> str:
    """Return a text as a Long String: 64 characters, no backslash or control (PS3.5 6.2)."""
    plain = "".join(" " if sign == "\\" or not sign.isprintable() else sign for sign in text)
    return plain[:64].strip() or otherwise


def code_item(code: Code) -> Dataset:
    """Return an item of a Code Sequence. See PS3.3 8.8."""
    item = Dataset()
    if len(code.value) <= 16:  # a Short String's length
        item.CodeValue = code.value
    else:
        item.LongCodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = long_string(code.meaning)
    return item


def release_title(request: RunRequest) -> str:
    """Return the release's name and version as one Long String."""
    return long_string(f"{request.release_name} {request.release_version}")


def result_uid(request: RunRequest, *parts: str) -> str:
    """Return the UID of one part of a job's result, the same on every attempt."""
    return derived_uid(request.job_identity, *parts)


def start(
    source: Dataset, request: RunRequest, *, kind: str, sop_class_uid: str, series_number: int
) -> FileDataset:
    """Begin a derived object: file meta, SOP Common, Patient, Study, Series and Equipment modules.

    Args:
        source: Full header of one source instance.
        request: Whose identity, dates and release it carries.
        kind: Modality of the new object, ``"SEG"`` or ``"SR"``; part of its UIDs.
        sop_class_uid: Of the new object.
        series_number: Series Number (0020,0011).
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(result_uid(request, kind, "instance"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BEDSIDE"
    made = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)  # type: ignore[arg-type]
    # Copied text is re-encoded, so that a label in any script fits beside the patient's name.
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = UID(sop_class_uid)
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.Modality = kind
    made.SeriesInstanceUID = result_uid(request, kind, "series")
    made.SeriesNumber = series_number
    made.InstanceNumber = 1
    _copy(source, made)
    _date(source, made, request.content_at)
    _equipment(source, made, request)
    return made


def _copy(source: Dataset, made: FileDataset) -> None:
    made.StudyInstanceUID = source.StudyInstanceUID
    for keyword in (*_REQUIRED, *_OPTIONAL):
        if keyword in source:
            made[keyword] = _decoded(source[keyword])
        elif keyword in _REQUIRED:
            setattr(made, keyword, "")


def _decoded(element: DataElement) -> DataElement:
    """Return an element without ties to the source's character set, nested texts included."""
    if element.VR != VR.SQ:
        return element
    copied = deepcopy(element)
    for item in copied.value:
        item.decode()
        item.pop("SpecificCharacterSet", None)
    return copied


def _date(source: Dataset, made: FileDataset, content_at: datetime) -> None:
    """Set the dates, in the time zone that the copied study dates are in (PS3.3 C.12.1.1.8)."""
    offset = str(source.get("TimezoneOffsetFromUTC") or "").strip()
    zone: tzinfo = UTC
    if len(offset) == 5 and offset[0] in "+-" and offset[1:].isdigit():
        minutes = int(offset[1:3]) * 60 + int(offset[3:])
        zone = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
        made.TimezoneOffsetFromUTC = offset
    at = content_at.astimezone(zone)
    made.InstanceCreationDate = made.SeriesDate = made.ContentDate = f"{at:%Y%m%d}"
    made.InstanceCreationTime = made.SeriesTime = made.ContentTime = f"{at:%H%M%S}"


def _equipment(source: Dataset, made: FileDataset, request: RunRequest) -> None:
    """General and Enhanced General Equipment, and the release that made the object, by digest."""
    made.Manufacturer = "bedside"
    made.ManufacturerModelName = long_string(request.release_name)
    made.SoftwareVersions = [__version__, long_string(request.release_version)]
    # A Long String of 64 characters: a SHA-256 fits exactly without its algorithm's name.
    made.DeviceSerialNumber = request.release.removeprefix("sha256:")[:64]
    release = Dataset()
    release.PurposeOfReferenceCodeSequence = [
        code_item(Code(value="109102", scheme="DCM", meaning="Processing Equipment"))
    ]
    release.Manufacturer = "bedside"
    release.ManufacturerModelName = long_string(request.release_name)
    release.SoftwareVersions = long_string(request.release_version)
    release.ContributionDescription = f"release {request.release}"
    items = [release]
    if source.get("Manufacturer"):
        scanner = Dataset()
        scanner.PurposeOfReferenceCodeSequence = [
            code_item(Code(value="109101", scheme="DCM", meaning="Acquisition Equipment"))
        ]
        for keyword in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
            if source.get(keyword):
                scanner[keyword] = source[keyword]
        items.insert(0, scanner)
    made.ContributingEquipmentSequence = items


def name_private_scheme(made: FileDataset, codes: Iterable[Code]) -> None:
    """Say who is responsible for `PRIVATE_SCHEME`, where a code of it is used (PS3.3 C.12.1.1.3)."""
    if any(code.scheme == PRIVATE_SCHEME for code in codes):
        scheme = Dataset()
        scheme.CodingSchemeDesignator = PRIVATE_SCHEME
        scheme.CodingSchemeName = "bedside: names of a model's own labels and outputs"
        scheme.CodingSchemeResponsibleOrganization = "bedside"
        made.CodingSchemeIdentificationSequence = [scheme]


def unique(references: Iterable[Reference]) -> Iterator[Reference]:
    """Iterate over the instances among ``references``, each once, in order."""
    seen: set[str] = set()
    for reference in references:
        if reference.sop_instance_uid not in seen:
            seen.add(reference.sop_instance_uid)
            yield Reference(
                sop_class_uid=reference.sop_class_uid, sop_instance_uid=reference.sop_instance_uid
            )


def series_item(series_uid: str, items: Sequence[Dataset], *, sequence: str) -> Dataset:
    """Return an item that names a series and, under the keyword ``sequence``, its instances."""
    series = Dataset()
    series.SeriesInstanceUID = series_uid
    setattr(series, sequence, list(items))
    return series


def encode(made: FileDataset) -> bytes:
    """Return the object as a DICOM file (PS3.10), explicit VR little endian."""
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
