"""Runs decoders in processes of their own, which stay for the next call.

Some codecs abort their process on broken bytes, and OpenJPEG does not bear threads: neither may be the
portal's. A process that dies costs the call it died of, and another takes its place.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from bedside.dicom.codec import end_with_parent
from bedside.errors import InputRejected, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

#: Longer than the largest enhanced instance takes to decode.
TIMEOUT_S = 120.0


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
                    self._processes, mp_context=get_context("spawn"), initializer=end_with_parent
                )
            return self._pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)
