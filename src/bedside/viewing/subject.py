"""Whose study a result is of, for people who look at it: never logged, never in an address."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from bedside.dicom.attributes import series_attributes
from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.expression import Value
from bedside.errors import NotFound
from bedside.ports import BlobStore
from bedside.viewing.document import ResultDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A patient and a study, by the header of one instance; empty where it does not say.

    Attributes:
        name: Patient's Name (0010,0010), as people write it.
        patient_id: Patient ID (0010,0020).
        birth_date: Patient's Birth Date (0010,0030).
        sex: Patient's Sex (0010,0040).
        study_date: Study Date (0008,0020).
        study: Study Description (0008,1030).
        accession_number: Accession Number (0008,0050).
        series: Series Description (0008,103E).
        modality: Modality (0008,0060).
    """

    name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    sex: str = field(default="", repr=False)
    study_date: date | None = field(default=None, repr=False)
    study: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    series: str = field(default="", repr=False)
    modality: str = field(default="", repr=False)


def subject_of(store: BlobStore, arrival: Arrival, document: ResultDocument, scratch: Path) -> Subject | None:
    """Return whose study it is, or None where it is no DICOM study or not there any more.

    Args:
        store: The tenant's objects.
        arrival: What was read.
        document: Names the instances that were read; any other will do.
        scratch: Folder for the one instance that is looked at.

    Raises:
        Unavailable: The store is out of reach.
    """
    if arrival.kind is not ArrivalKind.DICOM or not arrival.files:
        return None
    read = set(document.sop_instance_uids)
    file = next((f for f in arrival.files if f.sop_instance_uid in read), arrival.files[0])
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".making-") as folder:
        path = Path(folder) / "instance.dcm"
        try:
            store.fetch(file.key, path)
        except NotFound:
            return None
        values = next(iter(series_attributes([path]).values()), None)
    return None if values is None else _subject(values)


def person_name(value: str) -> str:
    """Return a name as people write it: ``Doe^Jane^^Dr`` is ``Dr Jane Doe``. See PS3.5 6.2.1.1."""
    alphabetic = value.partition("=")[0]
    family, given, middle, prefix, suffix, *_ = [*(part.strip() for part in alphabetic.split("^")), *[""] * 5]
    name = " ".join(part for part in (prefix, given, middle, family) if part)
    return f"{name}, {suffix}" if suffix else name


def _subject(values: Mapping[str, Value]) -> Subject:
    return Subject(
        name=person_name(_text(values, "PatientName")),
        patient_id=_text(values, "PatientID"),
        birth_date=_date(values, "PatientBirthDate"),
        sex=_text(values, "PatientSex"),
        study_date=_date(values, "StudyDate"),
        study=_text(values, "StudyDescription"),
        accession_number=_text(values, "AccessionNumber"),
        series=_text(values, "SeriesDescription"),
        modality=_text(values, "Modality"),
    )


def _text(values: Mapping[str, Value], keyword: str) -> str:
    value = values.get(keyword)
    return str(value) if isinstance(value, str | int | float) else ""


def _date(values: Mapping[str, Value], keyword: str) -> date | None:
    """Return a DA value as a date, or None where it is none. See PS3.5 6.2."""
    text = _text(values, keyword).replace(".", "").replace("-", "")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None
