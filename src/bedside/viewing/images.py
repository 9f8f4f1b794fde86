"""The images of results with their masks, prepared when somebody first looks and kept while they do.

Owns how much of it happens at once: one study is read at a time whoever asks, since its volume is in memory
meanwhile; the others wait their turn, and who asks is told how far it is. What cannot be shown is said
again without trying again for a while.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bedside.dicom.compare import is_seg
from bedside.dicom.scan import Series, scan
from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.identity import short_id
from bedside.domain.result import Result
from bedside.errors import BedsideError, InputRejected, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import BlobStore, Ledger
from bedside.viewing.build import IMAGES, build, labels_file
from bedside.viewing.document import ResultDocument
from bedside.viewing.grid import Grid
from bedside.viewing.shelf import Shelf

#: Results that wait to be prepared; more are refused for the moment.
MOST_WAITING = 16
#: A refusal is repeated for so long before it is tried again.
REFUSED_S = 60.0
_FETCHED_UNTIL = 0.5  # of the whole; reading and placing the masks take about as long
_ABREAST = 8


@dataclass(frozen=True, slots=True)
class Preparing:
    """Images that are not there yet; ``progress`` is 0 to 1."""

    progress: float


@dataclass(slots=True)
class _Task:
    progress: float = 0.0
    ended_at: float = 0.0
    future: "Future[None]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A volume on the disk.

    Attributes:
        folder: Of its files.
        grid: What it is.
    """

    folder: Path
    grid: Grid

    def slab(self, level: int, number: int) -> bytes:
        """Return a slab: int16 values, then each label map, little endian, axes (z, y, x).

        Raises:
            NotFound: There is no such level or slab, or it was just removed.
        """
        if not 0 <= level < len(self.grid.levels):
            raise NotFound(f"images: level {level}, there are {len(self.grid.levels)}")
        chosen = self.grid.levels[level]
        if not 0 <= number < chosen.slabs:
            raise NotFound(f"images: slab {number}, there are {chosen.slabs}")
        along, down, across = chosen.stride
        z = slice(
            number * chosen.slab * along, min((number + 1) * chosen.slab * along, self.grid.shape[0]), along
        )
        return self._cut((z, slice(None, None, down), slice(None, None, across)))

    def plane(self, axis: int, index: int) -> bytes:
        """Return one plane of all voxels, across an axis (0 z, 1 y, 2 x), as `slab` does.

        Raises:
            NotFound: There is no such plane.
        """
        if not 0 <= axis < 3 or not 0 <= index < self.grid.shape[axis]:
            raise NotFound(f"images: plane {index} of axis {axis}, the shape is {self.grid.shape}")
        at = tuple(slice(index, index + 1) if number == axis else slice(None) for number in range(3))
        return self._cut((at[0], at[1], at[2]))

    def _cut(self, at: tuple[slice, slice, slice]) -> bytes:
        files = [(IMAGES, "<i2"), *((labels_file(n), "u1") for n in range(self.grid.maps))]
        parts = []
        for name, dtype in files:
            try:
                whole = np.memmap(self.folder / name, dtype=dtype, mode="r", shape=self.grid.shape)
            except FileNotFoundError as exc:
                raise NotFound("images: they were put away meanwhile; ask again") from exc
            parts.append(np.ascontiguousarray(whole[at]).tobytes())
        return b"".join(parts)


