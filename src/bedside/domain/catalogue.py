"""What the catalogue knows of instances: their attributes, where their bytes lie, and which are searched by.

Attributes are in the DICOM JSON Model (PS3.18 F), by tag as eight upper-case hex digits, so that nothing
above needs a DICOM library. A patient's name is among them: nothing of this is logged or put into a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Values by tag, as in PS3.18 F.2.
Attributes = Mapping[str, Mapping[str, Any]]


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


@dataclass(frozen=True, slots=True)
class Extent:
    """Some bytes of a file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """A value that is told by address instead of in the metadata.

    Attributes:
        vr: Its value representation.
        extent: Where its bytes lie as they are to be given, or None where they must be made first (the file
            is deflated or big-endian, or the value lies in a sequence).
    """

    vr: str
    extent: Extent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the pixels and the long values of an instance lie in its file.

    Attributes:
        count: Number of frames; 0 without pixels.
        frames: Of each frame the fragments that its bytes are made of, in order; empty where they cannot be
            given as they lie (the file is deflated or big-endian, or frames do not begin at a byte).
        bulk: Long values by path: tags and numbers of items (from 0) with slashes.
        problem: Why no frame can be given though there are pixels, or empty.
    """

    count: int = 0
    frames: tuple[tuple[Extent, ...], ...] = ()
    bulk: Mapping[str, Bulk] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What one file says of itself.

    Attributes:
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_instance_uid: SOP Instance UID.
        sop_class_uid: SOP Class UID.
        transfer_syntax_uid: How its file is encoded.
        study: Attributes of patient and study.
        series: Attributes of series and equipment.
        instance: Those that lists of instances show.
        metadata: All attributes as UTF-8 JSON, long values by ``BulkDataURI`` with the path alone after
            `BULK_MARK`.
        layout: Where its bytes lie.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study: Attributes = field(repr=False)
    series: Attributes = field(repr=False)
    instance: Attributes = field(repr=False)
    metadata: bytes = field(repr=False)
    layout: Layout


#: Stands in metadata before the path of a long value, for the address of its instance.
BULK_MARK = "\0bulkdata/"


class SourceKind(StrEnum):
    """Where instances come from."""

    ARRIVAL = "arrival"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What brought instances of a study: a version of its arrival, or a job's result.

    Attributes:
        tenant: Whose.
        study_uid: Of which study.
        kind: Arrival or result.
        id: Of the arrival, or of the job.
        rank: Among those that brought an instance of the same UID the highest counts; a version's number.
        prefix: Blob prefix of a result; empty for an arrival.
    """

    tenant: str
    study_uid: str
    kind: SourceKind
    id: str
    rank: int
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """An instance to be put into the catalogue.

    Attributes:
        key: Blob key of its file.
        size_bytes: Its length.
        described: What it says of itself.
    """

    key: str
    size_bytes: int
    described: Described


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study as it is catalogued.

    Attributes:
        tenant: Whose.
        study_uid: Study Instance UID.
        attributes: Of patient and study.
        modalities: Of its series, sorted.
        series: Number of series.
        instances: Number of instances.
        revision: Grows with every change of the study, its series and its instances.
    """

    tenant: str
    study_uid: str
    attributes: Attributes = field(repr=False)
    modalities: tuple[str, ...]
    series: int
    instances: int
    revision: int

    def text(self, tag: str) -> str:
        """Return an attribute's first value as text, a name's alphabetic group; empty where there is none."""
        return text_of(self.attributes, tag)

    @property
    def patient_name(self) -> str:
        """As people read it: ``Family, Given Middle``; empty where there is none."""
        family, _, rest = self.text("00100010").partition("^")
        given = " ".join(part for part in rest.split("^")[:2] if part)
        return f"{family}, {given}" if family and given else family or given

    @property
    def patient_id(self) -> str:
        """Patient ID."""
        return self.text("00100020")

    @property
    def date(self) -> str:
        """Study Date as ``YYYY-MM-DD``, or empty."""
        date = self.text("00080020")
        return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else date

    @property
    def accession_number(self) -> str:
        """Accession Number."""
        return self.text("00080050")

    @property
    def description(self) -> str:
        """Study Description."""
        return self.text("00081030")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series as it is catalogued.

    Attributes:
        tenant: Whose.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        attributes: Of series and equipment.
        instances: Number of instances.
    """

    tenant: str
    study_uid: str
    series_uid: str
    attributes: Attributes = field(repr=False)
    instances: int

    @property
    def modality(self) -> str:
        """Modality."""
        return text_of(self.attributes, "00080060")

    @property
    def description(self) -> str:
        """Series Description."""
        return text_of(self.attributes, "0008103E")

    @property
    def number(self) -> str:
        """Series Number."""
        return text_of(self.attributes, "00200011")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance as it is catalogued.

    Attributes:
        tenant: Whose.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_instance_uid: SOP Instance UID.
        sop_class_uid: SOP Class UID.
        transfer_syntax_uid: How its file is encoded.
        attributes: Those that lists show.
        key: Blob key of its file.
        size_bytes: Its length.
        kind: What brought it.
        source_id: Arrival or job that brought it.
    """

    tenant: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    attributes: Attributes = field(repr=False)
    key: str
    size_bytes: int
    kind: SourceKind
    source_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One hit of a search, with what it lies in.

    Attributes:
        study: Of the hit.
        series: Of the hit, or None where studies were searched.
        instance: The hit, or None where studies or series were searched.
    """

    study: Study
    series: Series | None = None
    instance: Instance | None = None


def text_of(attributes: Attributes, tag: str) -> str:
    """Return an attribute's first value as text; of a name its alphabetic group."""
    values: Sequence[Any] = attributes.get(tag, {}).get("Value") or ()
    if not values or values[0] is None:
        return ""
    first = values[0]
    return str(first.get("Alphabetic", "")) if isinstance(first, Mapping) else str(first)
