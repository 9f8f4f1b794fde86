"""The attributes that the catalogue is searched by, of studies, series and instances.

Owns their names, value representations and levels; what matching means is told in `bedside.domain.matching`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Of what a search lists, from the top. See PS3.4 C.6.2.1."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """An attribute that may be searched by.

    Attributes:
        tag: Eight upper-case hex digits; of an attribute in a sequence two tags with a dot.
        keyword: Of PS3.6, with a dot as above.
        vr: Its value representation.
        level: Whose attribute it is.
        name: In our tables.
        several: Whether it has several values or parts, of which any may match.
    """

    tag: str
    keyword: str
    vr: str
    level: Level
    name: str
    several: bool = False


def _study(tag: str, keyword: str, vr: str, name: str) -> Field:
    return Field(tag=tag, keyword=keyword, vr=vr, level=Level.STUDY, name=name, several=vr == "PN")


def _series(tag: str, keyword: str, vr: str, name: str, *, several: bool = False) -> Field:
    return Field(tag=tag, keyword=keyword, vr=vr, level=Level.SERIES, name=name, several=several)


def _instance(tag: str, keyword: str, vr: str, name: str) -> Field:
    return Field(tag=tag, keyword=keyword, vr=vr, level=Level.INSTANCE, name=name)


#: Those that PS3.18 Table 10.6.1-5 requires, and some that viewers and people ask by.
FIELDS: tuple[Field, ...] = (
    _study("00080020", "StudyDate", "DA", "study_date"),
    _study("00080030", "StudyTime", "TM", "study_time"),
    _study("00080050", "AccessionNumber", "SH", "accession_number"),
    _study("00080090", "ReferringPhysicianName", "PN", "referring_physician_name"),
    _study("00081030", "StudyDescription", "LO", "study_description"),
    _study("00100010", "PatientName", "PN", "patient_name"),
    _study("00100020", "PatientID", "LO", "patient_id"),
    _study("00100021", "IssuerOfPatientID", "LO", "issuer_of_patient_id"),
    _study("00100030", "PatientBirthDate", "DA", "patient_birth_date"),
    _study("00100040", "PatientSex", "CS", "patient_sex"),
    _study("0020000D", "StudyInstanceUID", "UI", "study_uid"),
    _study("00200010", "StudyID", "SH", "study_id"),
    _series("00080060", "Modality", "CS", "modality"),
    _series("0008103E", "SeriesDescription", "LO", "series_description"),
    _series("00180015", "BodyPartExamined", "CS", "body_part_examined"),
    _series("0020000E", "SeriesInstanceUID", "UI", "series_uid"),
    _series("00200011", "SeriesNumber", "IS", "series_number"),
    _series("00400244", "PerformedProcedureStepStartDate", "DA", "step_start_date"),
    _series("00400245", "PerformedProcedureStepStartTime", "TM", "step_start_time"),
    _series(
        "00400275.00400009",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "SH",
        "scheduled_step_id",
        several=True,
    ),
    _series(
        "00400275.00401001",
        "RequestAttributesSequence.RequestedProcedureID",
        "SH",
        "requested_procedure_id",
        several=True,
    ),
    _instance("00080016", "SOPClassUID", "UI", "sop_class_uid"),
    _instance("00080018", "SOPInstanceUID", "UI", "sop_instance_uid"),
    _instance("00200013", "InstanceNumber", "IS", "instance_number"),
    _instance("00280008", "NumberOfFrames", "IS", "number_of_frames"),
)
#: Matches where any series of the study has one of its values. See PS3.4 C.6.2.1.2.
MODALITIES = Field(tag="00080061", keyword="ModalitiesInStudy", vr="CS", level=Level.STUDY, name="modality")
