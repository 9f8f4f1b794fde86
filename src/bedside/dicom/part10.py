"""A DICOM file that somebody sent: what its file meta information says, and where its data set begins."""

from dataclasses import dataclass
from pathlib import Path

from bedside.dicom.elements import META_END, Elements, Malformed, Short, Wish, walk
from bedside.errors import InputRejected

_META = Wish(frozenset({0x00020002, 0x00020003, 0x00020010}), META_END)
#: No file meta information is longer.
_HEAD_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """The head of a file. See PS3.10 7.1.

    Attributes:
        sop_class_uid: Media Storage SOP Class UID (0002,0002).
        sop_instance_uid: Media Storage SOP Instance UID (0002,0003).
        transfer_syntax_uid: Transfer Syntax UID (0002,0010).
        data_set: Offset of the data set.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: int


def read_meta(path: Path) -> FileMeta:
    """Read the head of a file.

    Raises:
        InputRejected: It is no DICOM file (PS3.10), or its head lacks one of the three.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    found = Elements(end=132)
    if head[128:132] != b"DICM":
        raise InputRejected("not a DICOM file: no preamble and prefix")
    try:
        walk(head, 132, found, explicit=True, wish=_META)
    except (Malformed, Short) as exc:
        raise InputRejected("file meta information is malformed") from exc
    values = {tag: raw.rstrip(b"\0 ").decode("ascii", "replace") for tag, raw in found.values.items()}
    if not all(values.get(tag) for tag in _META.tags):
        raise InputRejected("file meta information lacks SOP Class, SOP Instance or Transfer Syntax UID")
    return FileMeta(
        sop_class_uid=values[0x00020002],
        sop_instance_uid=values[0x00020003],
        transfer_syntax_uid=values[0x00020010],
        data_set=found.end,
    )
