"""A ``bedside serve`` of our own: started beside a command, watched, and stopped with it.

Its words go to a file. It ends with the command, also when that is killed, because a demo must leave
nothing running.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from bedside.errors import Unavailable

#: serve gives its workers grace to finish; nobody waits longer than this for a demo.
STOP_S = 30.0


class Served:
    """Runs ``bedside serve`` for as long as the ``with`` block lasts.

    Args:
        configuration: Its bedside.toml.
        log: Where its standard error goes.
        portal: Whether it shall have one.
    """

    def __init__(self, configuration: Path, log: Path, *, portal: bool = False) -> None:
        self._command = [sys.executable, "-m", "bedside", "serve", "-c", str(configuration)]
        if not portal:
            self._command += ["--portal", ""]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Served":
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C reaches us, and we ask it to stop in order.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def check(self) -> None:
        """Raise where it ended by itself.

        Raises:
            Unavailable: With the last line it wrote.
        """
        assert self._process is not None
        code = self._process.poll()
        if code is None:
            return
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = next((line for line in reversed(lines) if line.startswith("error: ")), "")
        hint = next((line for line in reversed(lines) if line.startswith("hint: ")), "")
        raise Unavailable(
            f"bedside serve ended with exit code {code}: {said.removeprefix('error: ') or 'see its log'}",
            hint=hint.removeprefix("hint: ") or f"cat {self._log}",
        )

    def said(self, begin: str) -> str:
        """Return the word that it wrote last which begins so, or nothing."""
        words = self._log.read_text(encoding="utf-8", errors="replace").split()
        return next((word for word in reversed(words) if word.startswith(begin)), "")

    def wait(self) -> None:
        """Wait until it ends, or Ctrl-C."""
        assert self._process is not None
        self._process.wait()
