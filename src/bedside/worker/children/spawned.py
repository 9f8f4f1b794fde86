"""A process of foreign code: its group, its last words, and how it died.

Owns what the warm child and the command have in common: a process group of its own, so that what
it started ends with it; a private home; and its output in a bounded ring, of which only the type
and place of an error ever leave, since the rest may hold a patient's data.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from bedside.errors import ModelFailed, OutOfMemory, Unavailable
from bedside.worker.children.environment import scrubbed

#: Of a child's output, kept for the description of its death.
KEPT_LINES = 200
KEPT_LINE_BYTES = 2000

#: The lines of progress that the application of a MAP writes.
_PROGRESS = re.compile(rb"^bedside: ([a-z_]+) (\d{1,3})%$")
_PLACE = re.compile(rb'^\s*File "(?:.*/)?([^"/]+)", line (\d+)')
_TYPE = re.compile(rb"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Failed|Memory))\b")


class Spawned:
    """A running process in a group of its own.

    Args:
        command: Program and arguments.
        environment: The worker's, scrubbed here.
        extra: Variables added to it.
        scratch: Where its private home is made.
        piped: Whether stdin and stdout are pipes to the worker; else its output joins the ring.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        extra: Mapping[str, str],
        scratch: Path,
        piped: bool,
    ) -> None:
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            self.home = Path(tempfile.mkdtemp(prefix="home-", dir=scratch))
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if piped else subprocess.STDOUT,
                env={**scrubbed(environment, home=self.home), **extra},
                cwd=self.home,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as exc:
            raise Unavailable(f"process: {Path(command[0]).name} cannot be started: {exc.strerror}") from exc
        self._last: deque[bytes] = deque(maxlen=KEPT_LINES)
        output = self.process.stderr if piped else self.process.stdout
        assert output is not None
        self._drain = threading.Thread(target=self._keep, args=(output,), name="last-words", daemon=True)
        self._drain.start()
        self.ended_by_us = False

    def wait(self, seconds: float) -> int | None:
        """Return the exit status once it ended, or None after ``seconds``. Negative is a signal."""
        if self.process.returncode is not None:
            return self.process.returncode
        descriptor = os.pidfd_open(self.process.pid)  # Popen.wait would sleep between looks
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(seconds, 0.0) * 1000):
                return None
        finally:
            os.close(descriptor)
        return self.process.wait()

    def end(self, grace_s: float = 0.0) -> None:
        """End it and all it started: SIGTERM where there is a grace, then SIGKILL; remove its home."""
        if self.process.returncode is None:
            self.ended_by_us = True
            if grace_s:
                self._signal(signal.SIGTERM)
                self.wait(grace_s)
        self._signal(signal.SIGKILL)  # the group outlives its first process
        self.process.wait()
        self._drain.join(timeout=1.0)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def death(self, who: str) -> ModelFailed:
        """Return the error that says how it ended by itself; waits for its last words."""
        code = self.ended_as(self.process.wait())
        self._drain.join(timeout=1.0)
        if code == -signal.SIGKILL and not self.ended_by_us:
            return OutOfMemory(
                f"{who}: ended by SIGKILL, most likely by the kernel for lack of memory",
                hint="free memory or use a bigger machine; then: bedside job retry JOB",
            )
        if code < 0:
            return ModelFailed(f"{who}: ended by {signal.Signals(-code).name}")
        words = self.last_words()
        return ModelFailed(f"{who}: exit status {code}" + (f", {words}" if words else ""))

    def ended_as(self, status: int) -> int:
        """Return how the foreign code itself ended, where its process is spoken for by another."""
        return status

    def said(self) -> tuple[str, float] | None:
        """Return what a program of bedside last said that it does, and how much of it is done (0–1)."""
        for line in reversed(tuple(self._last)):
            if found := _PROGRESS.match(line):
                return found[1].decode(errors="replace"), min(int(found[2]) / 100, 1.0)
        return None

    def last_words(self) -> str:
        """Return type and place of the last error in its output, or ``""``; never its text."""
        place = kind = ""
        for line in self._last:
            if found := _PLACE.match(line):
                place = f" at {found[1].decode(errors='replace')}:{found[2].decode()}"
            elif found := _TYPE.match(line):
                kind = found[1].decode().rpartition(".")[2] + place
        return kind

    def _keep(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed by `end` while it waits
            while line := stream.readline(KEPT_LINE_BYTES):
                self._last.append(line)

    def _signal(self, sign: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, sign)
