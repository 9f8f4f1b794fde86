"""Whose studies these are, for those who may read: names, dates and numbers, out of the catalogue.

Owns that nobody without the right gets any of it. What is searched for may be a name: it comes in the body
of a request, is looked up here, and stands in no address, no log and no audit record.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bedside.domain.catalogue import Series, Study
from bedside.domain.matching import match_of
from bedside.domain.person import Right
from bedside.domain.searchable import FIELDS, Level
from bedside.portal.access.need import Place
from bedside.portal.access.trail import note
from bedside.ports.catalogue import Search

#: Studies that one search for words may find; whoever finds more writes more of the name.
FOUND = 500
#: A UID, or an id of ours: what begins so is looked for among studies and jobs, not among names.
_IDENTIFIER = re.compile(r"\d+(\.\d*){3,}|(?=.*\d)(?=.*[a-f])[0-9a-f]{10,}(\.r\d+)?")
_LETTER = re.compile(r"[^\W\d_]")
#: What words are looked for in, and whether their beginning is enough.
_SEARCHED = {"AccessionNumber": False, "PatientID": False, "PatientName": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is shown of the patient and the study to whoever may read.

    Attributes:
        name: As people read it.
        id: Patient ID.
        accession_number: Accession Number.
        study_date: ``YYYY-MM-DD``, or as it stands there.
        description: Study Description.
        modalities: Of the study's series.
    """

    name: str = field(repr=False)
    id: str = field(repr=False)
    accession_number: str = field(repr=False)
    study_date: str = field(repr=False)
    description: str = field(repr=False)
    modalities: tuple[str, ...] = ()


def reads(place: Place) -> bool:
    """Whether who asks may see whose studies these are."""
    return place.caller.person.may(Right.READ, place.tenant)


def patients(place: Place, study_uids: Iterable[str]) -> Mapping[str, Patient]:
    """Return what is known of patients by study; nothing to those who may not read."""
    if not reads(place):
        return {}
    found = place.here.deployment.records.catalogue.studies(place.tenant, study_uids)
    return {uid: _patient(study) for uid, study in found.items()}


def series_of(place: Place, study_uid: str) -> Sequence[Series]:
    """Return the series of a study, their descriptions among what only readers see."""
    return place.here.deployment.records.catalogue.series(place.tenant, study_uid)


def named(place: Place, words: str) -> frozenset[str]:
    """Return the studies whose accession number or patient is called so; none to those who may not read."""
    words = words.strip()
    if not words or not reads(place) or _IDENTIFIER.fullmatch(words):
        return frozenset()
    found: set[str] = set()
    for one in FIELDS:
        if one.keyword not in _SEARCHED or (one.vr == "PN" and not _LETTER.search(words)):
            continue
        match = match_of(one, f"{words}*" if _SEARCHED[one.keyword] and "*" not in words else words)
        if match is not None:
            search = Search(level=Level.STUDY, matches=(match,), limit=FOUND)
            hits = place.here.deployment.records.catalogue.search(place.tenant, search)
            found |= {hit.study.study_uid for hit in hits}
    return frozenset(found)


def note_viewed(place: Place, arrival_id: str) -> None:
    """Note that a study was looked at, where its patient was shown."""
    if reads(place):
        note(place.here, place.caller, "study.viewed", tenant=place.tenant, object=arrival_id)


def note_listed(place: Place, arrival_ids: Sequence[str]) -> None:
    """Note whose names a list showed, by the ids of what was received."""
    if reads(place) and arrival_ids:
        listed = {"arrivals": " ".join(arrival_ids)}
        note(place.here, place.caller, "study.listed", tenant=place.tenant, detail=listed)


def _patient(study: Study) -> Patient:
    return Patient(
        name=study.patient_name,
        id=study.patient_id,
        accession_number=study.accession_number,
        study_date=study.date,
        description=study.description,
        modalities=study.modalities,
    )
