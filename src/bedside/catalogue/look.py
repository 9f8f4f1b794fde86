"""Looks through one object of the store for the catalogue."""

from dataclasses import dataclass

from bedside.dicom.describe import describe
from bedside.domain.catalogue import Catalogued
from bedside.errors import InputRejected, NotFound
from bedside.ports import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that cannot be catalogued.

    Attributes:
        reason: Why; no patient data.
    """

    reason: str


def looked(store: BlobStore, key: str, size_bytes: int, study_uid: str) -> Catalogued | Refused:
    """Return what an object says of itself, or why it is no instance of that study.

    Raises:
        Unavailable: The store is out of reach.
    """
    try:
        with store.open(key) as stream:
            described = describe(stream, size_bytes)
    except (InputRejected, NotFound) as exc:
        return Refused(reason=exc.message)
    if described.study_uid != study_uid:
        return Refused(reason="an instance of another study")
    return Catalogued(key=key, size_bytes=size_bytes, described=described)
