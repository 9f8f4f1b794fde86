"""What the catalogue knows of instances: their attributes, and where their bytes lie.

Attributes are in the DICOM JSON Model (PS3.18 F), by tag as eight upper-case hex digits, so that nothing
above needs a DICOM library. A patient's name is among them: nothing of this is logged or put into a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Revisions count from 2020, to fit into four bytes for long.
_SINCE = 1_577_836_800

#: Values by tag, as in PS3.18 F.2.
Attributes = Mapping[str, Mapping[str, Any]]


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


def next_revision(before: int, seconds: float) -> int:
    """Return the revision after a change.

    It follows the clock, so that a study that is removed and comes again has no revision that it had before,
    under which a browser may have kept something.

    Args:
        before: Revision until now, 0 for a new study.
        seconds: Since 1970.
    """
    return max(before + 1, int(seconds) - _SINCE)


def text_of(attributes: Attributes, tag: str) -> str:
    """Return an attribute's first value as text; of a name its alphabetic group."""
    values: Sequence[Any] = attributes.get(tag, {}).get("Value") or ()
    if not values or values[0] is None:
        return ""
    first = values[0]
    return str(first.get("Alphabetic", "")) if isinstance(first, Mapping) else str(first)
