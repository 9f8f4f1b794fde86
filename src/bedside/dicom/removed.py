"""Whether an instance says of itself that no patient can be told from it.

Owns the one question asked of a study before it may travel in a release. It believes what the instance
states and removes nothing itself.
"""

from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from bedside.errors import InputRejected

_PATIENT_IDENTITY_REMOVED = 0x00120062


def identity_removed(path: Path) -> bool:
    """Return whether Patient Identity Removed (0012,0062) is YES. See PS3.3 C.7.1.1.

    Raises:
        InputRejected: It is no DICOM instance.
    """
    try:
        found = dcmread(path, stop_before_pixels=True, specific_tags=[_PATIENT_IDENTITY_REMOVED])
    except (InvalidDicomError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputRejected("instance: cannot be read") from exc
    return str(found.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