@dataclass(kw_only=True)
class Images:
    """Prepares and keeps images. Called from several threads.

    Attributes:
        ledger: Knows what a result was read from.
        blobs: The store.
        folder: Below ``.work/``.
        limit_bytes: Most that is kept.
        known: Names of the tenants that are served.
        log: Takes notes.
    """

    ledger: Ledger
    blobs: BlobStore
    folder: Path
    limit_bytes: int
    known: Callable[[], Collection[str]]
    log: Log = silent
    _tasks: dict[tuple[str, str], _Task] = field(init=False, repr=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _pool: ThreadPoolExecutor = field(init=False, repr=False)
    _shelf: Shelf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="images")
        self._shelf = Shelf(folder=self.folder, limit_bytes=self.limit_bytes, known=self.known)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def tidy(self) -> int:
        """Put away what nobody looks at any more; return how many volumes."""
        return self._shelf.tidy()

    def look(self, result: Result, document: ResultDocument, *, wait_s: float = 0.0) -> Prepared | Preparing:
        """Return a result's images, or how far they are.

        Args:
            result: Of the ledger.
            document: What it says of itself.
            wait_s: Wait so long for them.

        Raises:
            InputRejected: There is nothing to show, or it cannot be read.
            Unavailable: Too many wait already, or store or disk fail.
            NotFound: The study is not in the store any more.
        """
        key = (result.tenant, short_id([result.job_id, result.created_at.isoformat()]))
        found = self._shelf.find(*key)
        if found is not None:
            return Prepared(*found)
        task = self._task(key, result, document)
        wait([task.future], timeout=wait_s)
        if not task.future.done():
            return Preparing(round(task.progress, 2))
        error = task.future.exception()
        if not isinstance(error, BedsideError):  # a refusal stays, and is said again
            with self._lock:
                self._tasks.pop(key, None)
        if error is not None:
            raise error
        found = self._shelf.find(*key)
        if found is None:
            raise Unavailable("images: they were put away at once; ask again")
        return Prepared(*found)

    def _task(self, key: tuple[str, str], result: Result, document: ResultDocument) -> _Task:
        with self._lock:
            now = time.monotonic()
            for old, task in list(self._tasks.items()):
                refused = task.future.done() and task.future.exception() is not None
                if task.future.done() and not (refused and now - task.ended_at < REFUSED_S):
                    del self._tasks[old]
            if key in self._tasks:
                return self._tasks[key]
            waiting = sum(1 for task in self._tasks.values() if not task.future.done())
            if waiting >= MOST_WAITING:
                raise Unavailable(f"images: {waiting} studies wait to be read, ask again in a minute")
            task = _Task()
            task.future = self._pool.submit(self._prepare, key, task, result, document)
            self._tasks[key] = task
            return task

    def _prepare(self, key: tuple[str, str], task: _Task, result: Result, document: ResultDocument) -> None:
        begun = time.perf_counter()
        try:
            with (
                self._shelf.put(*key) as folder,
                tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as work,
            ):
                series, segs = self._bring(task, result, document, Path(work))
                task.progress = _FETCHED_UNTIL
                grid = build(series, segs, folder)
        except BedsideError as refused:
            self.log("images.refused", tenant=key[0], job=result.job_id, reason=refused.message)
            raise
        finally:
            task.ended_at = time.monotonic()
        seconds = round(time.perf_counter() - begun, 3)
        self.log("images.prepared", tenant=key[0], job=result.job_id, seconds=seconds, voxels=grid.voxels)

    def _bring(
        self, task: _Task, result: Result, document: ResultDocument, work: Path
    ) -> tuple[Series, Sequence[Path]]:
        """Bring the series that was read and the segmentations into a folder."""
        arrival = self.ledger.arrival(result.tenant, result.arrival_id)
        if arrival.kind is not ArrivalKind.DICOM:
            raise InputRejected("images: this result was not read from a study of images")
        store = self.blobs.tenant(result.tenant)
        segs = _segs(store, result, document, work)
        (work / "study").mkdir()
        keys = _instances(arrival, document)
        done = 0

        def bring(numbered: tuple[int, str]) -> None:
            nonlocal done
            store.fetch(numbered[1], work / "study" / f"{numbered[0]:06d}.dcm")
            done += 1
            task.progress = done / len(keys) * _FETCHED_UNTIL

        try:
            with ThreadPoolExecutor(_ABREAST) as pool:
                list(pool.map(bring, enumerate(keys)))
        except NotFound as missing:
            raise NotFound("images: the study is not in the store any more") from missing
        return _chosen(scan([work / "study"]).series, document), segs


def _instances(arrival: Arrival, document: ResultDocument) -> Sequence[str]:
    """Return the keys of the instances that were read, of all where the result does not say."""
    wanted = set(document.sop_instance_uids)
    keys = [file.key for file in arrival.files if file.sop_instance_uid in wanted]
    return keys or [file.key for file in arrival.files]


def _segs(store: BlobStore, result: Result, document: ResultDocument, work: Path) -> Sequence[Path]:
    (work / "segs").mkdir()
    found = []
    for number, file in enumerate(f for f in document.files if f.path.endswith(".dcm")):
        path = work / "segs" / f"{number:03d}.dcm"
        store.fetch(f"{result.prefix}/{file.path}", path)
        if is_seg(path):
            found.append(path)
    return found


def _chosen(series: Sequence[Series], document: ResultDocument) -> Series:
    """Return the series that was read; the largest where the result does not say which."""
    if not series:
        raise InputRejected("images: the study holds no series of CT, MR or PET images")
    named = [one for one in series if one.uid == document.series_uid]
    return named[0] if named else max(series, key=lambda one: len(one.instances))
