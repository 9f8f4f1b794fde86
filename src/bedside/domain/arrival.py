"""An arrival: an immutable, content-addressed set of files, and the drop-box entries that brought it.

Its identity is what it contains (SOP Instance UIDs and hashes), not how it came: the same study sent
twice, as a ZIP or as loose files, is one arrival. Late instances make the next version.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bedside.domain.identity import short_id
from bedside.errors import Overtaken


class ArrivalKind(StrEnum):
    """What an arrival is made of."""

    DICOM = "dicom"
    FILES = "files"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StoredFile:
    """One file of an arrival, named by its content.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018); empty for a file that is not DICOM.
        sha256: 64 hex digits over the file's bytes.
        size_bytes: Its length.
        suffix: ``".dcm"`` for DICOM, else the lower-case extension of the original name.
    """

    sop_instance_uid: str
    sha256: str
    size_bytes: int
    suffix: str = ".dcm"

    @property
    def key(self) -> str:
        """The blob key of its bytes, the same in every arrival that holds it."""
        return f"arrivals/files/{self.sha256[:2]}/{self.sha256}{self.suffix}"


def arrival_id(files: Iterable[StoredFile]) -> str:
    """Return the identity of a set of files: a hash of the sorted (SOP Instance UID, hash) pairs."""
    return short_id(sorted({(f.sop_instance_uid, f.sha256) for f in files}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One version of a study (or file set) of one tenant, as it was received.

    Attributes:
        tenant: Who owns it.
        id: `arrival_id` of its files.
        kind: DICOM instances, or a set of other files.
        subject: What versions are counted over: the Study Instance UID, or for a file set a hash of
            the tenant and the recording's name (a name may hold a patient's, so only its hash).
        version: 1, then one more for each set of late instances.
        files: Sorted, without duplicates.
        received_at: When this version was complete, UTC; the date of objects derived from it.
    """

    tenant: str
    id: str
    kind: ArrivalKind
    subject: str
    version: int
    files: tuple[StoredFile, ...]
    received_at: datetime

    @property
    def manifest_key(self) -> str:
        """The blob key of its manifest, a JSON list of its files."""
        return f"arrivals/{self.id}/manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalSummary:
    """An arrival as lists show it: without its files.

    Attributes:
        tenant: Who owns it.
        id: Of the arrival.
        kind: Of the arrival.
        subject: Of the arrival.
        version: Of the arrival.
        instances: How many files it has.
        size_bytes: Of all its files.
        received_at: Of the arrival.
    """

    tenant: str
    id: str
    kind: ArrivalKind
    subject: str
    version: int
    instances: int
    size_bytes: int
    received_at: datetime


def summary(arrival: Arrival) -> ArrivalSummary:
    """Return an arrival as lists show it."""
    return ArrivalSummary(
        tenant=arrival.tenant,
        id=arrival.id,
        kind=arrival.kind,
        subject=arrival.subject,
        version=arrival.version,
        instances=len(arrival.files),
        size_bytes=sum(file.size_bytes for file in arrival.files),
        received_at=arrival.received_at,
    )


def numbered(arrival: Arrival, *, newest: int, after: int | None) -> Arrival:
    """Return an arrival as its subject's next version.

    Args:
        arrival: Its own version is ignored.
        newest: The subject's newest version, 0 for none.
        after: The version that its files were joined with; None is any.

    Raises:
        Overtaken: That one is not the newest, so this one would lack the files of those between.
    """
    if after is not None and after != newest:
        raise Overtaken(
            f"arrival {arrival.id}: joined with version {after}, and version {newest} is there by now"
        )
    return replace(arrival, version=newest + 1)


class EntryState(StrEnum):
    """Where a drop-box entry stands."""

    TAKEN = "taken"  # it became arrivals; their jobs may still run
    SETTLED = "settled"  # all its jobs ended; it lies under inferred/
    REJECTED = "rejected"  # nothing in it could be used; it lies under rejected/ with its reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing somebody put into the drop-box: a ZIP, a folder, or loose files that came together.

    Attributes:
        tenant: Whose drop-box.
        id: Hash of tenant, key and fingerprint; what every later key, URL and log line says instead
            of the name.
        key: Its key under ``input/``. May hold a patient's name: never copied into another key, a
            URL, a log line or a message.
        fingerprint: Changes when its content does (sizes and times, or an ETag).
        state: Where it stands.
        arrivals: Ids of the arrivals it became part of.
        reason: Why it was rejected, or what of it was left aside.
        seen_at: When intake took or rejected it.
    """

    tenant: str
    id: str
    key: str
    fingerprint: str
    state: EntryState
    arrivals: tuple[str, ...]
    reason: str
    seen_at: datetime


def fingerprint(parts: Iterable[tuple[str, int, datetime]]) -> str:
    """Return what changes with an entry's objects.

    Args:
        parts: Key, length in bytes and last change of each, in key order.
    """
    return short_id([[key, size_bytes, at.isoformat()] for key, size_bytes, at in parts])


def entry_id(tenant: str, key: str, fingerprint: str) -> str:
    """Return the identity of a drop-box entry."""
    return short_id([tenant, key, fingerprint])
