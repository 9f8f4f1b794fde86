"""A container as a process of the worker: started, judged, ended, and gone when the worker is.

Owns that nothing stays. The engine's command is a child of the worker, but the container is not: with
docker it belongs to the daemon. So a small shell waits beside each container for the end of its pipe
to the worker, which comes however the worker ends, and removes the container then.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bedside.adapters.containers.box import Box, Engine
from bedside.errors import ConfigError, ModelFailed, Unavailable
from bedside.worker.children.spawned import Spawned

#: What the engines answer with where the container could not be started, not the program in it.
ENGINE_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

#: What runc and our own cage say in that case, whatever their exit status is.
_NOT_STARTED = re.compile(rb"runc run failed|^cage: ")

#: What they say of a program that is not there or is none.
_NOT_THERE = re.compile(rb"executable file|exec format|exec:|exec /")

#: Longer than an engine takes to end and remove a container.
REMOVE_S = 30.0

#: Waits for a line that says all is well; the end of the pipe without it calls for the removal.
_GUARD = 'read -r word; [ "$word" = done ] || exec "$@" >/dev/null 2>&1'


class ContainerProcess(Spawned):
    """A running container.

    Args:
        engine: Runs it.
        box: What to start.
        environment: The worker's; the engine's own commands see a part of it.
        scratch: Where its private folder is made.
        piped: Whether stdin and stdout are pipes to the worker; else its output is kept for its end.
    """

    def __init__(
        self, engine: Engine, box: Box, *, environment: Mapping[str, str], scratch: Path, piped: bool
    ) -> None:
        self._engine = engine
        self.box = box
        scratch.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="box-", dir=scratch))
        self._own = engine.environment(environment)
        self._removal = engine.removal(box.name)
        self._guard: subprocess.Popen[bytes] | None = None
        try:
            command = engine.command(box, self._folder)
            if self._removal:
                # Its own session: what ends the worker's group must not end it too.
                self._guard = subprocess.Popen(
                    ["/bin/sh", "-c", _GUARD, "guard", *self._removal],
                    env=self._own,
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                )
            super().__init__(command, environment={}, extra=self._own, scratch=scratch, piped=piped)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def end(self, grace_s: float = 0.0) -> None:
        """End the container, see `bedside.worker.children.spawned.Spawned.end`; nothing of it stays."""
        if self.process.returncode is None:
            self.ended_by_us = True
            if grace_s:
                self.wait(grace_s)
        if self.process.poll() is None and self._removal:
            self._remove()
            self.wait(REMOVE_S)
        super().end()
        self._dismiss()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ended_as(self, status: int) -> int:
        """Return how the program in the container ended: the engines tell signals as 128 and more."""
        if 128 < status < 128 + signal.NSIG:
            return 128 - status
        return status

    def death(self, who: str) -> ModelFailed:
        """Return the error that says how it ended by itself, or raise what is the engine's fault.

        Raises:
            Unavailable: The engine could not start it.
            ConfigError: There is no such program in the container.
        """
        status = self.process.wait()
        self._drain.join(timeout=1.0)
        if self._not_started(status):
            if any(_NOT_THERE.search(line) for line in self._last):
                raise ConfigError(f"{who}: {self.box.command[0]} cannot be executed in the container")
            # Its words stay here: they quote the paths of mounts, which may hold a patient's name.
            raise Unavailable(
                f"{who}: {self._engine.name} could not start the container",
                hint=f"{self._engine.name} run --rm {self.box.held.id[:19]} says why"
                if self._engine.name in ("podman", "docker")
                else "bedside doctor",
            )
        return super().death(who)

    def _not_started(self, status: int) -> bool:
        """Say whether the engine failed, not the program: by the status, or where that is 1, by its words."""
        if status == 1:
            return any(_NOT_STARTED.search(line) for line in self._last)
        return status in (ENGINE_FAILED, NOT_FOUND, NOT_EXECUTABLE)

    def _remove(self) -> None:
        try:
            subprocess.run(
                self._removal,
                env=self._own,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=REMOVE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # the guard tries again when it is let go

    def _dismiss(self) -> None:
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(b"done\n")
            self._guard.stdin.close()
        except BrokenPipeError:
            pass
        self._guard.wait(REMOVE_S)


def unique_name() -> str:
    """Return a name for a container that no other has or had on this machine."""
    return f"bedside-{os.getpid()}-{os.urandom(6).hex()}"
