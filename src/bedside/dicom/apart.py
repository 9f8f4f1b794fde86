"""Runs decoders in processes of their own, which stay for the next call.

Some codecs abort their process on broken bytes, and OpenJPEG does not bear threads: neither may be the
portal's. A process that dies costs the call it died of, and another takes its place. A few bytes can say that
they are an image of gigabytes; what a process may take of the memory is bounded.
"""

import os
import resource
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from bedside.dicom.codec import end_with_parent
from bedside.errors import InputRejected, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

#: Longer than the largest enhanced instance takes to decode.
TIMEOUT_S = 120.0
#: More than decoding the largest frame takes (8192 × 8192, three samples of 32 bits, a few times over).
MOST_BYTES = 6 * 2**30


class Apart:
    """Processes that decode. Called from several threads; started by the first call.

    Args:
        processes: How many; 0 is half of this machine's processors, at least one.
    """

    def __init__(self, processes: int = 0) -> None:
        self._processes = processes or max(1, len(os.sched_getaffinity(0)) // 2)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of this package returns in one of the processes.

        Raises:
            InputRejected: It does, or its process died of the input.
            Unavailable: It took too long.
        """
        pool = self._open()
        try:
            return pool.submit(work, *args, **kwargs).result(timeout=TIMEOUT_S)
        except BrokenProcessPool as exc:
            self._drop(pool)
            raise InputRejected("a decoder crashed on this instance") from exc
        except MemoryError as exc:
            raise InputRejected(f"decoding this instance takes more than {MOST_BYTES} bytes") from exc
        except Late as exc:
            raise Unavailable(f"a decoder took longer than {TIMEOUT_S:.0f} s", hint="try again") from exc

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self._processes, mp_context=get_context("spawn"), initializer=_begin
                )
            return self._pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)


def _begin() -> None:
    """End with the portal, and take no more memory than decoding may; Linux counts what has been taken."""
    end_with_parent()
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    taken = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = taken + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
