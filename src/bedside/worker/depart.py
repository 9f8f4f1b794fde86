"""Moves an entry's objects out of the drop-box, to ``inferred/<entry id>/`` or ``rejected/<entry id>/``.

Owns the one move that a crash must not tear: a record is written first that says which object goes
where, so that whoever comes next goes on where the crash was, and a thing that somebody put there
meanwhile under the same name is left alone. Names are numbers; the record knows an object by a hash
of its name.
"""

import json
from collections.abc import Mapping, Sequence

from bedside.config import FileSetSettings
from bedside.domain.arrival import Entry
from bedside.domain.identity import canonical_json, short_id
from bedside.errors import NotFound
from bedside.ports import Blob, BlobStore
from bedside.worker.dropbox import INPUT, Thing, group, markers_of
from bedside.worker.receive import extension

INFERRED, REJECTED = "inferred", "rejected"
#: Name of the record below each place.
RECORDS = {INFERRED: "entry.json", REJECTED: "reason.json"}
SCHEMA = "bedside.entry/1"

#: Extensions that are kept. Others may be the end of a name: ``DOE.JANE``.
_EXTENSIONS = frozenset({".zip", ".dcm", ".dicom", ".ima", ".img"})


def things_in(blobs: BlobStore, file_sets: Sequence[FileSetSettings]) -> dict[str, Thing]:
    """Return what lies in a tenant's drop-box now, by key."""
    return {thing.key: thing for thing in group(blobs.list(f"{INPUT}/"), file_sets)}


def depart(
    entry: Entry, thing: Thing | None, blobs: BlobStore, *, place: str, facts: Mapping[str, object]
) -> bool:
    """Move an entry's objects to a place, or go on with a move that was begun.

    Args:
        entry: Which.
        thing: What lies under its key now, or None.
        blobs: Its tenant's store.
        place: `INFERRED` or `REJECTED`.
        facts: JSON values for the record; no names.

    Returns:
        Whether its objects are at the place; not so where they were taken away or replaced first.
    """
    record = begun(entry, blobs, place)
    if record is None:
        if thing is None or thing.dropped().fingerprint != entry.fingerprint:
            return False
        record = begin(entry, thing, blobs, place=place, facts=facts)
    names = {str(f["object"]): str(f["name"]) for f in record["files"]}  # type: ignore[attr-defined]
    for blob in thing.parts if thing else ():
        if name := names.get(_token(blob)):
            try:
                blobs.move(blob.key, f"{place}/{entry.id}/{name}")
            except NotFound:  # taken away between the look and now
                continue
    for marker in markers_of(entry.key):
        blobs.delete(marker)
    return True


def begin(
    entry: Entry, thing: Thing, blobs: BlobStore, *, place: str, facts: Mapping[str, object]
) -> dict[str, object]:
    """Write the record of a move, which says that it goes on whatever happens."""
    kept = _EXTENSIONS | {extension(p) for p in (thing.file_set.patterns if thing.file_set else ())}
    files = []
    for number, blob in enumerate(thing.parts, 1):
        suffix = extension(blob.key)
        files.append(
            {
                "name": f"{number:06d}{suffix if suffix in kept else ''}",
                "size_bytes": blob.size_bytes,
                "object": _token(blob),
            }
        )
    record = {"schema": SCHEMA, "entry": entry.id, **facts, "files": files}
    blobs.put(_record_key(entry, place), canonical_json(record))
    return record


def begun(entry: Entry, blobs: BlobStore, place: str) -> dict[str, object] | None:
    """Return the record of a move, or None where none was begun."""
    try:
        record: dict[str, object] = json.loads(blobs.get(_record_key(entry, place)))
    except NotFound:
        return None
    return record


def _record_key(entry: Entry, place: str) -> str:
    return f"{place}/{entry.id}/{RECORDS[place]}"


def _token(blob: Blob) -> str:
    return short_id([blob.key, blob.size_bytes, blob.modified_at.isoformat()])
