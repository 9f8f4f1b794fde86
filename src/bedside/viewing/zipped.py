"""Objects of a store as one ZIP, written while it is sent: never whole in memory or on a disk.

Owns the order (as given) and that names lie in one folder. What is packed already is stored as it is.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bedside.ports import BlobStore

_PIECE_BYTES = 2**18
_PACKED = (".gz", ".png", ".jpg", ".zip", ".mp4", ".zst")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One entry.

    Attributes:
        key: In the store.
        name: In the archive.
        size_bytes: Its length.
    """

    key: str
    name: str
    size_bytes: int


class _Pipe:
    """Takes what is written, gives it on. Not seekable, so the archive's writer never looks back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nothing behind."""

    def close(self) -> None:
        """Do nothing: whoever reads takes what is left."""

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def zip_of(
    store: BlobStore,
    entries: Sequence[Packed],
    *,
    at: datetime,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> Iterator[bytes]:
    """Give a ZIP of objects piece by piece.

    Args:
        store: Of the tenant.
        entries: What to pack.
        at: Time of all entries.
        beside: What else is in it, first, by its name.

    Raises:
        NotFound: One is not there; what was given until then is no whole archive, and readers see that.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:
        for name, content in beside.items():
            text = zipfile.ZipInfo(name, date_time=at.timetuple()[:6])
            text.compress_type = zipfile.ZIP_DEFLATED
            text.external_attr = 0o644 << 16
            archive.writestr(text, content)
        for entry in entries:
            member = zipfile.ZipInfo(entry.name, date_time=at.timetuple()[:6])
            packed = entry.name.endswith(_PACKED)
            member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            member.file_size = entry.size_bytes
            with store.open(entry.key) as source, archive.open(member, "w") as target:
                while piece := source.read(_PIECE_BYTES):
                    target.write(piece)
                    yield pipe.taken()
            yield pipe.taken()
    yield pipe.taken()
