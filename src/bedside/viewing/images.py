"""The images of results with their masks, prepared when somebody first looks and kept while they do.

Owns how much of it happens at once: one study is read at a time whoever asks, since its volume is in memory
meanwhile; the others wait their turn, and who asks is told how far it is. What cannot be shown is said
again without trying again for a while. Another version of the masks takes the images that are there already.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bedside.domain.arrival import ArrivalKind
from bedside.domain.identity import short_id
from bedside.domain.judgement import Correction
from bedside.domain.result import Result
from bedside.errors import BedsideError, InputRejected, NotFound, Unavailable
from bedside.log import Log, silent
from bedside.ports import BlobStore, Ledger
from bedside.viewing.bring import bring_masks, bring_series
from bedside.viewing.build import IMAGES, build, labels_file, repaint
from bedside.viewing.document import ResultDocument
from bedside.viewing.grid import Grid
from bedside.viewing.shelf import Shelf

#: Results that wait to be prepared; more are refused for the moment.
MOST_WAITING = 16
#: A refusal is repeated for so long before it is tried again.
REFUSED_S = 60.0
_FETCHED_UNTIL = 0.5  # of the whole; reading and placing the masks take about as long


@dataclass(frozen=True, slots=True)
class Preparing:
    """Images that are not there yet; ``progress`` is 0 to 1."""

    progress: float


@dataclass(slots=True)
class _Task:
    progress: float = 0.0
    ended_at: float = 0.0
    future: "Future[None]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Images of a result under one version of its masks."""

    result: Result
    document: ResultDocument
    correction: Correction | None

    @property
    def of_result(self) -> str:
        """What the keys of all versions begin with."""
        return short_id([self.result.job_id, self.result.created_at.isoformat()])

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and name on the shelf."""
        drawn = f"-{short_id(self.correction.sop_instance_uid)}" if self.correction else ""
        return self.result.tenant, self.of_result + drawn


@dataclass(frozen=True, slots=True)
class Prepared:
    """A volume on the disk.

    Attributes:
        folder: Of its files.
        grid: What it is.
    """

    folder: Path
    grid: Grid

    def slab(self, level: int, number: int, *, bare: bool = False) -> bytes:
        """Return a slab: int16 values, then each label map, little endian, axes (z, y, x).

        Args:
            level: From coarse to full.
            number: Of the slab.
            bare: The label maps alone.

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
        return self._cut((z, slice(None, None, down), slice(None, None, across)), bare)

    def plane(self, axis: int, index: int, *, bare: bool = False) -> bytes:
        """Return one plane of all voxels, across an axis (0 z, 1 y, 2 x), as `slab` does.

        Raises:
            NotFound: There is no such plane.
        """
        if not 0 <= axis < 3 or not 0 <= index < self.grid.shape[axis]:
            raise NotFound(f"images: plane {index} of axis {axis}, the shape is {self.grid.shape}")
        at = tuple(slice(index, index + 1) if number == axis else slice(None) for number in range(3))
        return self._cut((at[0], at[1], at[2]), bare)

    def _cut(self, at: tuple[slice, slice, slice], bare: bool) -> bytes:
        maps = [(labels_file(number), "u1") for number in range(self.grid.maps)]
        files = maps if bare else [(IMAGES, "<i2"), *maps]
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

    def look(
        self,
        result: Result,
        document: ResultDocument,
        *,
        correction: Correction | None = None,
        wait_s: float = 0.0,
    ) -> Prepared | Preparing:
        """Return a result's images, or how far they are.

        Args:
            result: Of the ledger.
            document: What it says of itself.
            correction: A reviewer's masks, to be shown instead of the model's.
            wait_s: Wait so long for them.

        Raises:
            InputRejected: There is nothing to show, or it cannot be read.
            Unavailable: Too many wait already, or store or disk fail.
            NotFound: The study or the correction is not in the store any more.
        """
        wanted = _Wanted(result=result, document=document, correction=correction)
        key = wanted.key
        found = self._shelf.find(*key)
        if found is not None:
            return Prepared(*found)
        task = self._task(key, wanted)
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

    def _task(self, key: tuple[str, str], wanted: _Wanted) -> _Task:
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
            task.future = self._pool.submit(self._prepare, key, task, wanted)
            self._tasks[key] = task
            return task

    def _prepare(self, key: tuple[str, str], task: _Task, wanted: _Wanted) -> None:
        begun = time.perf_counter()
        try:
            with (
                self._shelf.put(*key) as folder,
                tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as work,
            ):
                grid = self._build(task, wanted, Path(work), folder)
        except BedsideError as refused:
            self.log("images.refused", tenant=key[0], job=wanted.result.job_id, reason=refused.message)
            raise
        finally:
            task.ended_at = time.monotonic()
        seconds = round(time.perf_counter() - begun, 3)
        self.log(
            "images.prepared",
            tenant=key[0],
            job=wanted.result.job_id,
            seconds=seconds,
            voxels=grid.voxels,
        )

    def _build(self, task: _Task, wanted: _Wanted, work: Path, folder: Path) -> Grid:
        """Draw what is wanted: over images of the same result where there are any, else from the study."""
        result = wanted.result
        arrival = self.ledger.arrival(result.tenant, result.arrival_id)
        if arrival.kind is not ArrivalKind.DICOM:
            raise InputRejected("images: this result was not read from a study of images")
        store = self.blobs.tenant(result.tenant)
        segs = bring_masks(store, result, wanted.document, wanted.correction, work)
        if (kin := self._shelf.kin(result.tenant, wanted.of_result)) is not None:
            task.progress = _FETCHED_UNTIL
            try:
                return repaint(*kin, segs, folder)
            except FileNotFoundError:
                pass  # put away meanwhile, so the study is read again

        def tell(progress: float) -> None:
            task.progress = progress * _FETCHED_UNTIL

        series = bring_series(store, arrival, wanted.document, work, tell)
        return build(series, segs, folder)
