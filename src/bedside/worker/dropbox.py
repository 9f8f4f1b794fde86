"""What in a drop-box belongs together, and when it is complete.

Owns the reading of ``input/``: a ZIP is one thing, a folder is one, the files of a recording are one,
and all other files at the top are one (an export of loose instances). Works on any store's listing,
so that a folder and a bucket agree on what came. Completeness is a thing nobody can know from
outside: what counts is that nothing changed for a while, or that the sender says so.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from pathlib import PurePosixPath
from typing import BinaryIO

from bedside.config import FileSetSettings
from bedside.domain.arrival import fingerprint
from bedside.domain.identity import short_id
from bedside.errors import NotFound, UsageError
from bedside.ports import Blob, BlobStore, Clock, Dropped

INPUT = "input"
#: Key of the entry that loose files at the top of the drop-box form together.
LOOSE = "input/*"
#: Says that the thing of this name (or the folder it lies in) is complete.
MARKER = ".complete"

#: A ZIP whose end is missing is most likely still being copied: it gets this many quiet times.
PATIENCE = 12

_UNFINISHED = re.compile(
    r"^\.|^~|~$|\.(part|partial|tmp|temp|crdownload|download|filepart|opdownload|aria2|swp|!ut|bedside)$",
    re.IGNORECASE,
)
_JUNK = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".localized"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What lies in the drop-box under one name, complete or not.

    Attributes:
        key: Its key or prefix; `LOOSE` for loose files, ``<stem>.*`` for a file set.
        parts: Its objects, in key order, unfinished and junk files left out.
        file_set: The set it is an instance of, or None.
        stem: What the files of a set have in common.
        whole: Whether every required file is there (always, but for file sets).
        announced: Whether the sender says that it is complete.
        activity: Changes with every object, the unfinished ones too.
    """

    key: str
    parts: tuple[Blob, ...]
    file_set: FileSetSettings | None
    stem: str
    whole: bool
    announced: bool
    activity: str

    def dropped(self) -> Dropped:
        """Return it as the feed tells it."""
        told = fingerprint((b.key, b.size_bytes, b.modified_at) for b in self.parts)
        return Dropped(key=self.key, parts=tuple(b.key for b in self.parts), fingerprint=told)


def markers_of(key: str) -> tuple[str, ...]:
    """Return the keys of the markers that announce a thing, there or not."""
    if key == LOOSE:
        return (f"{INPUT}/{MARKER}",)
    if key.endswith(".*"):
        folder = key.rpartition("/")[0]
        beside = f"{key.removesuffix('.*')}{MARKER}"
        return (beside,) if folder == INPUT else (beside, f"{folder}/{MARKER}")
    return (f"{key}{MARKER}", f"{key}/{MARKER}")


def is_junk(key: str) -> bool:
    """Whether an object is what systems leave beside files, at any depth."""
    return any(part.lower() in _JUNK for part in key.split("/"))


def group(blobs: Iterable[Blob], file_sets: Sequence[FileSetSettings] = ()) -> list[Thing]:
    """Return what lies in a drop-box, in key order.

    Args:
        blobs: Everything below ``input/``.
        file_sets: Sets of other files than DICOM.
    """
    patterns = [(s, [_pattern(p) for p in s.patterns]) for s in file_sets]
    found: dict[str, _Gathered] = {}
    markers = set()
    for blob in blobs:
        name = blob.key.removeprefix(f"{INPUT}/")
        if name.endswith(MARKER):
            markers.add(blob.key)
        elif not is_junk(name):
            where = _place(name, patterns)
            gathered = found.setdefault(where.key, where)
            unfinished = any(_UNFINISHED.search(part) for part in name.split("/"))
            (gathered.unfinished if unfinished else gathered.parts).append(blob)
    return [g.thing(markers) for _, g in sorted(found.items()) if g.parts]


@dataclass(slots=True)
class _Gathered:
    key: str
    file_set: FileSetSettings | None
    stem: str
    parts: list[Blob]
    unfinished: list[Blob]

    def thing(self, markers: set[str]) -> Thing:
        told = [[b.key, b.size_bytes, b.modified_at.isoformat()] for b in self.parts + self.unfinished]
        whole = self.file_set is None or all(
            any(_pattern(p).match(PurePosixPath(b.key).name) for b in self.parts)
            for p in self.file_set.patterns
        )
        return Thing(
            key=self.key,
            parts=tuple(self.parts),
            file_set=self.file_set,
            stem=self.stem,
            whole=whole,
            announced=not markers.isdisjoint(markers_of(self.key)),
            activity=short_id(told),
        )


