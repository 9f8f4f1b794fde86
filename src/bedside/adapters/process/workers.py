"""The worker processes of this machine: started, started again when they die, stopped in order.

Owns processes and nothing of jobs: a worker that died is told to the caller, who frees its jobs. A
worker that dies young is started again later and later, so that a broken installation does not
spend the machine on starting.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bedside.errors import Unavailable
from bedside.log import Log

#: A worker that lived this long was well; the next one starts at once.
WELL_S = 10.0
FIRST_WAIT_S, MOST_WAIT_S = 0.25, 60.0


@dataclass(slots=True)
class _Place:
    """One of the workers to have: its process, and when it may be started again."""

    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    wait_s: float = FIRST_WAIT_S


class WorkerProcesses:
    """Keeps a number of worker processes running.

    Args:
        command: Program and arguments of a worker.
        configuration: Written to each worker's stdin, which then stays open, for nudges: it ends with us.
        count: How many.
        log: Takes notes.
        kind: What they are, in notes and messages.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        configuration: bytes,
        count: int,
        log: Log,
        kind: str = "worker",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = list(command)
        self._configuration = configuration
        self._log = log
        self._kind = kind
        self._clock = clock
        self._places = [_Place() for _ in range(count)]

    def pids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        return [place.process.pid for place in self._places if place.process]

    def tend(self) -> bool:
        """Start what is due; return whether a worker died since the last call."""
        died = False
        now = self._clock()
        for place in self._places:
            if place.process is not None and place.process.poll() is not None:
                died = True
                well = now - place.started > WELL_S
                place.due = now if well else now + place.wait_s
                place.wait_s = FIRST_WAIT_S if well else min(place.wait_s * 2, MOST_WAIT_S)
                self._log(f"{self._kind}.died", pid=place.process.pid, status=place.process.returncode)
                _shut(place.process)
                place.process = None
            if place.process is None and now >= place.due:
                place.process = self._start()
                place.started = now
                self._log(f"{self._kind}.started", pid=place.process.pid)
        return died

    def nudge(self) -> None:
        """Tell all workers that there may be something to do, so that none sleeps until its next look."""
        for process in self._running():
            assert process.stdin is not None
            # One that died will be tended, and one with a pipe full of nudges knows.
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(process.stdin.fileno(), b"\n")

    def stop(self, grace_s: float) -> None:
        """Ask all workers to stop, wait for them, and end those that are not done within the grace."""
        for process in self._running():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        until = self._clock() + grace_s
        for process in self._running():
            try:
                process.wait(max(until - self._clock(), 0.0))
            except subprocess.TimeoutExpired:
                self._log(f"{self._kind}.killed", pid=process.pid, waited_s=grace_s)
                process.kill()
                process.wait()
            _shut(process)
        for place in self._places:
            place.process = None

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [place.process for place in self._places if place.process]

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=os.environ)
        except OSError as exc:
            raise Unavailable(f"{self._kind}: cannot be started: {exc.strerror}") from exc
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once, which `tend` will see
            process.stdin.write(self._configuration + b"\n")
            process.stdin.flush()
        os.set_blocking(process.stdin.fileno(), False)  # a worker busy for hours hears no nudges
        return process


def _shut(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
