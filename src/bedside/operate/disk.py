"""How full the disk of a deployment is: what is free, and what store, releases and scratch take of it.

What is free is asked each time. What folders take is found by walking them, in a thread of its own and
seldom: a store has millions of files, and a page must not wait for them. A store on S3 is not measured.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bedside.errors import Unavailable
from bedside.ports import Clock

#: A folder is walked again after so long, and a walk ends after so long.
FRESH_S = 900.0
LONGEST_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What folders take, as it was found at a time.

    Attributes:
        store_bytes: The tenants' objects; None where the store is elsewhere.
        releases_bytes: Copies of bundles and MAPs.
        scratch_bytes: What may be lost.
        whole: Whether every file was seen; else each is "at least".
        measured_at: When.
    """

    store_bytes: int | None
    releases_bytes: int
    scratch_bytes: int
    whole: bool
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A deployment's disk.

    Attributes:
        total_bytes: Of the file system of the root folder.
        free_bytes: Of these.
        ledger_bytes: Of the ledger's file; None where it is a server's.
        store_here: Whether the store lies on it.
        taken: What folders take; None until they were walked first.
    """

    total_bytes: int
    free_bytes: int
    ledger_bytes: int | None
    store_here: bool
    taken: Taken | None

    @property
    def free_share(self) -> float:
        """Of all, what is free."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 0.0


class DiskGauge:
    """Measures the disk of one deployment. Safe between threads.

    Args:
        root: The folder it lives in.
        store_here: Whether the tenants' folders lie there.
        tenants: Their names.
        clock: The time.
    """

    def __init__(
        self, root: Path, *, store_here: bool, tenants: Callable[[], Iterable[str]], clock: Clock
    ) -> None:
        self._root = root
        self._store_here = store_here
        self._tenants = tenants
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: Taken | None = None
        self._walked_at = float("-inf")
        self._walking = False

    def look(self) -> Disk:
        """Return how it is; begin another walk where the last one is old.

        Raises:
            Unavailable: The root folder is gone.
        """
        try:
            usage = shutil.disk_usage(self._root)
        except OSError as exc:
            raise Unavailable(f"system.root: {exc.strerror}", hint="bedside doctor") from exc
        with self._lock:
            due = self._clock.monotonic() - self._walked_at >= FRESH_S
            if due and not self._walking:
                self._walking = True
                threading.Thread(target=self._walk, name="disk", daemon=True).start()
            return Disk(
                total_bytes=usage.total,
                free_bytes=usage.free,
                ledger_bytes=self._ledger_bytes(),
                store_here=self._store_here,
                taken=self._taken,
            )

    def _ledger_bytes(self) -> int | None:
        files = [self._root / f"ledger.db{end}" for end in ("", "-wal", "-shm")]
        sizes = [file.stat().st_size for file in files if file.exists()]
        return sum(sizes) if sizes else None

    def _walk(self) -> None:
        try:
            taken = self._measured()
        finally:
            with self._lock:
                self._walking = False
                self._walked_at = self._clock.monotonic()
        with self._lock:
            self._taken = taken

    def _measured(self) -> Taken:
        until = self._clock.monotonic() + LONGEST_S
        seen: set[tuple[int, int]] = set()

        def size(*folders: Path) -> tuple[int, bool]:
            found = [_size(folder, seen, lambda: self._clock.monotonic() < until) for folder in folders]
            return sum(size for size, _ in found), all(whole for _, whole in found)

        store = size(*(self._root / name for name in self._tenants())) if self._store_here else (0, True)
        releases, scratch = size(self._root / "releases"), size(self._root / ".work")
        return Taken(
            store_bytes=store[0] if self._store_here else None,
            releases_bytes=releases[0],
            scratch_bytes=scratch[0],
            whole=store[1] and releases[1] and scratch[1],
            measured_at=self._clock.now(),
        )


def _size(folder: Path, seen: set[tuple[int, int]], go_on: Callable[[], bool]) -> tuple[int, bool]:
    """Return what the files of a folder take on the disk, each once however many names it has."""
    total, waiting = 0, [str(folder)]
    while waiting:
        if not go_on():
            return total, False
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1:
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
        except OSError:  # removed meanwhile, or not ours to see
            continue
    return total, True
