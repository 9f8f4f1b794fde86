"""Attributes of a study that arrived before, read again as intake read them.

Reads the beginning of each instance only, in a folder that is removed: on S3 a study is hundreds of
megabytes, and its headers are a few. Where a header is longer, its whole instance is brought.
"""

import tempfile
from pathlib import Path

from bedside.dicom.attributes import series_attributes
from bedside.dicom.header import read_header
from bedside.domain.arrival import Arrival, StoredFile
from bedside.errors import InputRejected, Unavailable
from bedside.ports import BlobStore
from bedside.worker.abreast import abreast
from bedside.worker.rules import Attributes

#: Longer than nearly every header, private elements of scanners included.
HEAD_BYTES = 64 * 1024


def study_attributes(store: BlobStore, arrival: Arrival, scratch: Path) -> Attributes:
    """Return the attributes of each series of an arrival.

    Args:
        store: Its tenant's.
        arrival: DICOM, as recorded.
        scratch: Folder for files under way.

    Raises:
        NotFound: A file is not in the store any more.
        Unavailable: The store is out of reach, or the disk is full.
    """
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="rules-", dir=scratch) as temporary:
            folder = Path(temporary)
            abreast(lambda file: _bring(store, file, folder), arrival.files)
            return series_attributes(folder.iterdir())
    except OSError as exc:
        raise Unavailable(f"work folder: {exc.strerror}", hint="bedside doctor") from exc


def _bring(store: BlobStore, file: StoredFile, folder: Path) -> None:
    path = folder / f"{file.sha256}{file.suffix}"
    with store.open(file.key) as stream:
        path.write_bytes(stream.read(HEAD_BYTES))
    if file.size_bytes > HEAD_BYTES and not _is_whole(path):
        path.unlink()
        store.fetch(file.key, path)


def _is_whole(path: Path) -> bool:
    """Whether a cut file holds its header: up to the pixels."""
    try:
        header = read_header(path)
    except InputRejected:
        return False
    return header is not None and header.pixel_offset > 0