def _place(name: str, patterns: Sequence[tuple[FileSetSettings, Sequence[re.Pattern[str]]]]) -> _Gathered:
    """Return the (still empty) thing that an object belongs to."""
    folder, _, file = name.rpartition("/")
    for file_set, wanted in patterns:
        for pattern in wanted:
            if matched := pattern.match(file):
                stem = matched.group(1) if pattern.groups == 1 else PurePosixPath(file).stem
                under = f"{INPUT}/{folder}/" if folder else f"{INPUT}/"
                return _Gathered(f"{under}{stem}.*", file_set, stem, [], [])
    top = name.split("/", 1)[0]
    # A ZIP that is uploaded as x.zip.part is no activity of the loose files.
    alone = folder or ".zip" in top.lower()
    return _Gathered(f"{INPUT}/{top}" if alone else LOOSE, None, "", [], [])


def _pattern(glob: str) -> re.Pattern[str]:
    """Return a file set's pattern; what its only ``*`` stands for is the first group."""
    if glob.count("*") == 1 and not set("?[") & set(glob):
        before, after = map(re.escape, glob.split("*"))
        return re.compile(f"{before}(.+){after}$", re.IGNORECASE)
    return re.compile(translate(glob), re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a drop-box saw.

    Attributes:
        complete: What is complete, and for how many seconds it stood still under our eyes.
        growing: Keys of objects of things that may become complete by waiting alone.
        partial: Keys of objects of file sets that lack a file.
    """

    complete: tuple[tuple[Dropped, float], ...]
    growing: frozenset[str]
    partial: frozenset[str]


class DropboxWatch:
    """Tells what became complete in a store's drop-boxes, from how long it stood still.

    What it saw is kept in memory only: after a restart everything is watched anew, which costs one
    quiet time and cannot be wrong.

    Args:
        blobs: Any tenant's store.
        quiet_s: Unchanged this long is complete.
        clock: Its `monotonic` counts, so that setting the clock takes nothing half-written.
        file_sets: Sets of other files than DICOM.
    """

    def __init__(
        self, blobs: BlobStore, quiet_s: float, clock: Clock, file_sets: Sequence[FileSetSettings] = ()
    ) -> None:
        self._blobs = blobs
        self._quiet_s = quiet_s
        self._clock = clock
        self._file_sets = tuple(file_sets)
        self._seen: dict[str, dict[str, tuple[str, float]]] = {}

    def ready(self, tenant: str) -> Sequence[Dropped]:
        """Return what is complete now and was not yet moved away; may repeat itself."""
        return [dropped for dropped, _ in self.look(tenant).complete]

    def taken(self, tenant: str, dropped: Dropped) -> None:
        """Do nothing: looking again costs little, and the ledger knows what was taken."""

    def postponed(self, tenant: str, dropped: Dropped, wait_s: float) -> None:
        """Do nothing: what lies in the drop-box is told at every look."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def look(self, tenant: str) -> Look:
        """Look once, and tell everything that was seen."""
        store = self._blobs.tenant(tenant)
        before, now = self._seen.get(tenant, {}), self._clock.monotonic()
        seen: dict[str, tuple[str, float]] = {}
        complete: list[tuple[Dropped, float]] = []
        growing: set[str] = set()
        partial: set[str] = set()
        for thing in group(store.list(f"{INPUT}/"), self._file_sets):
            activity, since = before.get(thing.key, ("", now))
            if activity != thing.activity:
                since = now
            seen[thing.key] = (thing.activity, since)
            if thing.whole and (thing.announced or self._is_quiet(store, thing, now - since)):
                complete.append((thing.dropped(), now - since))
            else:
                (growing if thing.whole else partial).update(part.key for part in thing.parts)
        self._seen[tenant] = seen
        return Look(complete=tuple(complete), growing=frozenset(growing), partial=frozenset(partial))

    def _is_quiet(self, store: BlobStore, thing: Thing, still_s: float) -> bool:
        if still_s < self._quiet_s:
            return False
        return still_s >= PATIENCE * self._quiet_s or not _lacks_its_end(store, thing)


def _lacks_its_end(store: BlobStore, thing: Thing) -> bool:
    """Whether a ZIP has no end yet. Folders are not looked into: there, only quiet tells."""
    if len(thing.parts) != 1 or not thing.key.lower().endswith(".zip"):
        return False
    try:
        with store.open(thing.key) as stream:
            return not _has_zip_end(stream)
    except (NotFound, UsageError):
        return False


def _has_zip_end(stream: BinaryIO) -> bool:
    if stream.read(2) != b"PK":
        return True  # not a ZIP at all: unpacking will say so
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 22 - 0xFFFF))  # the record and the longest comment
    return b"PK\x05\x06" in stream.read()
