"""Says of one file whether it is DICOM and which study it belongs to, as cheaply as can be.

Owns nothing but that answer; intake asks it of every file that comes. It reads no further than the
Series Instance UID, because most of what comes is pixels.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bedside.dicom.elements import Wish
from bedside.dicom.source import open_source
from bedside.errors import InputRejected

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_WISH = Wish(frozenset((_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)), _SERIES)
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a DICOM instance says it is.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        transfer_syntax_uid: Transfer Syntax UID (0002,0010).
        sop_class_uid: SOP Class UID (0008,0016), or ``""``.
    """

    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    sop_class_uid: str


def identify(path: Path) -> Identified | None:
    """Return whose instance a file is; None where it is no instance of a study (a DICOMDIR is none).

    Raises:
        Unavailable: The file cannot be opened.
    """
    try:
        source = open_source(path, _WISH)
    except InputRejected:
        return None
    if source is None:
        return None
    uids = [_text(source.elements.values, tag) for tag in (_SOP_INSTANCE, _STUDY, _SERIES)]
    if not all(map(_UID.fullmatch, uids)):
        return None
    return Identified(
        sop_instance_uid=uids[0],
        study_uid=uids[1],
        series_uid=uids[2],
        transfer_syntax_uid=source.transfer_syntax_uid,
        sop_class_uid=_text(source.elements.values, _SOP_CLASS),
    )


def _text(values: Mapping[int, bytes], tag: int) -> str:
    return values.get(tag, b"").rstrip(b"\0 ").decode("ascii", "replace")
