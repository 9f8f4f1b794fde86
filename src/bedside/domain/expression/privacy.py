"""Which attributes tell who a patient is, so that reasons and records leave their values out.

A rule may read such an attribute (a patient ID that starts with ``TEST``), but why it matched is kept
for years and shown to many: the record says that the value decided, not what it was. Words of the
keyword decide, not a list of tags, so that a keyword nobody thought of is withheld rather than shown.
"""

import re

#: Stands where a value would say who somebody is.
WITHHELD = "(withheld)"

_PERSON = re.compile(
    r"Name|Physician|Operators|Address|Telephone|BirthDate|BirthTime|Comments|Institution|Station"
    r"|AccessionNumber|^StudyID$|AdmissionID|ServiceEpisode|Person|Insurance|MilitaryRank|Occupation"
    r"|Religious|Ethnic|MedicalRecord|Responsible|PlaceOfBirth|SerialNumber|Requesting|Patient(?!$)"
)

#: Begin like a person's attributes, and tell nothing about who it is.
_SHOWN = frozenset(
    {
        "PatientAge",
        "PatientSex",
        "PatientSize",
        "PatientWeight",
        "PatientPosition",
        "PatientOrientation",
        "PatientIdentityRemoved",
        "PatientSpeciesDescription",
        "ProtocolName",
        "SequenceName",
        "ManufacturerModelName",
    }
)


def identifies_a_patient(keyword: str) -> bool:
    """Return whether the value of this DICOM attribute may say who somebody is."""
    return keyword not in _SHOWN and _PERSON.search(keyword) is not None
