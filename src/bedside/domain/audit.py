"""The audit trail: who did what, when and where, each record bound to the one before it by a hash.

Owns what a record's hash covers, so that whoever has an exported trail can check it without bedside
(docs/audit.md). A record holds identifiers of ours: no name, no patient's data.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

#: What the first record is bound to.
BEGINNING = "0" * 64
#: Of each text; a record is a line, and no place to keep things in.
LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that somebody did, before it has its place in the trail.

    Attributes:
        at: When, by the clock of the machine that noted it.
        person: Who: the subject of a person, or empty where nobody is known (a failed sign-in).
        address: From where on the network, as far as the settings keep it; empty is unknown.
        action: ``noun.verb``, e.g. ``result.viewed``.
        tenant: In which tenant, by name; empty is the whole deployment.
        object: To what, by an identifier.
        detail: What else matters.
    """

    at: datetime
    person: str
    action: str
    address: str = ""
    tenant: str = ""
    object: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A deed in its place.

    Attributes:
        number: 1 is the first; there are no gaps.
        deed: What was done.
        before: Hash of the record before it, or `BEGINNING`.
        hash: Of what stands here and of `before`.
    """

    number: int
    deed: Deed
    before: str
    hash: str


class Fault(StrEnum):
    """What a record that does not hold shows."""

    MISSING = "missing"
    ANOTHER_BEFORE = "another_before"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking a trail found.

    Attributes:
        checked: How many records hold together from the first one on.
        head: Hash of the last of them.
        broken: Number of the first that does not; 0 where all do.
        reason: Why not; empty where all do.
        fault: The same, as a value.
    """

    checked: int
    head: str
    broken: int = 0
    reason: str = ""
    fault: Fault | None = None


def chained(deed: Deed, after: Record | None) -> Record:
    """Return a deed as the record that follows another, its texts made storable first."""
    number, before = (after.number + 1, after.hash) if after else (1, BEGINNING)
    clean = Deed(
        at=deed.at.astimezone(UTC),
        person=_storable(deed.person),
        action=_storable(deed.action),
        address=_storable(deed.address),
        tenant=_storable(deed.tenant),
        object=_storable(deed.object),
        detail={_storable(name): _storable(value) for name, value in deed.detail.items()},
    )
    return Record(number=number, deed=clean, before=before, hash=hash_of(number, clean, before))


def hash_of(number: int, deed: Deed, before: str) -> str:
    """Return SHA-256 of the hash before, a line's end, and the content as JSON with sorted keys."""
    content = json.dumps(content_of(number, deed), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def content_of(number: int, deed: Deed) -> dict[str, object]:
    """Return what a record's hash covers, as JSON has it."""
    return {
        "number": number,
        "at": deed.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "person": deed.person,
        "address": deed.address,
        "action": deed.action,
        "tenant": deed.tenant,
        "object": deed.object,
        "detail": dict(deed.detail),
    }


def checked(records: Iterable[Record]) -> Verdict:
    """Check a trail from its first record on, and stop at the first that does not hold.

    Records that were cut off its end leave no trace in the trail: compare the head with one that was
    written down elsewhere.
    """
    number, head = 0, BEGINNING
    for record in records:
        reason, fault = "", None
        if record.number != number + 1:
            reason, fault = f"record {number + 1} is missing", Fault.MISSING
        elif record.before != head:
            reason, fault = "it names another record before it", Fault.ANOTHER_BEFORE
        elif record.hash != hash_of(record.number, record.deed, record.before):
            reason, fault = "its content is not what was hashed", Fault.CHANGED
        if reason:
            return Verdict(checked=number, head=head, broken=number + 1, reason=reason, fault=fault)
        number, head = record.number, record.hash
    return Verdict(checked=number, head=head)


def _storable(text: str) -> str:
    """Return text as every database keeps it (PostgreSQL has no NUL), and not too long."""
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"
